#!/usr/bin/env python3
"""Checks the rules of the house that no compiler checks.

- Arrows point down: a file of a room includes only that room and the rooms below it, by the table
  in the top CMakeLists.txt, which is also what the build links.
- Every room has a README.md, and every folder of brio/ is a room of the table.
- Public headers are light: no <iostream> or <regex>, and no external library (Boost, OpenSSL, …).
  A header for a room's own .cpp files begins with "// Inside brio/"; it may be heavy, is not
  installed, and no public header includes it.
- No await hangs on a condition in its own expression (a && co_await b): g++ 14 awaits it always in
  some places (docs/compilers.md), and says nothing.
- brio's headers are included as <brio/room/file.hpp>, and have #pragma once.
- No file is longer than LIMIT lines.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LIMIT = 600
MAY_BE_LONGER = {  # path: reason
    "tests/conformance/kit/gen.py": "one class, a method per kind of program",
    "tests/conformance/kit/oracle.py": "stands alone: it is copied to wherever a CPython is",
}
HEAVY = re.compile(r"^(iostream|regex|boost/.*|openssl/.*|nghttp2/.*|zlib\.h|idn2\.h|libpsl\.h|liburing.*)$")
INTERNAL = "// Inside brio/"
CONDITIONAL_AWAIT = re.compile(r"(&&|\|\||\?)[\s!(]*co_await\b|\?[^;{}?]*?[^:;]:[\s!(]*co_await\b")
FOLDERS = ["brio", "cli", "examples", "bench", "tests", "python", "scripts"]

problems = []


def complain(where, what):
    problems.append(f"{where}: {what}")


def read_table():
    """Returns for each folder of brio/ the set of folders that it may include."""
    text = re.sub(r"#.*", "", (ROOT / "CMakeLists.txt").read_text())
    allowed = {}
    for call in re.finditer(r"\bbrio_room\(([^)]*)\)", text):
        words = call[1].split()
        name, key, values = words[0], None, {"EXTRA_SOURCES_FROM": [], "DEPENDS": [], "LIBRARIES": []}
        for word in words[1:]:
            if word in values:
                key = word
            else:
                values[key].append(word)
        below = set()
        for room in values["DEPENDS"]:
            below |= {room} | allowed[room]
        allowed[name] = below | {name}
        # The folder that shares the library stands on the room; the room does not know it.
        for folder in values["EXTRA_SOURCES_FROM"]:
            allowed[folder] = below | {name, folder}
    return allowed


def is_internal(path):
    """Whether the header is for its room's own .cpp files."""
    with path.open(errors="replace") as file:
        return file.readline().startswith(INTERNAL)


def check_file(path, allowed):
    where = path.relative_to(ROOT).as_posix()
    lines = path.read_text(errors="replace").splitlines()
    if len(lines) > LIMIT and where not in MAY_BE_LONGER:
        complain(where, f"{len(lines)} lines; the limit is {LIMIT}: give a part of it its own file")
    if path.suffix not in (".cpp", ".hpp"):
        return

    code = "\n".join(re.sub(r"//.*", "", line) for line in lines)
    for found in CONDITIONAL_AWAIT.finditer(code):
        number = code.count("\n", 0, found.end()) + 1
        complain(f"{where}:{number}", "an await that hangs on a condition is to be a statement")

    room = path.parts[len(ROOT.parts) + 1] if where.startswith("brio/") else None
    if path.suffix == ".hpp" and "#pragma once" not in lines:
        complain(where, "no #pragma once")
    public = path.suffix == ".hpp" and not is_internal(path)
    for number, line in enumerate(lines, 1):
        include = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not include:
            continue
        quote, target = include[1], include[2]
        here = f"{where}:{number}"
        if quote == '"' and (ROOT / target).exists() and target.startswith("brio/"):
            complain(here, f'write <{target}>')
        if not room:
            continue
        if target.startswith("brio/"):
            other = target.split("/")[1]
            if other == "brio.hpp":
                complain(here, "the umbrella is for users")
            elif room in allowed and other not in allowed[room]:
                complain(here, f"arrows point down: {room} may not include {target}")
            elif public and (ROOT / target).exists() and is_internal(ROOT / target):
                complain(here, f"{target} is internal; a public header may not include it")
        elif public and HEAVY.match(target):
            complain(here, f"<{target}> in a public header; it belongs into a .cpp")


def main():
    allowed = read_table()
    for folder in sorted(p for p in (ROOT / "brio").iterdir() if p.is_dir()):
        if not any(folder.rglob("*.?pp")):
            continue
        if folder.name not in allowed:
            complain(f"brio/{folder.name}", "is no room of the table in CMakeLists.txt")
        if not (folder / "README.md").exists():
            complain(f"brio/{folder.name}", "has no README.md (what it is for, what it may touch)")
    for top in FOLDERS:
        for path in sorted((ROOT / top).rglob("*")):
            if path.suffix in (".cpp", ".hpp", ".py", ".sh", ".cmake") and path.is_file():
                check_file(path, allowed)
    print("\n".join(problems), end="\n" if problems else "")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
