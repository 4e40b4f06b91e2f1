#!/bin/sh
# Checks that man pages and completion name every option, verb and exit code that the built commands have: docs.sh [BUILD_DIR].
set -eu
cd "$(dirname "$0")/../.."
exec python3 tests/lint/docs.py "$@"
