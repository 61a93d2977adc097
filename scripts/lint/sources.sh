#!/bin/bash
# Prints brio's C++ files, one per line; with arguments, only those under these folders.
set -euo pipefail
cd "$(dirname "$0")/../.."
folders=("$@")
[[ ${#folders[@]} -gt 0 ]] || folders=(brio cli examples bench tests python)
for folder in "${folders[@]}"; do
  [[ ! -d $folder ]] || find "$folder" \( -name '*.cpp' -o -name '*.hpp' \) -type f
done | sort
