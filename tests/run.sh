#!/bin/bash
# Installs what is missing, builds, and runs the rings of tests that belong in CI.
#
#   sudo ./tests/run.sh [--ring lint|unit|interop|e2e|fuzz|windows]… [--list] [NAME]…
#
# Without --ring every ring runs, in that order; what fuzz and windows need is built, with the lowest priority, while the scenarios wait, and
# the fuzz targets run then.
# NAME picks suites of the outer rings whose name contains it. They run the build with sanitizers (SKEP_BUILD names another, e.g.
# build/release) and need root: they make network namespaces and real daemons.
# The windows ring builds for Windows with mingw-w64 (its libraries once, see deploy/windows-deps.sh), runs unit tests and simulators in Wine,
# and then its suites, which need root and the Linux build as those of the other outer rings do.
# Fuzz targets replay their corpora, and run FUZZ_SECONDS each (2) under libFuzzer, built by clang. TIDY=1 adds clang-tidy (minutes).
# Ends with a line "N passed, N failed, N skipped"; exit code 0 only when nothing failed.
set -u
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
exec </dev/null

all_rings='lint unit interop e2e fuzz windows'
fuzz_seconds=${FUZZ_SECONDS:-2}
jobs=$(nproc)
rings=()
names=()
list=false
while [ $# -gt 0 ]; do
    case $1 in
    --ring)
        case " $all_rings " in
        *" ${2:-} "*) rings+=("$2") ;;
        *)
            echo "run.sh: no such ring: ${2:-} ($all_rings)" >&2
            exit 64
            ;;
        esac
        shift
        ;;
    --list) list=true ;;
    -h | --help)
        sed -n '2,13s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    -*)
        echo "run.sh: no such option: $1 (see --help)" >&2
        exit 64
        ;;
    *) names+=("$1") ;;
    esac
    shift
done
if [ ${#rings[@]} -eq 0 ]; then
    [ ${#names[@]} -eq 0 ] && read -ra rings <<<"$all_rings" || rings=(interop e2e)
fi

wants() {
    local ring
    for ring in "${rings[@]}"; do [ "$ring" = "$1" ] && return 0; done
    return 1
}

is_picked() { # SUITE
    local name
    [ ${#names[@]} -eq 0 ] && return 0
    for name in "${names[@]}"; do [[ $1 == *"$name"* ]] && return 0; done
    return 1
}

suites() { # RING
    local file
    for file in tests/"$1"/test_*.py; do
        [ -e "$file" ] && is_picked "$(basename "$file" .py)" && echo "$file"
    done
}

if $list; then
    for ring in "${rings[@]}"; do
        case $ring in
        lint) for check in tests/lint/*.sh; do echo "lint/$(basename "$check" .sh)"; done ;;
        unit) find tests/unit -name 'test_*.c' | sed 's|^tests/unit/|unit/|; s|/test_\([^/]*\)\.c$|/\1|' | sort ;;
        fuzz) find tests/fuzz -name 'fuzz_*.c' | sed 's|.*/fuzz_\(.*\)\.c$|fuzz/\1|' | sort ;;
        windows)
            echo windows/unit
            suites windows | sed 's|^tests/||; s|test_||; s|\.py$||'
            ;;
        *) suites "$ring" | sed 's|^tests/||; s|test_||; s|\.py$||' ;;
        esac
    done
    exit 0
fi

started=$SECONDS
passed=0
failed=0
skipped=0
failures=()
unsteady=()
ahead=none # the pid of what builds ahead
log_dir=build/log
mkdir -p "$log_dir"
rm -f "$log_dir"/fuzz.*
# What runs is told to end, and cleans up after itself.
# shellcheck disable=SC2317 # called by the trap
interrupted() {
    local job children=()
    [ "$ahead" = none ] || kill -- "-$ahead" 2>/dev/null
    for job in $(jobs -p); do mapfile -t -O "${#children[@]}" children < <(pgrep -P "$job"); done
    # shellcheck disable=SC2046 # one word per job
    kill $(jobs -p) 2>/dev/null # first, or they would try again
    [ ${#children[@]} -eq 0 ] || kill "${children[@]}" 2>/dev/null
    for job in "${children[@]}"; do while kill -0 "$job" 2>/dev/null; do sleep 0.2; done; done
    end_wine
    echo "run.sh: interrupted" >&2
    exit 130
}
trap interrupted INT TERM
trap end_wine EXIT

report() { # STATUS NAME SECONDS NOTE
    printf '%-5s %-36s %5s s   %s\n' "$1" "$2" "$3" "$4"
    [ "$1" = FAIL ] && failures+=("$2")
    return 0
}

# One step whose output is only of interest when it fails.
step() { # NAME COMMAND…
    local name=$1 log
    shift
    log=$log_dir/$(tr '/ ' '--' <<<"$name").log
    local begun=$SECONDS
    if "$@" >"$log" 2>&1; then
        passed=$((passed + 1))
        report ok "$name" $((SECONDS - begun)) ''
    else
        tail -n "${STEP_TAIL:-200}" "$log"
        failed=$((failed + 1))
        report FAIL "$name" $((SECONDS - begun)) "$log"
        return 1
    fi
}

# Runs a suite, which ends with a line "N passed, N failed, N skipped" of its own, and leaves what came of it in RESULT for take_result.
suite() { # NAME RESULT COMMAND…
    local name=$1 result=$2 log counts note='' again='' begun=$SECONDS
    shift 2
    log=$log_dir/$(tr '/ ' '--' <<<"$name").log
    "$@" >"$log" 2>&1
    local code=$?
    if [ "$code" -ne 0 ]; then
        # Real daemons on a busy machine: what fails once and then passes is reported as such, with its log kept.
        mv "$log" "$log.first"
        note=" (second try; the first: $log.first)"
        again=$(grep -hE '^(FAIL|ERROR):? ' "$log.first" | sed 's/^[A-Z:]* *[^ ]*\.//; s/  .*//' | sort -u | tr '\n' ' ')
        "$@" >"$log" 2>&1
        code=$?
    fi
    counts=$(grep -E '^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$' "$log" | tail -n 1)
    if [ -z "$counts" ]; then
        counts="0 passed, 1 failed, 0 skipped"
        code=1
    fi
    printf '%s\n' "$code" "$name" "$counts" "$note" "$again" "$((SECONDS - begun))" "$log" >"${result%/*}/.${result##*/}"
    mv "${result%/*}/.${result##*/}" "$result" # whole, or not there
}

take_result() { # RESULT
    local code name counts note again seconds log status=ok p f s
    { read -r code && read -r name && read -r counts && read -r note && read -r again && read -r seconds && read -r log; } <"$1"
    read -r p _ f _ s _ <<<"$counts"
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    [ -z "$note" ] || unsteady+=("$name: $again")
    if [ "$code" -ne 0 ]; then
        status=FAIL
        [ "$f" -gt 0 ] || failed=$((failed + 1))
        tail -n "${STEP_TAIL:-200}" "$log"
    fi
    report "$status" "$name" "$seconds" "$counts ${note% }"
    [ -z "$note" ] || sed -n 's/^\([A-Za-z.]*\(Error\|Expired\): .\{,400\}\).*/      the first: \1/p' "$log.first" | sort -u | head -n 8
    grep '^skip: ' "$log" | sort -u | sed 's/^/      /'
}

# shellcheck disable=SC2317 # called through step
build() { # PRESET
    cmake --preset "$1" && cmake --build --preset "$1" -j "$jobs"
}

# What the later rings build is built while the scenarios wait, and the fuzz targets have their seconds; the ring itself finds it done, or tells
# what is wrong with it.
build_ahead() {
    set -m # a group of its own, to be ended as one
    {
        renice -n 19 -p "$BASHPID"
        wants windows && [ "$(id -u)" -eq 0 ] && deploy/install-deps.sh build windows && deploy/windows-deps.sh && build windows-release
        wants fuzz && build fuzz && fuzz_all
    } >"$log_dir/ahead.log" 2>&1 &
    ahead=$!
    set +m
}

run_ctest() { # LABEL [PRESET]
    local begun=$SECONDS preset=${2:-debug} total bad again
    local name="ctest $1${2:+ $2}"
    local log="$log_dir/${name// /-}.log"
    ctest --test-dir "build/$preset" -L "^$1\$" -j "$jobs" --output-on-failure --repeat until-pass:2 >"$log" 2>&1
    local code=$?
    # As the suites: what fails once and then passes is told at the end.
    again=$(sed -n 's/.*Test *#[0-9]*: \([^ ]*\) .*\*\*\*.*/\1/p' "$log" | sort -u | tr '\n' ' ')
    [ -z "$again" ] || unsteady+=("$name: $again")
    total=$(sed -n 's/.*tests failed out of \([0-9]*\).*/\1/p' "$log")
    bad=$(sed -n 's/.* \([0-9]*\) tests failed out of.*/\1/p' "$log")
    total=${total:-0} bad=${bad:-0}
    [ "$code" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1 total=$((total > 0 ? total : 1))
    passed=$((passed + total - bad)) failed=$((failed + bad))
    if [ "$bad" -gt 0 ]; then
        tail -n 300 "$log"
        grep -E '^\[  (ERROR|FAILED) |^ERROR: |runtime error: |SUMMARY: |\*\*\*(Failed|Timeout|Exception)' "$log" | cut -c 1-300 | head -n 60
        report FAIL "$name" $((SECONDS - begun)) "$((total - bad)) passed, $bad failed"
    else
        report ok "$name" $((SECONDS - begun)) "$total passed"
    fi
}

# A prefix of its own, new: one that exists already may say anything, and making one takes seconds.
wine_prefix=
# shellcheck disable=SC2317 # called through step
begin_wine() {
    wine_prefix=$(mktemp -d)
    export WINEPREFIX=$wine_prefix WINEDEBUG=-all WINEDLLOVERRIDES='mscoree,mshtml='
    unset DISPLAY
    # It stays: services that came with one test and outlived it would hold that test's output open, and ctest would wait for them.
    wineserver -p && wine wineboot -i && wine winecfg -v win10
}

end_wine() {
    [ -n "$wine_prefix" ] || return 0
    wineserver -k
    timeout 30 wineserver -w
    rm -rf "$wine_prefix"
    wine_prefix=
    unset WINEPREFIX
}

# What only one system can is skipped by name and reason by the tests themselves; which tests there are: tests/windows/selection.cmake.
windows_ring() {
    step "install dependencies for Windows" deploy/install-deps.sh build windows || return
    windows_libraries || return
    step "build windows-release" build windows-release || return
    [ ${#names[@]} -gt 0 ] || windows_units
    outer_ring windows
}

# Mirrors that do not carry sources, or not these, say nothing of our code.
windows_libraries() {
    local log=$log_dir/libraries-for-windows.log begun=$SECONDS code=0
    deploy/windows-deps.sh >"$log" 2>&1 || code=$?
    [ "$code" -eq 0 ] || tail -n "${STEP_TAIL:-200}" "$log"
    case $code in
    0)
        passed=$((passed + 1))
        report ok "libraries for Windows" $((SECONDS - begun)) ''
        ;;
    69)
        skipped=$((skipped + 1))
        echo "skip: the windows ring: the libraries' sources cannot be had here (deploy/windows-deps.sh, exit code 69)"
        ;;
    *)
        failed=$((failed + 1))
        report FAIL "libraries for Windows" $((SECONDS - begun)) "$log"
        ;;
    esac
    return "$code"
}

windows_units() {
    local skips
    step "a prefix for Wine" begin_wine && run_ctest unit windows-release
    end_wine
    skips=$(cat "$log_dir/build-windows-release.log" build/windows-release/Testing/Temporary/LastTest.log 2>/dev/null |
        sed -n 's/\r$//; s/^\(-- \)\{0,1\}skip: /      skip: /p' | sort -u)
    [ -z "$skips" ] || printf '%s\n' "$skips"
    skipped=$((skipped + $(grep -c . <<<"$skips")))
}

fuzz_all() {
    [ "$fuzz_seconds" -gt 0 ] || return 0
    FUZZ_SEED=1 tests/fuzz/run.sh "$fuzz_seconds" >"$log_dir/fuzz.log" 2>&1
    echo $? >"$log_dir/fuzz.code"
}

fuzz_briefly() {
    local log=$log_dir/fuzz.log begun=$SECONDS code ok bad
    [ -e "$log_dir/fuzz.code" ] || fuzz_all
    code=$(cat "$log_dir/fuzz.code")
    ok=$(grep -c '^ok ' "$log")
    bad=$(grep -c '^FAIL ' "$log")
    [ "$code" -eq 0 ] || [ "$bad" -gt 0 ] || bad=1
    passed=$((passed + ok)) failed=$((failed + bad))
    if [ "$bad" -gt 0 ]; then
        cat "$log"
        report FAIL "fuzz, $fuzz_seconds s each" $((SECONDS - begun)) "$ok passed, $bad failed"
    else
        report ok "fuzz, $fuzz_seconds s each" $((SECONDS - begun)) "$ok passed"
    fi
}

outer_ring() { # RING
    local file
    if [ "$(id -u)" -ne 0 ]; then
        echo "run.sh: the $1 ring needs root (network namespaces, dockerd): use sudo, or --ring lint --ring unit --ring fuzz" >&2
        failed=$((failed + 1))
        report FAIL "$1" 0 'not root'
        return
    fi
    local results alone=()
    results=$(mktemp -d)
    while read -r file; do
        if grep -q '^# alone' "$file"; then alone+=("$file"); else start_suite "$1" "$file" "$results"; fi
    done < <(suites "$1")
    take_results "$results" 0
    for file in "${alone[@]}"; do
        start_suite "$1" "$file" "$results"
        take_results "$results" 0
    done
    rmdir "$results"
}

# Scenarios mostly wait: SKEP_JOBS of them (2) run at once. One that measures says so with a line "# alone".
start_suite() { # RING FILE RESULTS
    local name
    name=$1/$(basename "$2" .py)
    take_results "$3" $((${SKEP_JOBS:-2} - 1))
    name=${name/test_/}
    suite "$name" "$3/$(basename "$2")" timeout --kill-after=30 900 python3 tests/lib/suite.py "$2" &
}

take_results() { # RESULTS HOW_MANY_MAY_RUN_ON
    local result
    while :; do
        for result in "$1"/*; do
            [ -e "$result" ] || continue
            take_result "$result"
            rm "$result"
        done
        [ "$(jobs -pr | grep -cvx "$ahead")" -gt "$2" ] || break
        wait -n
    done
    # One may have ended between the look and the count.
    for result in "$1"/*; do
        [ -e "$result" ] || continue
        take_result "$result"
        rm "$result"
    done
}

finish() {
    echo
    if [ ${#failures[@]} -gt 0 ]; then
        echo "failed:"
        printf '  %s\n' "${failures[@]}"
    fi
    if [ ${#unsteady[@]} -gt 0 ]; then
        echo "failed once and then passed, or not:"
        printf '  %s\n' "${unsteady[@]}"
    fi
    echo "time: $((SECONDS - started)) s"
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
    exit
}

if [ "${rings[*]}" != windows ] || [ "$(id -u)" -eq 0 ]; then
    step "install dependencies" deploy/install-deps.sh run build test || finish
    step "build debug (ASan, UBSan)" build debug || finish
    step "build release" build release
fi
if wants lint; then
    for check in tests/lint/*.sh; do [ "$check" = tests/lint/tidy.sh ] && [ -z "${TIDY:-}" ] && continue; step "lint/$(basename "$check" .sh)" "$check"; done
fi
if wants unit; then run_ctest unit; fi
if wants interop || wants e2e; then build_ahead; fi
if wants interop; then outer_ring interop; fi
if wants e2e; then outer_ring e2e; fi
[ "$ahead" = none ] || wait "$ahead"
ahead=none
if wants fuzz; then
    run_ctest fuzz
    if [ "$fuzz_seconds" -gt 0 ]; then fuzz_briefly; fi
fi
if wants windows; then windows_ring; fi
finish
