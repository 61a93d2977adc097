#!/bin/bash
# Load and endurance at full size, on both engines; what tests/load does, see there.
#
#   scripts/soak.sh <brio_load> [seconds of soaking on each engine]
set -euo pipefail
load=$1
seconds=${2:-120}
# The server's own connections, and some descriptors beside them.
connections=10000
if [[ $(ulimit -Hn) != unlimited && $(ulimit -Hn) -lt $((connections + 200)) ]]; then
  connections=$(($(ulimit -Hn) - 200))
  echo "only $connections connections: no more descriptors are allowed here (ulimit -Hn)"
fi
ulimit -n $((connections + 200))

status=0
for engine in epoll io_uring; do
  export BRIO_LOOP=$engine
  # A connection alone stays under 1 KiB; with a stream's task and its handler's frames, 1.5 KiB.
  timeout 300 "$load" connections --count "$connections" --server callbacks || status=1
  timeout 300 "$load" connections --count "$connections" --server streams --budget 1536 || status=1
  for over in tcp tls unix pipes; do
    timeout 600 "$load" echo --over "$over" --bytes 1G || status=1
  done
  timeout $((seconds + 120)) "$load" soak --seconds "$seconds" || status=1
done
exit "$status"
