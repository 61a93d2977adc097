#!/usr/bin/env python3
"""Compiles the snippets of the must-not-compile files; README.md beside this has the format."""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
WARNINGS = "-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror".split()
# A snippet defines things only to see whether they may be written.
QUIET = ["-Wno-unused-function", "-Wno-unused-variable", "-Wno-unused-but-set-variable"]


@dataclass
class Snippet:
    file: pathlib.Path
    line: int
    title: str
    refused: bool
    clang_only: bool = False
    errors: list = field(default_factory=list)
    code: list = field(default_factory=list)

    def __str__(self):
        return f"{self.file.relative_to(HERE) if self.file.is_relative_to(HERE) else self.file}:{self.line}: {self.title}"


def parse(file):
    """Returns the shared beginning of the file and its snippets."""
    shared, snippets = [], []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        mark = re.match(r"//!\s*(compiles|refused|error|clang-only)(?::\s*(.*))?$", line)
        if line.startswith("//!") and not mark:
            sys.exit(f"{file}:{number}: unknown mark: {line}")
        if not mark:
            (snippets[-1].code if snippets else shared).append(line)
        elif mark[1] in ("compiles", "refused"):
            snippets.append(Snippet(file, number, mark[2] or "", mark[1] == "refused"))
        elif not snippets:
            sys.exit(f"{file}:{number}: //! {mark[1]} before any snippet")
        elif mark[1] == "error":
            snippets[-1].errors.append(mark[2])
        else:
            snippets[-1].clang_only = True
    for snippet in snippets:
        if snippet.refused and not snippet.errors:
            sys.exit(f"{snippet}: a refused snippet needs an //! error:")
    if not any(not s.refused for s in snippets):
        sys.exit(f"{file}: no snippet that compiles, so a refusal proves nothing")
    return shared, snippets


def precompile(compiler, flags, file, shared, folder):
    """Reads the shared beginning once for all snippets of the file; returns the flags that use it."""
    header = pathlib.Path(folder) / f"{file.parent.name}-{file.stem}.hpp"
    header.write_text("\n".join([f'#line 1 "{file}"', *shared, ""]))
    subprocess.run([compiler, *flags, "-x", "c++-header", header, "-o", f"{header}.pch"], check=True)
    return ["-include-pch", f"{header}.pch"]


def check(compiler, flags, shared, snippet):
    """Returns what is wrong with the snippet, or None."""
    source = [f'#line 1 "{snippet.file}"', *shared,
              f'#line {snippet.line + 1} "{snippet.file}"', *snippet.code, ""]
    run = subprocess.run([compiler, *flags, "-fsyntax-only", "-x", "c++", "-"],
                         input="\n".join(source), capture_output=True, text=True)
    said = run.stdout + run.stderr
    if not snippet.refused:
        return None if run.returncode == 0 else f"must compile, but:\n{said}"
    if run.returncode == 0:
        return "compiles, but must not"
    missing = [e for e in snippet.errors if not re.search(e, said)]
    if missing:
        return f"is refused, but not with {missing}:\n{said}"
    return None


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--compiler", default="clang++-19")
    arguments.add_argument("--std", default="c++20")
    arguments.add_argument("--flag", action="append", default=[])
    arguments.add_argument("files", nargs="*", type=pathlib.Path)
    options = arguments.parse_args()

    flags = [f"-std={options.std}", f"-I{ROOT}", *WARNINGS, *QUIET, *options.flag]
    version = subprocess.run([options.compiler, "--version"], capture_output=True, text=True).stdout
    is_clang = "clang" in version
    files = {}
    skipped = 0
    for file in options.files or sorted(HERE.rglob("*.cpp")):
        shared, snippets = parse(file.resolve())
        files[file.resolve()] = shared, [s for s in snippets if is_clang or not s.clang_only]
        skipped += len(snippets) - len(files[file.resolve()][1])
    if not any(snippets for _, snippets in files.values()):
        sys.exit("no snippets found")

    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:

        def beginning(file, shared):
            if not is_clang:
                return flags, shared
            return flags + precompile(options.compiler, flags, file, shared, folder), []

        begun = [pool.submit(beginning, file, shared) for file, (shared, _) in files.items()]
        jobs = [(snippet, pool.submit(check, options.compiler, *begin.result(), snippet))
                for begin, (_, snippets) in zip(begun, files.values()) for snippet in snippets]
        failures = 0
        for snippet, job in jobs:
            wrong = job.result()
            print(f"{'FAILED' if wrong else 'ok'}  {snippet}")
            if wrong:
                failures += 1
                print(wrong)
    print(f"{len(jobs)} snippets, {failures} failed, {skipped} skipped")
    sys.exit(failures != 0)


if __name__ == "__main__":
    main()
