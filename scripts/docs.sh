#!/bin/bash
# Builds the guide (docs/, this README's neighbours and a reference made of the docstrings) as a
# static site in build/site. Every link is checked.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf build/docs-src build/site
mkdir -p build/docs-src
cp -r docs/. build/docs-src/
cp CHANGELOG.md build/docs-src/changelog.md
sed 's#(docs/#(#g' CONTRIBUTING.md >build/docs-src/contributing.md
mkdir build/docs-src/examples
cp examples/*.cpp build/docs-src/examples/
sed -i 's#(\.\./examples/#(examples/#g' build/docs-src/*.md
/usr/bin/python3 scripts/reference.py build/docs-src/reference
mkdocs build --quiet --strict --site-dir build/site
echo "build/site/index.html"
