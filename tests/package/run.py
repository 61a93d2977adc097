#!/usr/bin/env python3
"""Installs a build of brio into a fresh prefix and uses it as a stranger would.

Checks, be it static or shared: a CMake project with find_package(brio COMPONENTS core)
builds and runs; so does a compilation with pkg-config's flags; a shared library has its SONAME and
exports nothing that is not brio's.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CONSUMER = HERE / "consumer"


def run(*command, **options):
    print("+", *command, flush=True)
    result = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **options)
    if result.returncode != 0:
        sys.exit(f"{result.stdout}\nFAILED with {result.returncode}: {command[0]}")
    return result.stdout


def check_find_package(options, prefix):
    build = options.work / "consumer"
    run(options.cmake, "-S", CONSUMER, "-B", build, "-G", "Ninja",
        f"-DCMAKE_CXX_COMPILER={options.compiler}", f"-DCMAKE_PREFIX_PATH={prefix}",
        f"-DCMAKE_CXX_FLAGS={options.flags}")
    run(options.cmake, "--build", build)
    for program in ("consumer", "everything"):
        print(run(build / program), end="")
    return build / "consumer"


def check_missing_component(options, prefix):
    source = options.work / "missing"
    source.mkdir(exist_ok=True)
    (source / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.25)\nproject(missing NONE)\n"
        "find_package(brio REQUIRED COMPONENTS core nope OPTIONAL_COMPONENTS perhaps)\n")
    asked = subprocess.run([str(options.cmake), "-S", str(source), "-B", str(source / "build"),
                            "-G", "Ninja",
                            f"-DCMAKE_PREFIX_PATH={prefix}"], capture_output=True, text=True)
    said = " ".join(asked.stderr.split())
    if asked.returncode == 0 or "no such component of brio: nope (installed are:" not in said:
        sys.exit(f"find_package with a component that does not exist said:\n{asked.stderr}")


def check_pkg_config(options, prefix, libdir):
    if not shutil.which("pkg-config"):
        print("SKIPPED: pkg-config is not installed")
        return
    environment = {**os.environ, "PKG_CONFIG_PATH": str(libdir / "pkgconfig")}
    mine = options.flags.split()
    flags = run("pkg-config", "--cflags", "--libs", "brio-core", env=environment).split()
    program = options.work / "consumer-pc"
    # The newest standard too: public headers must be clean in it.
    for standard in ("c++20", "c++23"):
        run(options.compiler, f"-std={standard}", *mine, CONSUMER / "main.cpp", "-o", program, *flags)
        print(run(program, env={**os.environ, "LD_LIBRARY_PATH": str(libdir)}), end="")
    for file in sorted((libdir / "pkgconfig").glob("brio*.pc")):
        run("pkg-config", "--print-errors", "--exists", file.stem, env=environment)
    everything = run("pkg-config", "--cflags", "--libs", "brio", env=environment).split()
    for word in flags + [f"-l{lib.stem[3:]}" for lib in libdir.glob("libbrio-*.[as]*")
                         if lib.suffix in (".a", ".so")]:
        if word not in everything:
            sys.exit(f"pkg-config's flags of brio lack {word}: {everything}")


def check_readme(options, prefix, libdir):
    """The program that README.md opens with is a promise."""
    umbrella = prefix / "include" / "brio" / "brio.hpp"
    if not umbrella.exists() or not shutil.which("pkg-config"):
        print(f"SKIPPED: the README's program ({umbrella.name} or pkg-config is missing)")
        return
    program = re.search(r"```cpp\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    source = options.work / "readme.cpp"
    source.write_text(program)
    flags = run("pkg-config", "--cflags", "--libs", "brio-net",
                env={**os.environ, "PKG_CONFIG_PATH": str(libdir / "pkgconfig")}).split()
    binary = options.work / "readme"
    run(options.compiler, "-std=c++20", "-Wall", "-Wextra", "-Werror",
        *options.flags.split(), source, "-o", binary, *flags)
    said = run(binary, env={**os.environ, "LD_LIBRARY_PATH": str(libdir)})
    if said != "42\n":
        sys.exit(f"the README's program printed {said!r}")


def check_symbols(library):
    """Exits if the library exports what it should not: names without brio in them, and lambdas and
    unnamed namespaces, which are nobody's business."""
    names = [line.split()[-1].split("@")[0]
             for line in run("nm", "-D", "--defined-only", library).splitlines()]
    strange = [name for name in names
               if not re.search(r"4brio|^brio_", name) or re.search(r"_GLOBAL__N|UlvE|Ul\w+E\d*_", name)]
    if strange:
        sys.exit(f"{library.name} exports what it should not:\n"
                 + run("c++filt", input="\n".join(strange)))
    print(f"{library.name}: {len(names)} exported symbols, all brio's")


def check_shared(libdir, program):
    libraries = sorted(p for p in libdir.glob("libbrio-*.so") if p.is_symlink())
    if not libraries:
        sys.exit("no shared library was installed")
    for library in libraries:
        soname = re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", library))
        if not soname or soname[1] != f"{library.name}.0":
            sys.exit(f"{library.name}: wrong SONAME {soname and soname[1]}")
        if not (libdir / soname[1]).exists():
            sys.exit(f"{soname[1]} was not installed")
        check_symbols(library)
    if "libbrio-core.so.0" not in run("readelf", "-d", program):
        sys.exit("the consumer does not use the shared library")


def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("kind", choices=["static", "shared"])
    arguments.add_argument("--build", type=pathlib.Path, required=True, help="a finished build")
    arguments.add_argument("--work", type=pathlib.Path, required=True)
    arguments.add_argument("--cmake", default="cmake")
    arguments.add_argument("--compiler", default="clang++-19")
    arguments.add_argument("--flags", default="", help="what the build's own code was compiled with")
    options = arguments.parse_args()

    prefix = options.work / "prefix"
    for leftover in (prefix, options.work / "consumer", options.work / "missing"):
        shutil.rmtree(leftover, ignore_errors=True)
    options.work.mkdir(parents=True, exist_ok=True)
    run(options.cmake, "--install", options.build, "--prefix", prefix)
    libdir = next(prefix.rglob("brioConfig.cmake")).parent.parent.parent
    program = check_find_package(options, prefix)
    check_missing_component(options, prefix)
    check_pkg_config(options, prefix, libdir)
    check_readme(options, prefix, libdir)
    if options.kind == "shared":
        check_shared(libdir, program)
    print(f"the installed package ({options.kind}) works")


if __name__ == "__main__":
    main()
