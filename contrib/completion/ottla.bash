# ottla.bash - completion of Ottla's commands in bash
#
# The shell completes itself: "ottla --complete WORDS" asks the engine that Tab asks inside of it. Whatever goes wrong, or takes
# longer than 300 ms, completes nothing.
#
# SPDX-License-Identifier: Apache-2.0

_ottla() {
    COMPREPLY=()
    mapfile -t COMPREPLY < <(timeout 0.3 ottla --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    # a value comes behind it
    [[ ${COMPREPLY[0]-} != *[=/] ]] || compopt -o nospace
}

# Options and words of --help, files elsewhere.
_ottla_tool() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} words
    COMPREPLY=()
    case $before in
    -D | -l | -p | --properties | --config) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    -m) mapfile -t COMPREPLY < <(compgen -W 'smart fast immediate' -- "$word"); return ;;
    ottla-dropinstance) mapfile -t COMPREPLY < <(compgen -W "$(ottla-lsinstances -h 2>/dev/null | cut -d' ' -f1) --stop --keep-data" -- "$word"); return ;;
    ottlactl) mapfile -t COMPREPLY < <(compgen -W 'start stop restart reload status kill logrotate --help --version' -- "$word"); return ;;
    esac
    case $word in
    -*)
        words=$("$1" --help 2>/dev/null | grep -o -E -e '(^|[[:space:],|[])--?[A-Za-z][a-z-]*' | tr -d ' ,|[')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
        ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    esac
}

complete -F _ottla ottla ottla-dumpall
complete -o filenames -F _ottla_tool ottlactl ottla-initdb ottla-controldata ottla-logdump ottla-verify ottla-bench \
    ottla-createinstance ottla-dropinstance ottla-lsinstances
