# Bash completion for skep and skepd. Source it, or install it as /usr/share/bash-completion/completions/skep (and link skepd to it).
# Containers and images are asked of the daemon; it is not waited for when it does not answer.

__skep_ask() {
    local host=() i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -H | --host) host=(-H "${COMP_WORDS[i + 1]}") ;;
        esac
    done
    timeout 2 "${COMP_WORDS[0]}" "${host[@]}" "$@" 2>/dev/null
}

__skep_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# The verb on the line so far ("ps", "node ls"), nothing before it was typed.
__skep_verb() {
    local i group=
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -H | --host) ((i++)) ;;
        -*) ;;
        swarm | node | service | secret | config)
            [[ -n $group ]] && break
            group=${COMP_WORDS[i]}
            ;;
        *)
            printf '%s' "${group:+$group }${COMP_WORDS[i]}"
            return
            ;;
        esac
    done
    printf '%s' "$group"
}

__skep_flags() {
    case $1 in
    init) echo --advertise-addr --availability --data-path-addr --data-path-port --default-addr-pool --default-addr-pool-mask-length --force-new-cluster --listen-addr --autolock --cert-expiry --dispatcher-heartbeat --external-ca --max-snapshots --snapshot-interval --task-history-limit --help ;;
    join-token | unlock-key) echo --quiet --rotate --help ;;
    unlock) echo --help ;;
    'swarm update') echo --autolock --cert-expiry --dispatcher-heartbeat --external-ca --max-snapshots --snapshot-interval --task-history-limit --help ;;
    'node ls' | 'service ls' | 'secret ls' | 'config ls') echo --filter --format --quiet --help ;;
    'node update') echo --availability --label-add --label-rm --role --help ;;
    'node rm') echo --force --help ;;
    'node ps' | 'service ps') echo --filter --format --no-resolve --no-trunc --quiet --help ;;
    'node inspect' | 'node promote' | 'node demote' | 'service inspect' | 'service rm') echo --help ;;
    'secret inspect' | 'secret rm' | 'config inspect' | 'config rm') echo --help ;;
    'service create') echo --cap-add --cap-drop --config --constraint --container-label --dns --env --host --label --mode --mount --name --network --publish --secret --detach --endpoint-mode --entrypoint --health-cmd --health-interval --health-retries --health-start-period --health-timeout --hostname --init --isolation --limit-cpu --limit-memory --limit-pids --log-driver --log-opt --max-concurrent --no-healthcheck --quiet --read-only --replicas --replicas-max-per-node --reserve-cpu --reserve-memory --restart-condition --restart-delay --restart-max-attempts --restart-window --rollback-delay --rollback-failure-action --rollback-max-failure-ratio --rollback-monitor --rollback-order --rollback-parallelism --stop-grace-period --stop-signal --tty --update-delay --update-failure-action --update-max-failure-ratio --update-monitor --update-order --update-parallelism --user --workdir --help ;;
    'service update') echo --args --config-add --config-rm --constraint-add --constraint-rm --container-label-add --container-label-rm --env-add --env-rm --force --image --label-add --label-rm --mount-add --mount-rm --network-add --publish-add --publish-rm --rollback --secret-add --secret-rm --detach --endpoint-mode --entrypoint --health-cmd --health-interval --health-retries --health-start-period --health-timeout --hostname --init --isolation --limit-cpu --limit-memory --limit-pids --log-driver --log-opt --max-concurrent --no-healthcheck --quiet --read-only --replicas --replicas-max-per-node --reserve-cpu --reserve-memory --restart-condition --restart-delay --restart-max-attempts --restart-window --rollback-delay --rollback-failure-action --rollback-max-failure-ratio --rollback-monitor --rollback-order --rollback-parallelism --stop-grace-period --stop-signal --tty --update-delay --update-failure-action --update-max-failure-ratio --update-monitor --update-order --update-parallelism --user --workdir --help ;;
    'service scale' | 'service rollback') echo --detach --quiet --help ;;
    'secret create' | 'config create') echo --label --template-driver --help ;;
    join) echo --token --token-file --advertise-addr --listen-addr --data-path-addr --availability --quiet --help ;;
    leave) echo --force --help ;;
    info | version) echo --format --help ;;
    ps) echo --all --filter --format --last --latest --no-trunc --quiet --help ;;
    'service logs') echo --follow --since --tail --timestamps --help ;;
    logs) echo --follow --since --tail --timestamps --until --help ;;
    images) echo --all --digests --filter --format --no-trunc --quiet --help ;;
    load) echo --input --quiet --help ;;
    pull) echo --platform --quiet --help ;;
    rmi) echo --force --help ;;
    image) echo --all --force --help ;;
    raft) echo --data --force --key-file --help ;;
    '') echo --host --help --version ;;
    esac
}

_skep() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} verb
    local verbs='init join join-token leave unlock unlock-key swarm node service secret config info ps logs images load pull rmi image raft version help'
    verb=$(__skep_verb)
    case $previous in
    --availability)
        __skep_words 'active pause drain' "$current"
        return
        ;;
    --token-file | --input | -i | --key-file)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --role)
        __skep_words 'worker manager' "$current"
        return
        ;;
    --mode)
        __skep_words 'replicated global replicated-job global-job' "$current"
        return
        ;;
    --update-order | --rollback-order)
        __skep_words 'start-first stop-first' "$current"
        return
        ;;
    --restart-condition)
        __skep_words 'none on-failure any' "$current"
        return
        ;;
    --secret | --secret-add)
        __skep_words "$(__skep_ask secret ls --format '{{.Name}}')" "$current"
        return
        ;;
    --config | --config-add)
        __skep_words "$(__skep_ask config ls --format '{{.Name}}')" "$current"
        return
        ;;
    --format)
        __skep_words 'table json' "$current"
        return
        ;;
    --token | --since | --until | --tail | --last | --filter | --platform | -H | --host) return ;;
    esac
    if [[ $current == -* ]]; then
        __skep_words "$(__skep_flags "$verb")" "$current"
        return
    fi
    case $verb in
    '' | help) __skep_words "$verbs" "$current" ;;
    logs) __skep_words "$(__skep_ask ps -a --format '{{.Names}}')" "$current" ;;
    raft)
        if [[ $previous == raft ]]; then
            __skep_words 'dump check repair' "$current"
        else
            mapfile -t COMPREPLY < <(compgen -d -- "$current")
        fi
        ;;
    images) __skep_words "$(__skep_ask images --format '{{.Repository}}')" "$current" ;;
    rmi) __skep_words "$(__skep_ask images --format '{{.Repository}}:{{.Tag}}')" "$current" ;;
    image) __skep_words prune "$current" ;;
    join-token) __skep_words 'worker manager' "$current" ;;
    swarm) __skep_words 'update' "$current" ;;
    node) __skep_words 'ls inspect update promote demote rm ps' "$current" ;;
    service) __skep_words 'create ls inspect ps update logs scale rollback rm' "$current" ;;
    secret) __skep_words 'create ls inspect rm' "$current" ;;
    config) __skep_words 'create ls inspect rm' "$current" ;;
    'node ls' | 'service ls' | 'secret ls' | 'config ls' | 'service create' | 'secret create' | 'config create') ;;
    node\ *) __skep_words "$(__skep_ask node ls --format '{{.Hostname}}')" "$current" ;;
    service\ *) __skep_words "$(__skep_ask service ls --format '{{.Name}}')" "$current" ;;
    secret\ *) __skep_words "$(__skep_ask secret ls --format '{{.Name}}')" "$current" ;;
    config\ *) __skep_words "$(__skep_ask config ls --format '{{.Name}}')" "$current" ;;
    esac
}

_skepd() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    case $previous in
    --config)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --state-dir | --run-dir)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    --runtime) __skep_words 'auto emulated' "$current" && return ;;
    --default-isolation) __skep_words 'process hyperv' "$current" && return ;;
    --log-format) __skep_words 'text json' "$current" && return ;;
    --log-level) __skep_words 'debug info warn error' "$current" && return ;;
    --group)
        mapfile -t COMPREPLY < <(compgen -g -- "$current")
        return
        ;;
    esac
    __skep_words '--config --state-dir --run-dir --host --group --hostname --label --runtime --emulated-host --default-isolation --bridge --bridge-subnet
        --metrics-addr --cgroup-parent --insecure-registry --image-gc-interval --log-format --log-level --clock-offset --check --help --version' "$current"
}

complete -F _skep skep
complete -F _skepd skepd
