#!/bin/sh
# Takes away one rule of raft/mutant.h at a time and shows which seed notices, and by what. Fails when one is not noticed.
#     mutants.sh [PROGRAM [SEEDS]]
set -eu
program=${1:-build/release/tests/sim_raft_mutants}
seeds=${2:-500}
failed=0

printf '| mutant | noticed |\n| --- | --- |\n'
for mutant in $("$program" --help | sed -n 's/^  *\([A-Z_]*\): .*/\1/p'); do
    profile=mixed
    # Where the search begins: under the sanitizers every seed takes its time.
    case $mutant in
    ANY_AVAILABILITY) from=335 ;;
    LOWER_STATUS) from=60 ;;
    READ_EARLY) from=280 ;;
    NO_STOP_AFTER) from=1540 ;;
    *) from=1 ;;
    esac
    if [ "$mutant" = OVERLAP_CHANGES ] || [ "$mutant" = IGNORE_OUTGOING ]; then
        profile=members
    fi
    if ! line=$("$program" --mutant "$mutant" --profile "$profile" --seeds "$from-$((from + seeds - 1))" --jobs 2 --quiet --catch | head -1); then
        failed=1
    fi
    printf '| %s | %s (%s) |\n' "$mutant" "$line" "$profile"
    case $line in
    caught*) ;;
    *) failed=1 ;;
    esac
done
exit $failed
