#compdef linger
# zsh completion of linger: source <(linger completion zsh)
_linger() {
  local line how
  local -a said list more
  said=("${(@f)$("${words[1]/#\~/$HOME}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  how=$said[1]
  for line in "${(@)said[2,-1]}"; do
    line=${${line//:/\\:}/$'\t'/:}
    list+=("${line%:}")
  done
  [[ $how == *more* ]] && more=(-S '')
  (( $#list )) && _describe linger list "${more[@]}"
  [[ $how == *files* ]] && { compset -P '--*='; _files }
  [[ $how == *commands* ]] && _command_names -e
  return 0
}
compdef _linger linger
