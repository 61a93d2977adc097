#!/usr/bin/python3
"""Runs the benchmarks that are built under BUILD/bench and prints what they say.

    bench/run.py BUILD [--job PATTERN] [--peers NAME,…] [--rounds N]
    bench/run.py BUILD --count [--job PATTERN] [--peers NAME,…]

Every round runs each program once, each time as a new process on a core of its own, in an order
that turns around from round to round; a ratio is made of neighbours in one round. A complete run
writes bench/results/*.json and docs/benchmarks.md; one with --job or --peers only prints. Jobs are
those of catalogue.py, "sleeping_task", "hello_world" and "echo"; a pattern is a shell's (timer_*).
--count counts instructions with valgrind's callgrind instead of taking times.
"""

import argparse
import contextlib
import datetime
import fnmatch
import json
import os
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

import catalogue
import report

ROOT = pathlib.Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PRIORITY = 10
SAMPLES = 3
COMPILE_ROUNDS = 5


class Machine:
    """Where the programs run: cores to pin them to, and a priority if the system gives it."""

    def __init__(self):
        self.cores = sorted(os.sched_getaffinity(0))
        self.fifo = True
        try:
            subprocess.run(["true"], preexec_fn=lambda: self._place(1), check=True)
        except (PermissionError, subprocess.SubprocessError):
            self.fifo = False

    def _place(self, cores):
        os.sched_setaffinity(0, self.cores[-cores:])
        if self.fifo:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))

    def place_at(self, index):
        """On the core of that number."""
        os.sched_setaffinity(0, [self.cores[index]])
        if self.fifo:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))

    def output(self, command, cores=1):
        """What a program prints, run on as many cores as it has threads."""
        return subprocess.run(
            [str(part) for part in command],
            preexec_fn=lambda: self._place(cores),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def cpu_seconds(self, command, cwd):
        """User and system time of a command and its children."""
        process = subprocess.Popen(command, cwd=cwd, preexec_fn=lambda: self._place(1))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, command)
        return usage.ru_utime + usage.ru_stime


def progress(text):
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)


def interleaved(names, rounds):
    """The order of a round, turned around each time."""
    for number in range(rounds):
        yield number, (names if number % 2 == 0 else list(reversed(names)))


def environment(build):
    """What the figures depend on."""
    cpuinfo = pathlib.Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    cache = (build / "CMakeCache.txt").read_text()

    def cached(name):
        found = re.search(rf"^{name}:[A-Z]+=(.*)$", cache, re.M)
        return found[1] if found else ""

    build_type = cached("CMAKE_BUILD_TYPE")
    compiler = subprocess.run(
        [cached("CMAKE_CXX_COMPILER"), "--version"], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines()[0]
    commit = ""
    if shutil.which("git"):
        describe = ["git", "-C", ROOT, "describe", "--always", "--dirty"]
        commit = subprocess.run(describe, stdout=subprocess.PIPE, text=True).stdout.strip()
    return {
        "date": datetime.date.today().isoformat(),
        "commit": commit,
        "processor": model[1] if model else platform.machine(),
        "cores": os.cpu_count(),
        "virtual machine": bool(re.search(r"^flags\s*:.*\bhypervisor\b", cpuinfo, re.M)),
        "kernel": re.match(r"[\d.]*", platform.release())[0],
        "libc": " ".join(platform.libc_ver()),
        "compiler": compiler,
        "flags": " ".join(["-std=c++20", cached(f"CMAKE_CXX_FLAGS_{build_type.upper()}")]),
    }


class Run:
    def __init__(self, options):
        self.build = options.build.resolve()
        self.pattern = options.job
        self.rounds = options.rounds
        self.machine = Machine()
        self.skipped = {}
        wanted = options.peers.split(",") if options.peers else None
        for name in wanted or []:
            if name not in catalogue.PROGRAMS and name != "none":
                sys.exit(f"bench: no peer {name}; there are {', '.join(catalogue.PACKAGES)}")
        self.programs = []
        for name in catalogue.PROGRAMS:
            if name in catalogue.PACKAGES and wanted and name not in wanted:
                continue
            if not self.program(name).exists():
                needs = catalogue.PACKAGES.get(name)
                self.skipped[name] = f"not installed ({needs})" if needs else "not built"
                continue
            self.programs.append(name)
        for name in (catalogue.LIMIT, catalogue.BRIO):
            if name in self.skipped:
                sys.exit(f"bench: {self.program(name)} is not built")
        self.partial = bool(options.job or options.peers)

    def program(self, name, kind=""):
        return self.build / "bench" / (f"{name}_{kind}" if kind else name)

    def wants(self, job):
        return fnmatch.fnmatch(job, self.pattern or "*")

    def micro_jobs(self):
        """(job, the programs that have it), for each job that is wanted."""
        have = {}
        for name in self.programs:
            lines = self.machine.output([self.program(name), "--list"]).splitlines()
            have[name] = {line.split()[0]: int(line.split()[1]) for line in lines}
        for name in self.programs:
            for job in have[name]:
                if job not in catalogue.MICRO:
                    sys.exit(f"bench: {name} has a job {job} that catalogue.py does not know")
        for job in catalogue.MICRO:
            if self.wants(job):
                yield job, {name: have[name][job] for name in self.programs if job in have[name]}

    def versions(self):
        return {
            name: self.machine.output([self.program(name), "--version"]).strip()
            for name in self.programs
        }

    def header(self, **protocol):
        scheduler = f"SCHED_FIFO {PRIORITY}" if self.machine.fifo else "ordinary priority"
        return {
            "environment": environment(self.build),
            "programs": self.versions(),
            "skipped": self.skipped,
            "protocol": dict(protocol, scheduler=scheduler),
        }

    # --- the suites -----------------------------------------------------------------------------

    def micro(self):
        jobs = {}
        load = [os.getloadavg()[0]]
        for job, programs in self.micro_jobs():
            cores = catalogue.CORES.get(job, 1)
            if cores > len(self.machine.cores):
                print(f"{job}: skipped, it needs {cores} cores")
                continue
            times = {name: [] for name in programs}
            for number, order in interleaved(list(programs), self.rounds):
                progress(f"{job} {number + 1}/{self.rounds}")
                for name in order:
                    command = [self.program(name), job, SAMPLES]
                    times[name].append(json.loads(self.machine.output(command, cores))["median"])
            jobs[job] = times
        progress("")
        load.append(os.getloadavg()[0])
        if not jobs:
            return None
        return dict(
            self.header(rounds=self.rounds, samples=SAMPLES, load=[round(x, 1) for x in load]),
            unit="ns per operation: for each round the median of its samples",
            jobs=jobs,
        )

    def memory(self):
        if not self.wants("sleeping_task"):
            return None
        tasks = {
            name: json.loads(self.machine.output([self.program(name, "memory")]))
            for name in self.programs
            if self.program(name, "memory").exists()
        }
        return dict(self.header(), unit="bytes per sleeping task", tasks=tasks)

    def compile(self):
        if not self.wants("hello_world"):
            return None
        commands = {}
        for entry in json.loads((self.build / "compile_commands.json").read_text()):
            path = pathlib.Path(entry["file"])
            if path.parent != ROOT / "bench" / "compile":
                continue
            words = shlex.split(entry["command"])
            if pathlib.Path(words[0]).name == "ccache":
                del words[0]
            words[words.index("-o") + 1] = os.devnull
            if path.stem.split("_")[0] in self.programs:
                commands[path.stem] = (words, entry["directory"])
        times = {name: [] for name in commands}
        # Round 0 brings the headers into memory.
        for number, order in interleaved(list(commands), COMPILE_ROUNDS + 1):
            for name in order:
                progress(f"hello_world {number}/{COMPILE_ROUNDS}: {name}")
                seconds = self.machine.cpu_seconds(*commands[name])
                if number > 0:
                    times[name].append(round(seconds, 4))
        progress("")
        return dict(self.header(rounds=COMPILE_ROUNDS), unit="seconds of CPU time", sources=times)

    def echo(self):
        """CPU time of a server for each request; server and load have a core each."""
        if not self.wants("echo"):
            return None
        if len(self.machine.cores) < 2:
            print("echo: skipped, it needs 2 cores")
            return None
        jobs = {}
        for connections in catalogue.ECHO_CONNECTIONS:
            times = {name: [] for name in catalogue.ECHO_SERVERS}
            for number, order in interleaved(list(times), catalogue.ECHO_ROUNDS):
                for name in order:
                    progress(f"echo {connections} {number + 1}/{catalogue.ECHO_ROUNDS}: {name}")
                    times[name].append(self.echo_once(name, connections))
            jobs[str(connections)] = times
        progress("")
        return dict(self.header(rounds=catalogue.ECHO_ROUNDS, size=catalogue.ECHO_SIZE),
                    unit="ns of the server's CPU time per request", connections=jobs)

    def echo_once(self, name, connections):
        program, arguments, engine, _ = catalogue.ECHO_SERVERS[name]
        server = subprocess.Popen(
            [self.build / "bench" / program, *arguments], stdout=subprocess.PIPE, text=True,
            env=dict(os.environ, BRIO_LOOP=engine, BRIO_DEBUG="0"),
            preexec_fn=lambda: self.machine.place_at(0))
        with server, contextlib.ExitStack() as ending:
            ending.callback(server.kill)
            port = int(server.stdout.readline())
            load = subprocess.Popen(
                [self.build / "bench" / "echo_load", str(port), str(connections),
                 str(catalogue.ECHO_SIZE), "0.8", str(server.pid)],
                preexec_fn=lambda: self.machine.place_at(1), text=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            said = load.stdout.readline()
            server.kill()
            load.communicate()
        result = json.loads(said)
        return round(result["cpu_ns"] / result["requests"], 1)

    def counts(self):
        """Instructions per operation, without start and end: what two more batches add."""
        if not shutil.which("valgrind"):
            sys.exit("bench: counting needs valgrind: apt-get install valgrind")
        jobs = {}
        with tempfile.TemporaryDirectory() as folder:
            for name in self.programs:
                # valgrind stumbles over clang's debug information.
                stripped = [pathlib.Path(folder, name), "--strip-debug", self.program(name)]
                subprocess.run(["objcopy", *stripped[1:], stripped[0]], check=True)
            for job, programs in self.micro_jobs():
                if job in catalogue.NOT_COUNTED:
                    continue
                jobs[job] = {}
                for name, operations in programs.items():
                    progress(f"{job}: {name}")
                    if job != "gather_100k":
                        operations = min(operations, 10_000)
                    few, many = (
                        self.instructions(pathlib.Path(folder, name), job, samples, operations)
                        for samples in (1, 3)
                    )
                    jobs[job][name] = round((many - few) / (2 * operations), 1)
        progress("")
        header = self.header()
        del header["protocol"]
        return dict(header, unit="instructions per operation, by callgrind", jobs=jobs)

    @staticmethod
    def instructions(program, job, samples, operations):
        said = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={os.devnull}", program, job]
            + [str(samples), str(operations)],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ).stderr
        return int(re.search(r"Collected : (\d+)", said)[1])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--job", help="only the jobs that match this pattern")
    parser.add_argument("--peers", help="only these peers, or none")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--count", action="store_true")
    options = parser.parse_args()

    run = Run(options)
    for name, why in run.skipped.items():
        print(f"{name}: skipped, {why}")
    suites = ["counts"] if options.count else ["micro", "memory", "compile", "echo"]
    results = {}
    for suite in suites:
        result = getattr(run, suite)()
        if result is None:
            continue
        results[suite] = result
        print(report.SUITES[suite](result).text())
    if not results:
        sys.exit(f"bench: no job matches {options.job}")
    if run.partial:
        return
    RESULTS.mkdir(exist_ok=True)
    for suite, result in results.items():
        (RESULTS / f"{suite}.json").write_text(report.to_json(result))
    report.write()
    print("written: bench/results/" + ", ".join(f"{suite}.json" for suite in results)
          + " and docs/benchmarks.md")


if __name__ == "__main__":
    main()
