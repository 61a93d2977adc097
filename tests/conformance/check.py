#!/usr/bin/env python3
"""Runs recorded conformance programs through conformance_runner and compares the traces.

    check.py RUNNER FILE-OR-FOLDER… [--only NAME] [--skip FLAGS --index INDEX.TSV] [--show N]

A folder is searched for NAME.json with NAME.trace beside it, and for *.jsonl and *.jsonl.gz with
{"program": …, "trace": […]} on each line. Exit status 1 if a trace differs by as much as a line.
"""

import argparse
import gzip
import json
import pathlib
import subprocess
import sys

BATCH = 200  # programs per process


def recorded(path):
    """Yields (program, trace lines) of everything recorded below `path`."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    for file in files:
        if file.name.endswith(".json"):
            trace = file.with_suffix(".trace")
            if trace.exists():
                yield json.loads(file.read_text()), trace.read_text().splitlines()
        elif file.name.endswith((".jsonl", ".jsonl.gz")):
            opener = gzip.open if file.name.endswith(".gz") else open
            with opener(file, "rt") as lines:
                for line in lines:
                    row = json.loads(line)
                    yield row["program"], row["trace"]


def run(runner, programs):
    """Returns the traces in order; one whose process fails is the reason."""
    text = "".join(json.dumps(p) + "\n" for p in programs)
    done = subprocess.run([runner, "--batch"], input=text, capture_output=True, text=True)
    traces = []
    for line in done.stdout.splitlines():
        if line.startswith("=== "):
            traces.append([])
        else:
            traces[-1].append(line)
    if done.returncode == 0 and not done.stderr:
        return traces
    if len(programs) > 1:
        return [run(runner, [program])[0] for program in programs]
    return [(traces[0] if traces else []) + [f"<status {done.returncode}> {done.stderr[-2000:]}"]]


def difference(want, got):
    """Describes the first line that differs, with what came before it."""
    at = next((i for i, (a, b) in enumerate(zip(want, got)) if a != b), min(len(want), len(got)))
    lines = [f"      {line}" for line in want[max(0, at - 3) : at]]
    lines.append(f"want: {want[at] if at < len(want) else '<end>'}")
    lines.append(f"got:  {got[at] if at < len(got) else '<end>'}")
    return "\n".join("    " + line for line in lines)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runner")
    parser.add_argument("paths", nargs="+", type=pathlib.Path)
    parser.add_argument("--only", help="run the program of this name alone")
    parser.add_argument("--skip", default="", help="flags of the index to leave out: agen,eager")
    parser.add_argument("--index", type=pathlib.Path, help="index.tsv of the corpus, for --skip")
    parser.add_argument("--show", type=int, default=10, help="differences to print")
    options = parser.parse_args()

    flags = {}
    if options.index:
        for row in options.index.read_text().splitlines():
            _, name, marks, *_ = row.split("\t")
            flags[name] = set(marks.split(","))
    skip = set(options.skip.split(","))

    rows = [
        (program, trace)
        for path in options.paths
        for program, trace in recorded(path)
        if options.only in (None, program["name"]) and not flags.get(program["name"], set()) & skip
    ]
    different = 0
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        for (program, want), got in zip(part, run(options.runner, [p for p, _ in part])):
            if got == want:
                continue
            different += 1
            if different <= options.show:
                print(f"DIFFERS {program['name']}\n{difference(want, got)}")
    print(f"{len(rows) - different} of {len(rows)} traces are identical")
    return 1 if different or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
