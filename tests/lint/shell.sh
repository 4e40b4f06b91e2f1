#!/bin/sh
# Runs shellcheck over every shell script of the tree, where shellcheck is installed.
set -eu
cd "$(dirname "$0")/../.."
command -v shellcheck >/dev/null || {
    echo "shell.sh: shellcheck is not installed: scripts were not checked"
    exit 0
}
git ls-files | while read -r file; do
    [ -f "$file" ] && head -n 1 "$file" | grep -qE '^#!.*\b(sh|bash)$' && printf '%s\n' "$file"
done | xargs -r shellcheck
