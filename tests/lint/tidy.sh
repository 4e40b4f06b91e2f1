#!/bin/sh
# Runs clang-tidy over the rooms' sources, all cores at once: tidy.sh [BUILD_DIR] (default build/debug, already built: sources include
# what protoc-c writes). A source that passed is not read again until it, a header or the rules change.
set -eu
cd "$(dirname "$0")/../.."
build=${1:-build/debug}
[ -f "$build/compile_commands.json" ] || {
    echo "tidy.sh: $build has no compile_commands.json: run cmake --preset debug first" >&2
    exit 1
}
passed=$build/tidy
mkdir -p "$passed"

# What every source's verdict rests on beside its own text.
shared=$(git ls-files -z '*.h' '*.proto' .clang-tidy | xargs -0 cat | sha256sum | cut -c1-32)

tidy_one() {
    mark=$passed/$(printf '%s %s' "$shared" "$(sha256sum "$1")" | sha256sum | cut -c1-32)
    [ -e "$mark" ] && return 0
    # Its count of warnings in system headers is of no use to anyone; its findings go to standard output.
    clang-tidy -quiet -p "$build" "$1" 2>"$mark.err" && : >"$mark" && rm -f "$mark.err" && return 0
    grep -v 'warnings\? generated' "$mark.err" || true
    rm -f "$mark.err"
    echo "tidy.sh: $1 has findings"
    return 1
}

if [ "${2:-}" = --one ]; then
    tidy_one "$3"
    exit
fi
# Only what is compiled on this system: a file for another one has no entry.
git ls-files base proto raft manager runtime agent api daemon cli | grep '\.c$' | while read -r source; do
    grep -q "/$source\"" "$build/compile_commands.json" && echo "$source"
done | xargs -r -P "$(nproc)" -n 1 "$0" "$build" --one
