#!/bin/sh
# Runs every fuzz target under libFuzzer with ASan and UBSan: run.sh [SECONDS] [NAME]…
#
# SECONDS per target, 60 by default; NAME is a target without its "fuzz_". As many at once as there are cores. What libFuzzer learns stays in
# build/fuzz/corpus/NAME, an input that breaks a target in build/fuzz/broken/NAME-…; replay one with build/fuzz/tests/fuzz_NAME FILE.
set -eu
cd "$(dirname "$0")/../.."

run_one() { # NAME SECONDS
    learned=build/fuzz/corpus/$1
    log=build/fuzz/$1.log
    mkdir -p "$learned" build/fuzz/broken
    if "build/fuzz/tests/fuzz_$1" -max_total_time="$2" ${FUZZ_SEED:+-seed="$FUZZ_SEED"} -timeout=10 -rss_limit_mb=2048 -close_fd_mask=1 -print_final_stats=1 \
        -artifact_prefix="build/fuzz/broken/$1-" "$learned" "tests/fuzz/corpus/$1" >"$log" 2>&1; then
        printf 'ok    %-28s %s runs\n' "$1" "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")"
    else
        tail -n 60 "$log"
        printf 'FAIL  %-28s see %s\n' "$1" "$log"
        return 1
    fi
}

case ${1:-} in
-h | --help)
    sed -n '2,5s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
--one)
    run_one "$3" "$2"
    exit
    ;;
esac

seconds=${1:-60}
[ $# -eq 0 ] || shift
case $seconds in '' | *[!0-9]*)
    echo "run.sh: SECONDS is a whole number, not \"$seconds\"" >&2
    exit 64
    ;;
esac
mkdir -p build
if ! { cmake --preset fuzz && cmake --build --preset fuzz; } >build/fuzz-build.log 2>&1; then
    tail -n 40 build/fuzz-build.log
    echo "run.sh: the fuzz targets do not build" >&2
    exit 1
fi

if [ $# -gt 0 ]; then
    printf '%s\n' "$@"
else
    for source in tests/fuzz/fuzz_*.c; do
        [ -e "$source" ] && basename "$source" .c | sed 's/^fuzz_//'
    done
fi | xargs -r -P "$(nproc)" -n 1 "$0" --one "$seconds"
