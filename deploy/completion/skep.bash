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

# The verb on the line so far, nothing before it was typed.
__skep_verb() {
    local i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
        -H | --host) ((i++)) ;;
        -*) ;;
        *)
            printf '%s' "${COMP_WORDS[i]}"
            return
            ;;
        esac
    done
}

__skep_flags() {
    case $1 in
    join) echo --token --token-file --advertise-addr --listen-addr --data-path-addr --availability --quiet --help ;;
    leave) echo --force --help ;;
    info | version) echo --format --help ;;
    ps) echo --all --filter --format --last --latest --no-trunc --quiet --help ;;
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
    local verbs='join leave info ps logs images load pull rmi image raft version help'
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
    __skep_words '--config --state-dir --run-dir --host --group --hostname --label --runtime --default-isolation --bridge --bridge-subnet
        --cgroup-parent --insecure-registry --image-gc-interval --log-format --log-level --clock-offset --check --help --version' "$current"
}

complete -F _skep skep
complete -F _skepd skepd
