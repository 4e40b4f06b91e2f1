#!/bin/sh
# Installs the Debian 12 packages that Skep needs. Idempotent: asks apt only for what is missing.
#
#   install-deps.sh [run|build|demo|test|bench|windows]…     default: run build
#
# run   what skepd calls: crun, conmon, nft, …      build  compilers and -dev packages
# demo  what deploy/quickstart.sh makes an image of test   real peers and checkers
# bench peers that only benchmarks measure themselves with
# windows (with build) what cross-builds for Windows and runs the result: mingw-w64, Wine
set -eu

run='ca-certificates conmon crun iproute2 nftables libarchive13 libcjson1 libcurl4 libnghttp2-14 libprotobuf-c1 libsqlite3-0 libssl3 libuv1 tini'
build='ccache cmake gcc libarchive-dev libcjson-dev libcmocka-dev libcurl4-openssl-dev libhttp-parser-dev libnghttp2-dev libprotobuf-c-dev
libprotobuf-dev libseccomp-dev libsqlite3-dev libssl-dev libuv1-dev make ninja-build pkg-config protobuf-c-compiler protobuf-compiler uthash-dev'
demo='busybox-static'
test='apache2-utils busybox-static clang clang-format clang-tidy curl docker.io docker-registry git golang-cfssl iptables jq libclang-rt-14-dev nghttp2
nghttp2-server nodejs npm openssl procps prometheus python3 shellcheck skopeo strace valgrind zstd'
bench='etcd-server openssl python3'
windows='dpkg-dev g++-mingw-w64-x86-64-posix gcc-mingw-w64-x86-64-posix libz-mingw-w64-dev mingw-w64-tools tcl wine wine64'

usage() {
    sed -n '2,10s/^# \{0,1\}//p' "$0"
    exit "$1"
}

[ $# -gt 0 ] || set -- run build
wanted=
for group; do
    case $group in
    run) wanted="$wanted $run" ;;
    build) wanted="$wanted $build" ;;
    demo) wanted="$wanted $demo" ;;
    test) wanted="$wanted $test" ;;
    bench) wanted="$wanted $bench" ;;
    windows) wanted="$wanted $windows" ;;
    -h | --help) usage 0 ;;
    *)
        echo "install-deps.sh: no such group: $group (run, build, demo, test, bench, windows)" >&2
        usage 64 >&2
        ;;
    esac
done

missing=
for package in $wanted; do
    # node and npm may come from elsewhere than Debian; any that answer will do.
    case $package in nodejs) command -v node >/dev/null && continue ;; npm) command -v npm >/dev/null && continue ;; esac
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "install-deps.sh: these packages are missing and only root can install them:$missing" >&2
    exit 77
fi
echo "install-deps.sh: installing:$missing"
# Services that come with a package (docker.io, docker-registry) must not start here: the tests run their own.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT INT TERM
fi
export DEBIAN_FRONTEND=noninteractive
tries=0
# shellcheck disable=SC2086 # the list is meant to be split
until apt-get install -y -qq --no-install-recommends $missing >/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -lt 3 ] || exit 1
    apt-get update -qq || true
done
