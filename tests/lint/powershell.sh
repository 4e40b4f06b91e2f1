#!/bin/sh
# Checks that the tree's PowerShell scripts can be parsed. No PowerShell is at hand, so a grammar of it says so: two packages of npm's, in
# the versions named here, kept beside the other caches. They are of WebAssembly: nothing is built, and no script of theirs is run.
set -eu
cd "$(dirname "$0")/../.."
packages='tree-sitter-powershell@0.26.4 web-tree-sitter@0.27.2'
cache=${XDG_CACHE_HOME:-$HOME/.cache}/skep/powershell-lint/$(echo "$packages" | tr ' @' '-_')
if [ ! -f "$cache/complete" ]; then
    if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
        echo "powershell.sh: node and npm are not installed: scripts were not checked"
        exit 0
    fi
    mkdir -p "$cache"
    # shellcheck disable=SC2086
    timeout 120 npm install --prefix "$cache" --ignore-scripts --no-audit --no-fund --loglevel=error $packages >/dev/null || {
        echo "powershell.sh: $packages cannot be had: scripts were not checked"
        exit 0
    }
    touch "$cache/complete"
fi
broken=$(mktemp)
trap 'rm -f "$broken"' EXIT
echo 'if (true { foo }' >"$broken"
if NODE_PATH=$cache/node_modules node tests/lint/powershell.cjs "$broken" >/dev/null; then
    echo "powershell.sh: what is no PowerShell was taken for it"
    exit 1
fi
git ls-files '*.ps1' | NODE_PATH=$cache/node_modules xargs -r node tests/lint/powershell.cjs
