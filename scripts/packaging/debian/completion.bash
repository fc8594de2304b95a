_taimat_completion() {
    local IFS=$'
'
    COMPREPLY=( $( env COMP_WORDS="${COMP_WORDS[*]}" \
                   COMP_CWORD=$COMP_CWORD \
                   _TAIMAT_COMPLETE=complete_bash $1 ) )
    return 0
}

complete -o default -F _taimat_completion taimat
