#!/bin/sh
# Says which C files clang-format would lay out otherwise. `format.sh --fix` lays them out.
set -eu
cd "$(dirname "$0")/../.."

if [ "${1:-}" = --fix ]; then
    git ls-files -z '*.c' '*.h' | xargs -0 -r clang-format -i
else
    git ls-files -z '*.c' '*.h' | xargs -0 -r clang-format --dry-run --Werror
fi
