#!/bin/sh
# Runs Raft's unit tests under Valgrind: what the sanitizers do not see (memory read before it was written, in optimised code too).
#
#   valgrind.sh [BUILD_DIR [NAME]…]     default: build/release, all of unit_raft_…; NAME as in raft_log_log
#
# The build has no sanitizers. Prints one line for each program, and the whole of what Valgrind says of one that is not clean.
set -eu
cd "$(dirname "$0")/.."
build=${1:-build/release}
[ $# -eq 0 ] || shift
command -v valgrind >/dev/null || {
    echo "valgrind.sh: valgrind is not installed: deploy/install-deps.sh test" >&2
    exit 69
}
[ -d "$build/tests" ] || {
    echo "valgrind.sh: nothing is built in $build: cmake --preset release && cmake --build --preset release" >&2
    exit 66
}

[ $# -gt 0 ] || set -- "$build"/tests/unit_raft_*
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
for program; do
    name=$(basename "$program")
    name=${name#unit_}
    # Tests that wait for something are given longer, for everything takes thirty times as long.
    if SKEP_TEST_PATIENCE=20 timeout 1800 valgrind --quiet --error-exitcode=99 --leak-check=full --show-leak-kinds=definite,indirect,possible \
        --errors-for-leak-kinds=definite,indirect,possible --log-file="$work/said" "$build/tests/unit_$name" >"$work/out" 2>&1; then
        echo "clean   $name"
    else
        code=$?
        failed=1
        echo "FAILED  $name (exit code $code)"
        cat "$work/said"
        grep -v '^\[ *\(RUN\|OK\)' "$work/out" | tail -n 40
    fi
done
exit $failed
