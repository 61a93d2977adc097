#!/bin/bash
# Runs every fuzzer of a folder for some seconds each, from the corpus beside its source.
#
#   scripts/fuzz.sh <folder with the built fuzz_*> <seconds>
set -euo pipefail
folder=$1
seconds=$2
sources=$(cd "$(dirname "$0")/../tests/fuzz" && pwd)
status=0
found=0
for fuzzer in "$folder"/fuzz_*; do
  [[ -f $fuzzer && -x $fuzzer ]] || continue
  found=1
  name=$(basename "$fuzzer")
  echo "=== $name, $seconds s"
  work=$folder/work-$name
  mkdir -p "$work"
  seeds=()
  [[ ! -d $sources/corpus/${name#fuzz_} ]] || seeds=("$sources/corpus/${name#fuzz_}")
  log=$work.log
  if "$fuzzer" -max_total_time="$seconds" -timeout=10 -artifact_prefix="$work/crash-" -verbosity=0 \
    -print_final_stats=1 "$work" "${seeds[@]}" >"$log" 2>&1; then
    grep -E 'executed_units|peak_rss' "$log"
  else
    cat "$log"
    status=1
  fi
done
[[ $found -eq 1 ]] || echo "no fuzzers in $folder"
exit "$status"
