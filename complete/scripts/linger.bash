# bash completion of linger: source <(linger completion bash)
_linger() {
  local line=${COMP_LINE:0:COMP_POINT} typed how word begun
  local -a words=()
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=("")
  typed=${words[${#words[@]}-1]}
  COMPREPLY=()
  while IFS=$'\t' read -r word _; do
    if [[ -z $how ]]; then how=$word; else COMPREPLY+=("$word"); fi
  done < <("${words[0]/#\~/$HOME}" complete -- "${words[@]:1}" 2>/dev/null)
  [[ $how == *more* ]] && compopt -o nospace 2>/dev/null
  if [[ $how == *files* ]]; then
    compopt -o filenames 2>/dev/null
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "${typed#--*=}")
  elif [[ $how == *commands* ]]; then
    while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -c -- "$typed")
  fi
  begun=${typed%"${typed##*[:=]}"}
  [[ -n $begun ]] && COMPREPLY=("${COMPREPLY[@]#"$begun"}")
}
complete -F _linger linger
