#!/bin/bash
# Shows Skep at work on this machine, start to finish, and leaves nothing behind:
#
#   sudo ./deploy/quickstart.sh [--keep]      install what is missing, build, start a skepd, begin a swarm of one node with it, run a service
#                                             of three replicas, show it, its health and metrics, take it all away
#   sudo ./deploy/quickstart.sh --remove DIR  take away what --keep has left
#
# The node lives in a network namespace of its own and speaks over its loopback; its data is in one temporary directory.
set -u
cd "$(dirname "$0")/.." || exit 1

node=skep-node
service=bees
image=skep/bees:1
metrics=127.0.0.1:9323
keep=false
remove=

usage() { sed -n '2,8s/^# \{0,1\}//p' deploy/quickstart.sh; }

while [ $# -gt 0 ]; do
    case $1 in
    --keep) keep=true ;;
    --remove)
        remove=${2:-}
        [ -e "$remove/quickstart" ] || {
            echo "quickstart.sh: --remove needs the directory that --keep has named" >&2
            exit 64
        }
        shift
        ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "quickstart.sh: no such option: $1 (see --help)" >&2
        exit 64
        ;;
    esac
    shift
done
if [ "$(id -u)" -ne 0 ]; then
    echo "quickstart.sh: it installs packages and makes containers: run it as root (sudo $0)" >&2
    exit 77
fi

begun=$SECONDS
say() { printf '\n==> %s\n' "$*"; }
show() {
    printf '$ %s\n' "$*"
    "$@"
}
give_up() { # WHAT [LOG]
    echo "quickstart.sh: $1" >&2
    if [ -n "${2:-}" ]; then
        echo "the last lines of $2:" >&2
        tail -n 25 "$2" >&2
    fi
    exit 1
}
wait_for() { # SECONDS COMMAND…
    local tries=$(($1 * 5))
    shift
    until "$@" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || return 1
        sleep 0.2
    done
}

# What belongs to the run in directory DIR carries its last name: namespace, cgroups.
names_of() {
    dir=$1
    name=$(basename "$dir")
    export SKEP_HOST=unix://$dir/skep.sock
}
pids_left() {
    ip netns pids "$name" 2>/dev/null
    find /sys/fs/cgroup -path "*/$name*/cgroup.procs" -exec cat {} + 2>/dev/null
}
no_pids_left() { [ -z "$(pids_left)" ]; }
no_container() { [ "$(build/release/skep ps -aq 2>/dev/null | wc -l)" -eq 0 ]; }
stop() { # PIDFILE SECONDS
    local pid
    pid=$(cat "$1" 2>/dev/null) || return 0
    kill "$pid" 2>/dev/null || return 0
    wait_for "$2" sh -c "! kill -0 $pid"
}

take_away() { # DIR
    names_of "$1"
    say "taking it all away"
    if build/release/skep service rm "$service" >/dev/null 2>&1; then wait_for 15 no_container; fi
    stop "$dir/skepd.pid" 10
    # Whatever did not end when asked to.
    for _ in 1 2 3 4 5; do
        no_pids_left && break
        for pid in $(pids_left); do kill -KILL "$pid" 2>/dev/null; done
        sleep 0.3
    done
    awk -v dir="$dir/" 'index($2, dir) == 1 { print $2 }' /proc/self/mounts | sort -r | while read -r point; do umount -l "$point"; done
    find /sys/fs/cgroup -depth -type d -path "*/$name*" -exec rmdir {} + 2>/dev/null
    ip netns del "$name" 2>/dev/null
    rm -rf "$dir"
}

if [ -n "$remove" ]; then
    take_away "$(realpath "$remove")"
    exit
fi

say "installing what is missing"
deploy/install-deps.sh run build demo || give_up "packages are missing"

say "building"
log=$(mktemp)
if ! { cmake --preset release && cmake --build --preset release; } >"$log" 2>&1; then give_up "the build failed" "$log"; fi
rm -f "$log"
echo "build/release/skepd, $(stat -c %s build/release/skepd) bytes"

names_of "$(mktemp -d -t skep-quickstart.XXXXXX)"
touch "$dir/quickstart"
trap 'exit 130' INT
trap 'exit 143' TERM HUP
trap 'take_away "$dir"' EXIT

ip netns add "$name" || give_up "no network namespace can be made here"
ip -n "$name" link set lo up

# A daemon under a host name of its own, out of reach of the terminal's Ctrl-C.
start() { # HOSTNAME PIDFILE LOG COMMAND…
    local host=$1 pidfile=$2 log=$3
    shift 3
    # shellcheck disable=SC2016 # for the inner shell
    setsid nsenter --net="/run/netns/$name" unshare --uts \
        sh -c 'hostname "$0"; echo $$ >"$1"; shift; exec "$@"' "$host" "$pidfile" "$@" </dev/null >"$log" 2>&1 &
}

say "starting skepd"
start "$node" "$dir/skepd.pid" "$dir/skepd.log" build/release/skepd --state-dir "$dir/skep" --run-dir "$dir/skep-run" --host "$SKEP_HOST" \
    --cgroup-parent "/$name-skep" --hostname "$node" --metrics-addr "$metrics"
wait_for 10 build/release/skep info || give_up "skepd does not answer" "$dir/skepd.log"

say "beginning a swarm of one"
echo "\$ skep init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1"
build/release/skep init --advertise-addr 127.0.0.1 --listen-addr 127.0.0.1 | sed 's/\(SWMTKN-[^ ]*\)-[0-9a-z]*/\1-…/' || give_up "no swarm can be begun" "$dir/skepd.log"
is_ready() { build/release/skep node ls --format '{{.Hostname}} {{.Status}}' | grep -qx "$node Ready"; }
wait_for 15 is_ready || give_up "the node does not get Ready" "$dir/skepd.log"
show build/release/skep node ls

say "making an image and giving it to the node"
# shellcheck disable=SC2016 # for the container's shell
deploy/make-image.sh "$image" "$dir/image.tar" sh -c \
    'trap "echo bee $BEE flies home; exit" TERM; trip=0; while :; do trip=$((trip + 1)); echo bee $BEE is back from trip $trip; sleep 1 & wait $!; done' ||
    give_up "the image could not be made"
show build/release/skep load -i "$dir/image.tar" || give_up "the image could not be loaded" "$dir/skepd.log"

say "a service of three replicas"
show build/release/skep service create --quiet --detach --name "$service" --replicas 3 --env 'BEE={{.Task.Slot}}' "$image" ||
    give_up "the service was refused" "$dir/skepd.log"
all_run() { [ "$(build/release/skep service ps --filter desired-state=running --format '{{.CurrentState}}' "$service" | grep -c ^Running)" -eq 3 ]; }
wait_for 30 all_run || {
    build/release/skep service ps --no-trunc "$service"
    give_up "the service's tasks do not run" "$dir/skepd.log"
}
show build/release/skep service ps "$service"
three_speak() { [ "$(build/release/skep service logs "$service" 2>/dev/null | awk '{ print $2 }' | sort -u | wc -l)" -eq 3 ]; }
wait_for 10 three_speak || give_up "the service's output does not reach the manager" "$dir/skepd.log"
show build/release/skep service logs --tail 2 "$service"
show build/release/skep ps

say "how it is, for a dashboard"
ask() { nsenter --net="/run/netns/$name" busybox wget -qO- "http://$metrics/$1"; }
three_are_told() { ask metrics | grep -q '^skep_service_tasks_running{.*} 3$'; }
wait_for 10 three_are_told || give_up "http://$metrics/metrics does not tell of the three tasks" "$dir/skepd.log"
echo "\$ busybox wget -qO- http://$metrics/health"
ask health || give_up "it does not say that it is well" "$dir/skepd.log"
echo
echo "\$ busybox wget -qO- http://$metrics/metrics | grep -E '^(skep_service_tasks|swarm_manager_leader|swarm_manager_tasks_total.*running)'"
ask metrics | grep -E '^(skep_service_tasks|swarm_manager_leader|swarm_manager_tasks_total.*running)'

if $keep; then
    trap - EXIT
    cat <<END

It stays, as asked. To reach it:
  export SKEP_HOST=$SKEP_HOST            (and DOCKER_HOST, the same, for the stock docker command)
  build/release/skep service scale $service=5        build/release/skep service logs -f $service
  nsenter --net=/run/netns/$name         a shell on the node's network; there are http://$metrics/health and /metrics
Its log: $dir/skepd.log. To take it away:
  sudo ./deploy/quickstart.sh --remove $dir
END
fi
say "done in $((SECONDS - begun)) s"
