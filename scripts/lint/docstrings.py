#!/usr/bin/python3
"""Checks that every public declaration of brio's headers has a /// docstring.

Public is what stands in namespace brio (or one inside it, but `detail`) and, in a class, after
`public:`. Exempt is what brings no new name or says nothing new: constructors (the class has a
docstring), destructors, assignments, what is defaulted or deleted or overrides, operators, forward
declarations, specialisations, friends, the names that the language asks for (await_ready,
promise_type, begin, …), and what takes or gives a type of `detail`, which is no user's business.
Of overloads that stand together, the first one's docstring counts for all.
"""

import pathlib
import re
import sys

from clang import cindex
from clang.cindex import AccessSpecifier, CursorKind

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
FLAGS = ["-xc++", "-std=c++20", f"-I{ROOT}", "-Wno-everything"]

CLASSES = {CursorKind.CLASS_DECL, CursorKind.STRUCT_DECL, CursorKind.CLASS_TEMPLATE,
           CursorKind.UNION_DECL}
FUNCTIONS = {CursorKind.FUNCTION_DECL, CursorKind.CXX_METHOD, CursorKind.FUNCTION_TEMPLATE,
             CursorKind.CONVERSION_FUNCTION}
OTHERS = {CursorKind.ENUM_DECL, CursorKind.VAR_DECL, CursorKind.FIELD_DECL,
          CursorKind.TYPE_ALIAS_DECL, CursorKind.TYPE_ALIAS_TEMPLATE_DECL, CursorKind.TYPEDEF_DECL,
          CursorKind.CONCEPT_DECL}
# What coroutines, ranges, iterators, containers and exceptions are asked for by the language.
PROTOCOL = re.compile(
    r"await_(ready|suspend|resume|transform)|promise_type|get_return_object\w*|initial_suspend"
    r"|final_suspend|unhandled_exception|return_(value|void)|yield_value|c?r?(begin|end)|what"
    r"|(value|difference|size|key|mapped)_type|(const_)?(iterator|reference|pointer)"
    r"|iterator_(category|concept)|is_transparent|swap|operator\W.*|operator (co_await|bool|new|delete)")


def documented(cursor):
    comment = cursor.raw_comment
    if comment and comment.lstrip().startswith("///"):
        return True
    # What a macro of ours declares has its docstring above the macro's line.
    line = cursor.location.line
    lines = source(cursor.location.file.name)
    if re.match(r"\s*BRIO_\w+\(", lines[line - 1]):
        above = line - 2
        while above >= 0 and re.match(r"\s*BRIO_\w+\(.*\);$", lines[above]):
            above -= 1
        return above >= 0 and lines[above].lstrip().startswith("///")
    return False


_sources = {}


def source(name):
    if name not in _sources:
        _sources[name] = pathlib.Path(name).read_text().splitlines()
    return _sources[name]


def exempt(cursor):
    kind = cursor.kind
    if "detail::" in cursor.displayname or "detail::" in cursor.result_type.spelling:
        return True
    if kind in CLASSES and (not cursor.is_definition() or not cursor.spelling):
        return True
    if kind in FUNCTIONS:
        if cursor.is_default_method() or cursor.is_deleted_method():
            return True
        if any(c.kind == CursorKind.CXX_OVERRIDE_ATTR for c in cursor.get_children()):
            return True
        if kind == CursorKind.CONVERSION_FUNCTION:
            return True
        # A definition out of its class, or a second declaration.
        if cursor.canonical != cursor or cursor.semantic_parent != cursor.lexical_parent:
            return True
    return bool(PROTOCOL.fullmatch(cursor.spelling))


def walk(parent, found):
    """Appends (cursor, is documented) for the public declarations below parent."""
    before = None  # the sibling before, for overloads
    for cursor in parent.get_children():
        kind = cursor.kind
        file = cursor.location.file
        if kind == CursorKind.NAMESPACE:
            if cursor.spelling == "" or "detail" in cursor.spelling:
                continue
            inside = parent.kind == CursorKind.NAMESPACE
            if inside or cursor.spelling == "brio":
                walk(cursor, found)
            continue
        if kind not in CLASSES | FUNCTIONS | OTHERS or parent.kind == CursorKind.TRANSLATION_UNIT:
            continue
        if file is None or not file.name.startswith(str(ROOT / "brio")):
            continue
        if cursor.access_specifier in (AccessSpecifier.PRIVATE, AccessSpecifier.PROTECTED):
            continue
        if not exempt(cursor) and cursor.spelling != parent.spelling:
            good = documented(cursor)
            if not good and before and before[0] == cursor.spelling and kind in FUNCTIONS:
                good = before[1]
            found.append((cursor, good))
            before = (cursor.spelling, good)
        if kind in CLASSES and cursor.is_definition() and not PROTOCOL.fullmatch(cursor.spelling):
            walk(cursor, found)


def public_headers():
    for header in sorted((ROOT / "brio").rglob("*.hpp")):
        first = source(str(header))[0] if source(str(header)) else ""
        if "detail" not in header.parts and not first.startswith("// Inside brio/"):
            yield header.relative_to(ROOT).as_posix()


def declarations():
    """Returns (cursor, is documented) for every public declaration of brio."""
    text = "".join(f"#include <{header}>\n" for header in public_headers())
    unit = cindex.Index.create().parse(
        "all.cpp", args=FLAGS, unsaved_files=[("all.cpp", text)],
        options=cindex.TranslationUnit.PARSE_SKIP_FUNCTION_BODIES)
    errors = [d for d in unit.diagnostics if d.severity >= cindex.Diagnostic.Error]
    if errors:
        sys.exit("\n".join(map(str, errors[:20])))
    found = []
    walk(unit.cursor, found)
    if not found:
        sys.exit("no public declaration found: the check is broken")
    return found


def main():
    bare = [cursor for cursor, good in declarations() if not good]
    for cursor in bare:
        place = pathlib.Path(cursor.location.file.name).relative_to(ROOT)
        print(f"{place}:{cursor.location.line}: {cursor.semantic_parent.spelling}::"
              f"{cursor.displayname} has no docstring")
    sys.exit(bool(bare))


if __name__ == "__main__":
    main()
