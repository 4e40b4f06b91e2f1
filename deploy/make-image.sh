#!/bin/sh
# Makes a small image from this machine's static busybox, as an archive that `docker load` and `skep load` take. Needs no docker.
#
#   make-image.sh NAME OUT.tar [COMMAND [ARG]…]      default command: sh
#
# For example: make-image.sh skep/hello:1 hello.tar sh -c 'while :; do echo hello from $(hostname); sleep 1; done'
set -eu

case ${1-} in
-h | --help)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
esac
[ $# -ge 2 ] || {
    sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
    exit 64
}
name=$1 out=$2
shift 2
[ $# -gt 0 ] || set -- sh
case $name in
'' | *[!a-zA-Z0-9._:/@-]*)
    echo "make-image.sh: not an image name: $name" >&2
    exit 64
    ;;
esac

busybox=${BUSYBOX:-/bin/busybox}
if ! [ -x "$busybox" ] || LC_ALL=C grep -aq /lib64/ld-linux "$busybox"; then
    echo "make-image.sh: $busybox is missing or not static: install busybox-static, or set BUSYBOX" >&2
    exit 69
fi
case $(uname -m) in
x86_64) architecture=amd64 ;;
aarch64) architecture=arm64 ;;
armv7l) architecture=arm ;;
*) architecture=$(uname -m) ;;
esac

# One JSON string.
quote() {
    printf '"'
    printf '%s' "$1" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/	/\\t/g' -e ':a' -e 'N' -e '$!ba' -e 's/\n/\\n/g'
    printf '"'
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
umask 022

# The root: busybox with a link per command, and the files and directories that programs expect.
root=$work/root
mkdir -p "$root/bin" "$root/dev" "$root/etc" "$root/home" "$root/proc" "$root/root" "$root/sys" "$root/tmp" "$root/usr/bin" "$root/var/tmp"
chmod 1777 "$root/tmp" "$root/var/tmp"
cp "$busybox" "$root/bin/busybox"
chmod 755 "$root/bin/busybox"
for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
done
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"

pack() { tar --sort=name --mtime=@1704164645 --owner=0 --group=0 --numeric-owner -cf "$@"; }

save=$work/save
mkdir "$save"
pack "$work/layer.tar" -C "$root" .
layer=$(sha256sum <"$work/layer.tar" | cut -d' ' -f1)
mkdir "$save/$layer"
mv "$work/layer.tar" "$save/$layer/layer.tar"

command=
for argument; do
    command=$command${command:+,}$(quote "$argument")
done
printf '{"architecture":"%s","os":"linux","created":"2024-01-02T03:04:05Z","config":{"Env":["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],"Cmd":[%s]},"rootfs":{"type":"layers","diff_ids":["sha256:%s"]},"history":[{"created":"2024-01-02T03:04:05Z","created_by":"deploy/make-image.sh"}]}' \
    "$architecture" "$command" "$layer" >"$work/config.json"
config=$(sha256sum <"$work/config.json" | cut -d' ' -f1)
mv "$work/config.json" "$save/$config.json"
printf '[{"Config":"%s.json","RepoTags":[%s],"Layers":["%s/layer.tar"]}]' "$config" "$(quote "$name")" "$layer" >"$save/manifest.json"

case $out in /*) ;; *) out=$PWD/$out ;; esac
(cd "$save" && pack "$out" "$config.json" "$layer" manifest.json)
echo "make-image.sh: $name (sha256:$(printf %.12s "$config")) is in $out"
