#!/usr/bin/python3
"""Makes docs/benchmarks.md of bench/results/*.json.

    bench/report.py            writes it
    bench/report.py --check    fails if it is not what the results say
"""

import json
import pathlib
import re
import statistics
import sys

import catalogue
from catalogue import BRIO, LIMIT

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "benchmarks.md"


def to_json(result):
    """Indented, with each list of figures on a line of its own."""
    text = json.dumps(result, indent=2, ensure_ascii=False)
    return re.sub(r"\[[^\[\]{}]*\]", lambda found: " ".join(found[0].split()), text) + "\n"


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratios(over, under):
    """min–median–max of neighbours."""
    each = sorted(a / b for a, b in zip(over, under))
    return each[0], statistics.median(each), each[-1]


def spread(three):
    low, middle, high = (f"{value:.2f}" if value < 10 else f"{value:.0f}" for value in three)
    return f"**{middle}** ({low}–{high})"


def verdict(value, budget):
    if budget is None:
        return ""
    return f"≤ {budget:g}: {'met' if value <= budget else 'MISSED'}"


class Table:
    def __init__(self, *columns):
        self.columns = columns
        self.rows = []
        self.after = []

    def add(self, *cells):
        self.rows.append([str(cell) for cell in cells])

    def markdown(self):
        lines = [f"| {' | '.join(row)} |" for row in [self.columns, *self.rows]]
        lines.insert(1, "|" + "---|" * len(self.columns))
        return "\n".join([*lines, *([""] + self.after if self.after else [])])

    def text(self):
        rows = [[cell.replace("**", "").replace("`", "") for cell in row]
                for row in [self.columns, *self.rows]]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.columns))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
                 for row in rows]
        return "\n".join([*lines, *self.after, ""])


def peers(result):
    return [name for name in result["programs"] if name not in (LIMIT, BRIO)]


def micro(result):
    others = peers(result)
    columns = ["job", "limit, ns", "brio, ns", "brio ÷ limit", "budget"]
    for name in others:
        columns += [f"{name}, ns", f"{name} ÷ limit"]
    table = Table(*columns)
    noise = []
    for job, times in result["jobs"].items():
        row = [f"`{job}`"]
        for name in (LIMIT, BRIO):
            row.append(number(statistics.median(times[name])) if name in times else "–")
        if LIMIT in times and BRIO in times:
            three = ratios(times[BRIO], times[LIMIT])
            row += [spread(three), verdict(three[1], catalogue.MICRO[job][2])]
            middle = statistics.median(times[LIMIT])
            noise.append((max(times[LIMIT]) - min(times[LIMIT])) / middle)
        else:
            row += ["–", ""]
        for name in others:
            row.append(number(statistics.median(times[name])) if name in times else "–")
            row.append(spread(ratios(times[name], times[LIMIT]))
                       if name in times and LIMIT in times else "–")
        table.add(*row)
    protocol = result["protocol"]
    if noise:
        table.after.append(
            "Noise: from round to round the limit's own time moved by "
            f"{statistics.median(noise):.0%} (median of the jobs; at most {max(noise):.0%}); the load average was "
            f"{protocol['load'][0]} before and {protocol['load'][1]} after the run. "
            f"{protocol['rounds']} rounds, {protocol['scheduler']}.")
    return table


def memory(result):
    names = list(result["tasks"])
    table = Table("bytes per sleeping task", *names, "budget for brio")
    for field, (what, budget) in catalogue.MEMORY.items():
        figures = [result["tasks"][name][field] for name in names]
        table.add(what, *(number(value) for value in figures),
                  verdict(result["tasks"][BRIO][field], budget))
    return table


def compile(result):
    base = catalogue.COMPILE_BASE
    names = result["programs"]
    seconds = [f"{name}, s" for name in names]
    table = Table("hello-world with", *seconds, f"brio ÷ {base}", "budget")
    for variant, (what, budget) in catalogue.COMPILE.items():
        times = {}
        for name in names:
            found = result["sources"].get(f"{name}_{variant}" if variant else name)
            if found:
                times[name] = found
        row = [what] + [f"{statistics.median(times[name]):.2f}" if name in times else "–"
                        for name in names]
        if base in times:
            three = ratios(times[BRIO], times[base])
            row += [spread(three), verdict(three[1], budget)]
        else:
            row += ["–", ""]
        table.add(*row)
    return table


def counts(result):
    names = list(result["programs"])
    table = Table("job", *names, "brio ÷ limit")
    for job, each in result["jobs"].items():
        row = [f"`{job}`"] + [number(each[name]) if name in each else "–" for name in names]
        both = LIMIT in each and BRIO in each
        row.append(f"{each[BRIO] / each[LIMIT]:.2f}" if both else "–")
        table.add(*row)
    return table


def echo(result):
    table = Table("connections", "server", "ns per request", "÷ limit", "budget")
    for connections, times in result["connections"].items():
        base = times[LIMIT]
        table.add(connections, "the limit: a plain epoll loop", number(statistics.median(base)), "", "")
        for name, (_, _, _, budget) in catalogue.ECHO_SERVERS.items():
            if name == LIMIT or name not in times:
                continue
            three = ratios(times[name], base)
            table.add("", f"brio, {name}", number(statistics.median(times[name])), spread(three),
                      verdict(three[1], budget))
    return table


SUITES = {"micro": micro, "memory": memory, "compile": compile, "echo": echo, "counts": counts}

INTRODUCTION = """\
<!-- Made by bench/report.py of bench/results/*.json. Change those, not this. -->
# Benchmarks

What brio costs beside the limit, a plain loop of hand-written coroutines that can do nothing else:
no cancellation, exceptions, names, contexts or locations, one waiter for each thing. brio does all
that asyncio does, so a ratio of 1 is out of reach for most jobs; and beside its peers, as they are
written in their own documentation. All are built with the same compiler and flags and run in the
same run; `make bench` repeats it.
"""


def environment(result):
    said = result["environment"]
    where = "a virtual machine on " if said["virtual machine"] else ""
    commit = f", commit `{said['commit']}`" if said["commit"] else ""
    lines = [f"{said['date']}{commit}: {where}{said['processor']}, "
             f"{said['cores']} cores, Linux {said['kernel']}, {said['libc']}. "
             f"{said['compiler']}, `{said['flags']}`."]
    versions = [version for version in result["programs"].values() if version]
    lines.append("Programs: " + ", ".join(versions) + ", and the limit.")
    for name, why in result["skipped"].items():
        lines.append(f"{name} was skipped: {why}.")
    return "\n".join(lines)


def page():
    results = {}
    for suite in SUITES:
        path = RESULTS / f"{suite}.json"
        if path.exists():
            results[suite] = json.loads(path.read_text())
    return "\n".join(sections(results)).rstrip() + "\n"


def sections(results):
    yield INTRODUCTION
    for suite, title in TITLES.items():
        if suite not in results:
            continue
        yield f"## {title}\n\n{EXPLAINED[suite]}\n"
        yield SUITES[suite](results[suite]).markdown() + "\n"
        if suite == "micro":
            yield jobs_explained(results[suite])
        yield environment(results[suite]) + "\n"


def jobs_explained(result):
    table = Table("job", "one operation", "what brio does and the limit does not")
    for job in result["jobs"]:
        what, why, _ = catalogue.MICRO[job]
        table.add(f"`{job}`", what, why)
    return table.markdown() + "\n"


TITLES = {
    "micro": "Time per operation",
    "counts": "Instructions per operation",
    "memory": "Memory",
    "compile": "Compile time",
    "echo": "Echo",
}
EXPLAINED = {
    "micro": """\
Ratios are made of neighbours in the same round: **median** (min–max) over the rounds. Absolute
times move from minute to minute on a shared machine and mean little; the ratios stay. A dash: the
program has no such job.""",
    "counts": """\
Counted by callgrind, without start and end of the program. These hardly move from run to run; they
leave out what waits for memory.""",
    "memory": "For each of 100,000 tasks that sleep.",
    "compile": """\
CPU time of compiling one file, without a compiler cache. The limit has its loop in the file.""",
    "echo": """\
64 bytes to a server and back over TCP on the loopback; each connection asks again when it has its
answer. What counts is the CPU time of the server, of which more than nine tenths are the kernel's.
Server and load have a core each; `bench/echo/`.""",
}


def write():
    PAGE.write_text(page())


def main():
    if sys.argv[1:] == ["--check"]:
        if not PAGE.exists() or PAGE.read_text() != page():
            sys.exit("docs/benchmarks.md is not what bench/results says; run bench/report.py")
    else:
        write()


if __name__ == "__main__":
    main()
