#!/bin/bash
# Builds, once, the libraries that Skep for Windows links: from Debian's source packages, with mingw-w64, into a cache outside the tree.
#
#   windows-deps.sh [--path] [--rebuild] [--jobs N]
#
# Prints the cache's path. With a cache that fits it does nothing else; --path only looks, and fails when there is none. Needs the packages of
# `install-deps.sh build windows`, and the network for the sources, which an apt configuration of its own finds: the system's stays as it is.
# The cache is ${XDG_CACHE_HOME:-~/.cache}/skep/windeps/HASH, of the recipes (deploy/windows/libraries.sh) and the compiler. SKEP_WINDEPS names
# another place; what is there is taken as it is. VERSIONS in it tells what was built, log/ how.
# shellcheck disable=SC2154 # what windows/libraries.sh gives
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C.UTF-8
unset CFLAGS CPPFLAGS LDFLAGS CC MAKEFLAGS PKG_CONFIG_PATH

# shellcheck source=/dev/null
. ./windows/libraries.sh

only_look=false rebuild=false jobs=$((($(nproc) + 1) / 2))
while [ $# -gt 0 ]; do
    case $1 in
    --path) only_look=true ;;
    --rebuild) rebuild=true ;;
    --jobs)
        jobs=${2:-}
        shift
        ;;
    -h | --help)
        sed -n '2,9s/^# \{0,1\}//p' "$(basename "$0")"
        exit 0
        ;;
    *)
        echo "windows-deps.sh: no such option: $1 (see --help)" >&2
        exit 64
        ;;
    esac
    shift
done

say() { printf 'windows-deps.sh: %s\n' "$*" >&2; }
die() { # CODE TEXT…
    say "${@:2}"
    exit "$1"
}

[[ $jobs =~ ^[1-9][0-9]*$ ]] || die 64 "--jobs takes a number from 1"
if [ -n "${SKEP_WINDEPS:-}" ]; then
    [ -e "$SKEP_WINDEPS/complete" ] || die 66 "SKEP_WINDEPS is $SKEP_WINDEPS, which this script did not finish"
    echo "$SKEP_WINDEPS"
    exit 0
fi

require() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null || die 69 "$1 is missing (package $2): deploy/install-deps.sh build windows"
}
require "$cross_cc" gcc-mingw-w64-x86-64-posix

hash=$({ cat windows/libraries.sh && "$cross_cc" -dumpfullversion -dumpmachine; } | sha256sum | cut -c 1-16)
caches=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/skep/windeps
cache=$caches/$hash
if [ -e "$cache/complete" ] && ! $rebuild; then
    echo "$cache"
    exit 0
fi
! $only_look || die 66 "the libraries for Windows are not built yet: deploy/windows-deps.sh"

require "$host-g++-posix" g++-mingw-w64-x86-64-posix
require cmake cmake
require ninja ninja-build
require make make
require tclsh tcl
require dpkg-source dpkg-dev
[ -e "/usr/$host/lib/libz.a" ] || die 69 "libz.a for Windows is missing (package libz-mingw-w64-dev): deploy/install-deps.sh build windows"

[ -e /usr/include/uthash.h ] || die 69 "uthash.h is missing (package uthash-dev): deploy/install-deps.sh build windows"

# Two that build at once: the second waits, and finds it done.
mkdir -p "$caches"
exec 9>"$caches/lock"
if ! flock --nonblock 9; then
    say "another one is building; waiting for it"
    flock 9
    if [ -e "$cache/complete" ] && ! $rebuild; then
        echo "$cache"
        exit 0
    fi
fi

# It is built where it will not stay, which nothing in it names. The place is always the same, for ccache, which is used where there is one.
work=$caches/building
rm -rf "$work"
prefix=$work/prefix
chain_pids=()
# shellcheck disable=SC2317 # called by the trap
leave() {
    local status=$? pid
    trap - EXIT
    for pid in "${chain_pids[@]}"; do kill -- "-$pid" 2>/dev/null || true; done # with their compilers: each is a group
    wait
    rm -rf "$work"
    exit "$status"
}
trap leave EXIT
trap 'exit 130' INT TERM
mkdir -p "$prefix"/{lib/pkgconfig,include,log} "$work"/{src,apt/lists/partial,apt/cache/archives/partial}
if command -v ccache >/dev/null; then
    mkdir "$work/compilers"
    ln -s "$(command -v ccache)" "$work/compilers/$cross_cc"
    PATH=$work/compilers:$PATH
fi

# The sources' lists come from whichever mirrors the system uses; the release itself comes before its updates, since apt asks the first that
# has a version, and mirrors of updates forget old ones.
private_apt() {
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    apt-get indextargets --format "deb-src [signed-by=$keyring] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' 'Origin: Debian' |
        grep ' main$' | sort -u -k 4 >"$work/apt/sources.list" || true
    if [ ! -s "$work/apt/sources.list" ]; then # nothing was ever fetched here: the origin is not known before
        apt-get indextargets --format "deb-src [signed-by=$keyring] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" 'Created-By: Packages' |
            grep '/debian.* main$' | sort -u -k 4 >"$work/apt/sources.list" || true
    fi
    [ -s "$work/apt/sources.list" ] || die 69 "apt knows no Debian mirror: see sources.list(5)"
    cat >"$work/apt/apt.conf" <<END
Dir::Etc::sourcelist "$work/apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "$work/apt/lists";
Dir::Cache "$work/apt/cache";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "3";
END
    export APT_CONFIG=$work/apt/apt.conf
    say "fetching the lists of source packages"
    local try
    for try in 1 2 3; do
        apt-get update -qq >"$prefix/log/apt-update" 2>&1 && return
        sleep $((try * 2))
    done
    cat "$prefix/log/apt-update" >&2
    die 69 "the lists of source packages could not be fetched"
}

# A mirror may know of a version that it does not have (or not yet): the next older one of the same upstream version will do.
fetch() { # NAME PACKAGE UPSTREAM
    local version versions
    versions=$(apt-cache showsrc --only-source "$2" 2>/dev/null | sed -n 's/^Version: //p' | sort -urV | awk -v want="$3" 'index($0, want) == 1')
    [ -n "$versions" ] || die 69 "$1: no source package $2 of version ${3}x here; Debian 12 has one"
    for version in $versions; do
        rm -rf "${work:?}/src/$1"
        mkdir "$work/src/$1"
        if (cd "$work/src/$1" && apt-get source -qq --only-source "$2=$version") >"$prefix/log/$1.fetch" 2>&1; then
            printf '%s %s %s\n' "$1" "$2" "$version" >>"$prefix/VERSIONS"
            return
        fi
        say "$1: $2 $version cannot be had (see below); trying an older one"
        tail -n 2 "$prefix/log/$1.fetch" >&2
    done
    cat "$prefix/log/$1.fetch" >&2
    die 69 "$1: none of these versions of $2 could be fetched:" "${versions//$'\n'/ }"
}

check_version() { # NAME HEADER PATTERN
    grep -qE "${3// /[[:space:]]+}" "$prefix/include/$2" || die 70 "$1: what was built is not the version asked for: $2 does not say $3"
}

build_one() { # NAME
    local begun=$SECONDS
    (
        set -e
        cd "$work/src/$1"/*/
        "build_$1"
    ) >"$prefix/log/$1" 2>&1 </dev/null || {
        tail -n 40 "$prefix/log/$1" >&2
        die 70 "$1 could not be built"
    }
    say "built $1 in $((SECONDS - begun)) s"
}

private_apt
while read -r name package upstream _; do
    [ -z "$name" ] || fetch "$name" "$package" "$upstream"
done <<<"$libraries"
say "fetched: $(awk '{printf "%s %s, ", $2, $3}' "$prefix/VERSIONS" | sed 's/, $//')"

cp "/usr/$host/lib/libz.a" "$prefix/lib/"
cp "/usr/$host/include"/{zlib,zconf}.h "$prefix/include/"
cp /usr/include/{utarray,uthash,utlist,utstring}.h "$prefix/include/" # nothing but headers
dpkg-query -W -f '${Package} ${source:Package} ${Version}\n' libz-mingw-w64-dev uthash-dev >>"$prefix/VERSIONS"
printf 'compiler %s %s\n' "$cross_cc" "$("$cross_cc" -dumpfullversion)" >>"$prefix/VERSIONS"

set -m
while read -r -a chain; do
    [ ${#chain[@]} -gt 0 ] || continue
    (
        trap - EXIT
        for name in "${chain[@]}"; do build_one "$name"; done
    ) &
    chain_pids+=($!)
done <<<"$chains"
set +m
for pid in "${chain_pids[@]}"; do wait "$pid" || exit; done

while read -r name _ _ header pattern; do
    [ -z "$name" ] || check_version "$name" "$header" "$pattern"
done <<<"$libraries"

rm -rf "${prefix:?}"/{bin,share,lib/cmake} "$prefix"/lib/*.la "$prefix"/lib/pkgconfig/*
while IFS='|' read -r name compile link; do
    [ -n "$name" ] || continue
    # shellcheck disable=SC2016 # pkg-config's own variables
    printf 'prefix=${pcfiledir}/../..\nName: %s\nDescription: built by deploy/windows-deps.sh\nVersion: %s\nCflags: -I${prefix}/include %s\nLibs: -L${prefix}/lib %s\n' \
        "$name" "$(awk -v n="${name#lib}" '$1 ~ n || $2 ~ n {sub(/[-+].*/, "", $3); print $3; exit}' "$prefix/VERSIONS")" "$compile" "$link" \
        >"$prefix/lib/pkgconfig/$name.pc"
done <<<"$pkgconfig"

touch "$prefix/complete"
rm -rf "$cache"
mv "$prefix" "$cache"
say "built in $SECONDS s"
echo "$cache"
