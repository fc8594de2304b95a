#compdef taimat

_taimat_completion() {
  eval $(env _TYPER_COMPLETE_ARGS="${words[1,$CURRENT]}" _TAIMAT_COMPLETE=complete_zsh taimat)
}

compdef _taimat_completion taimat
[ "$funcstack[1]" != _taimat ] || _taimat_completion
