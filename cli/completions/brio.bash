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
    mapfile -t COMPREPLY < <(compgen -W "get serve --help --version" -- "$cur")
    return
  fi
  case ${words[1]} in
    get) _brio_get ;;
    serve) _brio_serve ;;
  esac
}

_brio_serve() {
  case $prev in
    --tls-cert | --tls-key | --unix)
      mapfile -t COMPREPLY < <(compgen -f -- "$cur")
      compopt -o filenames 2>/dev/null
      return
      ;;
    --host | -p | --port | -w | --workers | --cache-control | --drain) return ;;
  esac
  if [[ $cur == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "--host -p --port --unix --tls-cert --tls-key -w --workers
      --spa --no-listing --hidden --cache-control --drain -q --quiet -h --help" -- "$cur")
  else
    mapfile -t COMPREPLY < <(compgen -d -- "$cur")
    compopt -o filenames 2>/dev/null
  fi
}

_brio_get() {
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
