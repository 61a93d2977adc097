#!/usr/bin/env python3
"""Checks that README.md and README.zh-CN.md say the same: headings of the same levels in the same
order, and the same code blocks, letter by letter. Also that the local links of both lead somewhere.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def outline(file):
    """Returns the heading levels, the code blocks and the links of a Markdown file."""
    levels, blocks, links, block = [], [], [], None
    for line in file.read_text().splitlines():
        if line.startswith("```"):
            if block is None:
                block = [line]
            else:
                blocks.append("\n".join(block))
                block = None
        elif block is not None:
            block.append(line)
        else:
            heading = re.match(r"(#+) ", line)
            if heading:
                levels.append(len(heading[1]))
            links += re.findall(r"\]\(([^)#\s]+)", line)
    return levels, blocks, links


def main():
    problems = []
    english, chinese = outline(ROOT / "README.md"), outline(ROOT / "README.zh-CN.md")
    if english[0] != chinese[0]:
        problems.append(f"headings differ in number or level: {english[0]} and {chinese[0]}")
    if len(english[1]) != len(chinese[1]):
        problems.append(f"{len(english[1])} code blocks in one, {len(chinese[1])} in the other")
    for number, (a, b) in enumerate(zip(english[1], chinese[1]), 1):
        if a != b:
            problems.append(f"code block {number} differs")
    for name, links in (("README.md", english[2]), ("README.zh-CN.md", chinese[2])):
        for link in links:
            if "://" not in link and not (ROOT / link).exists():
                problems.append(f"{name}: {link} does not exist")
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
