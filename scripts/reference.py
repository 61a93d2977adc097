#!/usr/bin/python3
"""Writes one Markdown page per room with every public name, its signature and its docstring.

    scripts/reference.py FOLDER

What is public is decided where it is checked, in scripts/lint/docstrings.py.
"""

import collections
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lint"))
import docstrings  # noqa: E402


def text_of(cursor):
    """The docstring without its slashes."""
    lines = (cursor.raw_comment or "").splitlines()
    return "\n".join(re.sub(r"^\s*///<? ?", "", line) for line in lines)


def signature(cursor):
    """The declaration as the header has it, without body and brio's macros."""
    lines = docstrings.source(cursor.location.file.name)
    start, end = cursor.extent.start, cursor.extent.end
    text = "\n".join(lines[start.line - 1:end.line])
    text = text[start.column - 1:]
    declared_by_macro = re.match(r"BRIO_DECLARE_\w+\((\w+), ([\w:]+)\)", text)
    if declared_by_macro:
        return "class {} : public {}".format(*declared_by_macro.groups())
    if cursor.kind in docstrings.CLASSES:
        text = re.split(r"[{;]", text)[0]
    elif cursor.kind in docstrings.FUNCTIONS:
        text = re.split(r"\s*\{|;|\)\s*:\s", text + ";")[0]
        text += ")" * (text.count("(") - text.count(")"))
    text = re.sub(r"\bBRIO_[A-Z_]+ ?", "", text)
    return re.sub(r"\s+", " ", text).strip()


def qualified(cursor):
    names = []
    while cursor and cursor.kind.name != "TRANSLATION_UNIT":
        names.insert(0, cursor.spelling)
        cursor = cursor.semantic_parent
    return "::".join(names)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rooms = collections.defaultdict(lambda: collections.defaultdict(list))
    for cursor, _ in docstrings.declarations():
        header = pathlib.Path(cursor.location.file.name).relative_to(docstrings.ROOT)
        rooms[header.parts[1]][header.as_posix()].append(cursor)
    for room, headers in rooms.items():
        page = [f"# {room}", ""]
        for header, cursors in headers.items():
            page += [f"## {header}", ""]
            seen = None
            for cursor in cursors:
                name = qualified(cursor)
                if name != seen:
                    page += [f"### `{name}`", ""]
                seen = name
                page += ["```cpp", signature(cursor), "```", "", text_of(cursor), ""]
        (folder / f"{room}.md").write_text("\n".join(page))
    index = ["# Reference", "", "Made of the docstrings in the headers, one page per room.", ""]
    index += [f"- [{room}]({room}.md)" for room in rooms]
    (folder / "index.md").write_text("\n".join(index) + "\n")


if __name__ == "__main__":
    main()
