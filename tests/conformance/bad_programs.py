#!/usr/bin/env python3
"""Gives conformance_runner what is no program: each has a clear error, and the rest of its batch
still runs.

    bad_programs.py RUNNER
"""

import json
import subprocess
import sys


def main_of(*ops, **more):
    return {"name": "x", "coros": {"main": list(ops), "f": []}, **more}


# What is no program, and a word of its error.
BAD = [
    (None, "object"),
    ([], "object"),
    (3, "object"),
    ({}, "main"),
    ({"coros": []}, "main"),
    ({"coros": {"other": []}}, "main"),
    ({"coros": {"main": None}}, "block"),
    ({"coros": {"main": ["yield"]}}, "operation"),
    (main_of([]), "operation"),
    (main_of(["nope"]), "nope"),
    (main_of(["call", "nope"]), "nope"),
    (main_of(["call", 1]), "text"),
    (main_of(["spawn", "t", "nope"]), "nope"),
    (main_of(["spawn", 1, "f"]), "text"),
    (main_of(["gather", [["coro", "nope"]]]), "nope"),
    (main_of(["gather", "f"]), "list"),
    (main_of(["gather", [3]]), "slot"),
    (main_of(["wait_for", ["coro", "nope"], 1]), "nope"),
    (main_of(["agen_new", "g", "nope"]), "nope"),
    (main_of(["sleep", {}]), "expression"),
    (main_of(["sleep", ["?", 1]]), "?"),
    (main_of(["sleep", []]), "text"),
    (main_of(["if", ["?", 1, 1], []]), "condition"),
    (main_of(["if", ["==", 1, 1]]), "block"),
    (main_of(["loop", "3", []]), "integer"),
    (main_of(["raise", "Nope"]), "Nope"),
    (main_of(["raise"]), "raise"),
    (main_of(["try", [], [3]]), "list"),
    (main_of(["new", "s", ["nope"]]), "nope"),
    (main_of(["new", "s", ["queue", "3"]]), "integer"),
    (main_of(["spawn", "t", "f"], ["acquire", "t"]), "slot"),
    (main_of(["wait", ["a"], 1, "SOME"], objects={"a": ["future"]}), "SOME"),
    (main_of(objects=[]), "objects"),
    (main_of(objects={"s": []}), "text"),
    (main_of(limit="9"), "limit"),
    (main_of(eager=1), "eager"),
    (main_of(vars={"x": []}), "vars"),
    (main_of(["ctx_get", "nope"]), "nope"),
    (main_of(["call", "main"]), "without end"),
    (main_of(["wait_for", ["coro", "main"], 5]), "without end"),
    (main_of(["spawn", "t", "main"], eager=True), "without end"),
    # In a task and in a callback, which have errors of their own.
    ({"coros": {"main": [["spawn", "t", "g"], ["sleep", 1]], "g": [["ctx_get", "nope"]]}}, "nope"),
    (
        {
            "coros": {"main": [["call_soon", "h", "k"], ["sleep", 1]]},
            "callbacks": {"k": [["sleep", 1]]},
        },
        "suspends",
    ),
]
NO_JSON = ["{", "nonsense", '{"coros": {"main": [["sleep", 1.5]]}}', "[" * 1000]

GOOD = {"name": "good", "coros": {"main": [["return", 5]]}}
GOOD_TRACE = ["0 main enter main", "0 main exit main = 5", "run = 5", "task main result 5", "end 0"]


def run(arguments, text):
    return subprocess.run(arguments, input=text, capture_output=True, text=True, timeout=60)


def main():
    runner = sys.argv[1]
    programs = [(json.dumps(program), word) for program, word in BAD]
    programs += [(text, "JSON") for text in NO_JSON]
    failures = 0
    good = json.dumps(GOOD)
    batch = run([runner, "--batch"], "".join(f"{text}\n{good}\n" for text, _ in programs))
    answers = [answer.splitlines() for answer in batch.stdout.split("=== ")[1:]]
    if batch.returncode != 0 or batch.stderr or len(answers) != 2 * len(programs):
        print(f"--batch: status {batch.returncode}, {len(answers)} answers, {batch.stderr}")
        failures += 1
    for (text, word), bad, after in zip(programs, answers[::2], answers[1::2]):
        try:
            [line] = bad[1:]
            right = word in json.loads(line)["error"]
        except (ValueError, KeyError, TypeError):
            right = False
        if not right:
            print(f"--batch: {text[:200]} gives {bad[:10]}")
            failures += 1
        if after != ["good", *GOOD_TRACE]:
            print(f"--batch: {text[:200]} is followed by {after[:10]}")
            failures += 1
    for text, word in programs:
        alone = run([runner], text)
        if alone.returncode != 1 or alone.stdout or word not in alone.stderr:
            print(f"{text[:200]} gives status {alone.returncode}: {alone.stderr} {alone.stdout[:200]}")
            failures += 1
    print(f"{len(programs)} bad programs, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
