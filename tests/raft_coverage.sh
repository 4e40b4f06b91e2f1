#!/bin/sh
# Prints the line coverage of raft/core by its unit tests and scenarios: raft_coverage.sh [UNCOVERED]. With an argument the lines that
# nothing ran are listed too. Builds in build/coverage; needs gcc and its gcov.
set -eu
cd "$(dirname "$0")/.."
build=build/coverage

cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=gcc \
    -DCMAKE_C_FLAGS="--coverage -O0 -DNDEBUG" >/dev/null # an assertion's other branch is not for a test to reach
ninja -C "$build" -t targets all | sed -n 's/^\(unit_raft_[a-z_]*\|raft_scenarios\): .*/\1/p' | sort -u |
    xargs nice cmake --build "$build" -j2 --target >/dev/null
find "$build" -name '*.gcda' -delete
ctest --test-dir "$build" -R '^(unit/raft/|scenario/raft)' --output-on-failure >"$build/ctest.log" 2>&1 || {
    cat "$build/ctest.log"
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$PWD
for notes in "$root/$build"/raft/CMakeFiles/skep_raft.dir/core/*.gcno; do
    (cd "$work" && gcov -r -s "$root" -o "${notes%/*}" "$notes" >/dev/null)
done
for listing in "$work"/*.c.gcov; do
    name=$(sed -n 's/^ *-: *0:Source://p' "$listing")
    case $name in raft/core/*) ;; *) continue ;; esac
    awk -v name="$name" '
        $1 ~ /^[0-9]+\*?:$/ { ran++ }
        $1 ~ /^#####:$/ { missed++ }
        END { if (ran + missed > 0) printf "%-28s %5d of %5d lines %6.1f %%\n", name, ran, ran + missed, 100 * ran / (ran + missed) }' "$listing"
    if [ $# -gt 0 ]; then
        grep -E '^ *#####:' "$listing" || true
    fi
done | tee "$work/table"
awk '/ lines / { ran += $2; all += $4 } END { printf "%-28s %5d of %5d lines %6.1f %%\n", "raft/core", ran, all, 100 * ran / all }' "$work/table"
