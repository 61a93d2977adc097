#!/bin/bash
# Shows `brio get`.
#
#   scripts/demo.sh <brio>         downloads from a server of its own: Python's http.server on a free
#                                  loopback port, with a delay for each request; first one file
#                                  after the other, then all at once
#   scripts/demo.sh <brio> URL…    downloads those into the current folder; DEMO_URLS may hold
#                                  more of them, with blanks between
#
# FILES and DELAY (seconds) change the size of the show.
set -euo pipefail

brio=$(realpath "$1")
shift
# read splits at blanks and line ends, and expands nothing; it fails at the end of the text.
read -r -d '' -a urls <<<"${DEMO_URLS:-}" || true
if [[ $# -gt 0 || ${#urls[@]} -gt 0 ]]; then
  exec "$brio" get "$@" "${urls[@]}"
fi

files=${FILES:-40}
delay=${DELAY:-0.25}
folder=$(mktemp -d "${TMPDIR:-/tmp}/brio-demo.XXXXXX")
server=
cleanup() {
  if [[ -n $server ]]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir "$folder/site"
for ((i = 1; i <= files; ++i)); do
  head -c $((i * 50000)) /dev/urandom >"$folder/site/file$i.bin"
done
(cd "$folder/site" && sha256sum -- *.bin) >"$folder/SHA256SUMS"
total=$(du -sh "$folder/site" | cut -f1)

/usr/bin/python3 - "$folder" "$delay" <<'PYTHON' &
import functools, http.server, os, sys, time

folder, delay = sys.argv[1], float(sys.argv[2])

class Slow(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        time.sleep(delay)
        super().do_GET()

    def log_message(self, *args):
        pass

class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256

handler = functools.partial(Slow, directory=os.path.join(folder, "site"))
server = Server(("127.0.0.1", 0), handler)
with open(os.path.join(folder, "port.new"), "w") as file:
    print(server.server_address[1], file=file)
os.rename(os.path.join(folder, "port.new"), os.path.join(folder, "port"))
server.serve_forever()
PYTHON
server=$!
until [[ -s $folder/port ]]; do
  kill -0 "$server" 2>/dev/null || { echo "demo: the server did not start" >&2; exit 1; }
  sleep 0.05
done
url=http://127.0.0.1:$(<"$folder/port")

for ((i = 1; i <= files; ++i)); do echo "$url/file$i.bin"; done >"$folder/urls"
echo "Python's http.server on $url serves $files files ($total), each after ${delay} s."

# Downloads into $folder/<name> with the options given, checks the sums by another program's reckoning
# and leaves the seconds in `seconds`.
download() {
  local name=$1 from=$EPOCHREALTIME to
  shift
  echo
  echo "\$ brio get -i urls -o $name $*"
  "$brio" get -i "$folder/urls" -o "$folder/$name" --sha256 "$folder/SHA256SUMS" "$@"
  to=$EPOCHREALTIME
  seconds=$((${to/[.,]/} - ${from/[.,]/}))
  (cd "$folder/$name" && sha256sum --quiet -c ../SHA256SUMS)
}

seconds=0
download sequential --sequential
one_by_one=$seconds
download concurrent -j "$files"
at_once=$seconds

awk -v a="$one_by_one" -v b="$at_once" -v n="$files" 'BEGIN {
  printf "\n%d files one after the other: %6.2f s\n", n, a / 1e6
  printf "%d files at once:             %6.2f s\n", n, b / 1e6
  printf "ratio: %.1f times as fast; every checksum is right.\n", a / b
}'
