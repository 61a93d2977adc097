#!/bin/bash
# Runs every check and says at the end which failed. Needs a configured unity build (default
# build/lint) for clang-tidy's compilation database.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${1:-build/lint}
python=/usr/bin/python3  # Debian's, which has the clang bindings

failed=()
check() {
  local name=$1 from=$SECONDS
  shift
  if "$@"; then
    echo "ok      $name ($((SECONDS - from)) s)"
  else
    echo "FAILED  $name"
    failed+=("$name")
  fi
}

formatting() {
  scripts/lint/sources.sh | xargs clang-format-19 --dry-run --Werror 2>&1 |
    sed -nE 's/^([^ ]+): error: .*/\1 is not formatted; make format/p' | sort -u | { ! grep .; }
}

# clang-tidy spends its time on headers, so it is given the sources a dozen at a time, as the unity
# build joins them: a quarter of the time. What is joined is included, which is what its check of
# suspicious includes looks for; misc-definitions-in-headers knows headers by their names.
tidy() {
  local log status=0
  log=$(mktemp)
  run-clang-tidy-19 -quiet -p "$build" -j "$(nproc)" "$PWD/$build/.*/Unity/.*\.cxx\$" >"$log" 2>&1 || status=$?
  grep -E '(warning|error):' "$log" | sort -u | head -100 || true
  if [[ $status -ne 0 ]] && ! grep -qE '(warning|error):' "$log"; then cat "$log"; fi
  rm -f "$log"
  return "$status"
}

check formatting formatting
check "house rules" "$python" scripts/lint/house.py
check docstrings "$python" scripts/lint/docstrings.py
check "benchmarks page" "$python" bench/report.py --check
check readmes "$python" scripts/lint/readmes.py
check "asyncio table" "$python" scripts/lint/table.py
check clang-tidy tidy

if [[ ${#failed[@]} -gt 0 ]]; then
  echo "lint failed: ${failed[*]}"
  exit 1
fi
echo "lint passed"
