#!/usr/bin/env python3
"""Makes one C++ file of a page's ```cpp blocks: blocks.py <page.md> <file.cpp>.

Errors of the compiler name the page and its line.
"""

import pathlib
import sys

page, out = map(pathlib.Path, sys.argv[1:])
lines = ["#include <brio/core/logging.hpp>", "#include <brio/os/signals.hpp>", "#include <csignal>"]
inside = False
for number, line in enumerate(page.read_text().splitlines(), 1):
    if line.startswith("```"):
        inside = line == "```cpp" and not inside
        if inside:
            lines.append(f'#line {number + 1} "{page}"')
    elif inside:
        lines.append(line)
out.write_text("\n".join(lines) + "\n")
