# bash completion for brio(1)
_brio() {
  local cur prev words cword
  if declare -F _init_completion >/dev/null; then
    _init_completion -n : || return
  else
    cur=${COMP_WORDS[COMP_CWORD]}
    prev=${COMP_WORDS[COMP_CWORD - 1]}
    words=("${COMP_WORDS[@]}")
    cword=$COMP_CWORD
  fi
  if [[ $cword -eq 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -W "get --help --version" -- "$cur")
    return
  fi
  [[ ${words[1]} == get ]] || return
  case $prev in
    -i | --input-file | --sha256)
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      compopt -o filenames 2>/dev/null
      return
      ;;
    -o | --output-dir)
      mapfile -t COMPREPLY < <(compgen -d -- "$cur")
      compopt -o filenames 2>/dev/null
      return
      ;;
    -j | --jobs | --timeout | --retries) return ;;
  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "-i --input-file -o --output-dir -j --jobs --timeout
      --retries --sequential --sha256 -q --quiet --json -h --help" -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -W "http:// https://" -- "$cur")
    compopt -o nospace 2>/dev/null
  fi
}
complete -F _brio brio
