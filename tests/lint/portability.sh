#!/bin/sh
# Keeps shared code portable and the tree free of one machine's traces:
#   - a source that is not for one operating system includes only C17, libuv and the portable libraries of docs/tour.md, and asks for no
#     platform; what needs more lives in *_linux.c, *_posix.c, *_windows.c or a folder of that name;
#   - no file names a path of one machine, or the host of a package registry.
set -eu
cd "$(dirname "$0")/../.."
failed=0

complain() { # WHAT FINDINGS
    [ -n "$2" ] || return 0
    printf '%s:\n%s\n' "$1" "$2"
    failed=1
}

of_one_system='(_(linux|posix|windows)\.[ch]|/(linux|posix|windows)/)'
shared=$(git ls-files base proto raft manager runtime agent api daemon cli | grep '\.[ch]$' | grep -vE "$of_one_system" || true)

# C17's own, and two that every libc of ours has beside it (glibc, musl, mingw-w64).
c17='getopt|strings|assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp|signal|stdalign|stdarg|stdatomic|stdbool|stddef|stdint|stdio|stdlib|stdnoreturn|string|tgmath|threads|time|uchar|wchar|wctype'
libraries='uv\.h|openssl/.*|nghttp2/nghttp2\.h|protobuf-c/.*|google/protobuf-c/.*|cjson/cJSON\.h|archive\.h|archive_entry\.h|curl/curl\.h|sqlite3\.h|utarray\.h|uthash\.h|utlist\.h|utstring\.h|http_parser\.h|llhttp\.h|zlib\.h'
if [ -n "$shared" ]; then
    # shellcheck disable=SC2086 # one word per file
    complain "headers that shared code does not include (move the use into *_linux.c or *_posix.c)" \
        "$(grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' $shared /dev/null | grep -vE "<(($c17)\.h|$libraries)>")"
    # shellcheck disable=SC2086
    complain "platform conditionals in shared code (let CMake choose a file)" \
        "$(grep -nE '^[[:space:]]*#[[:space:]]*(el)?if.*(_WIN32|__linux__|__APPLE__|__unix__)' $shared /dev/null)"
fi

complain "paths of one machine" "$(git grep -nE '(^|[^A-Za-z0-9_.$}])/wor[k]/(wt|main|shared)')"
registries='(registry\.npmjs|registry\.yarnpkg|pypi|files\.pythonhosted|rubygems|proxy\.golang|crates|deb\.debian|repo\.maven)\.(org|com|io)'
complain "package registry hosts" "$(git grep -nE "$registries")"
exit "$failed"
