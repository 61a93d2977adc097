#!/usr/bin/env python3
"""A g++ older than 14 is refused with the reason, and the opt-out macro lets it pass."""

import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SKIPPED = 77


def preprocess(compiler, *flags):
    return subprocess.run([compiler, "-std=c++20", f"-I{ROOT}", *flags, "-E", "-x", "c++", "-"],
                          input="#include <brio/core/config.hpp>\n", capture_output=True, text=True)


def main():
    compiler = sys.argv[1] if len(sys.argv) > 1 else "g++"
    try:
        version = subprocess.run([compiler, "-dumpversion"], capture_output=True, text=True).stdout
    except FileNotFoundError:
        print(f"SKIPPED: there is no {compiler} on this machine")
        sys.exit(SKIPPED)
    major = int(version.split(".")[0])
    plain = preprocess(compiler)
    if major >= 14:
        if plain.returncode != 0:
            sys.exit(f"g++ {major} is good enough, but is refused:\n{plain.stderr}")
        print(f"g++ {major}: accepted, as it must be")
        return

    if plain.returncode == 0:
        sys.exit(f"g++ {major} miscompiles coroutines, but is not refused")
    for word in ("g++ before 14", "miscompiles", "clang 19", "BRIO_ALLOW_MISCOMPILING_GCC"):
        if word not in plain.stderr:
            sys.exit(f"the refusal does not say {word!r}:\n{plain.stderr}")
    opted_out = preprocess(compiler, "-DBRIO_ALLOW_MISCOMPILING_GCC")
    if opted_out.returncode != 0:
        sys.exit(f"the opt-out macro does not let g++ {major} pass:\n{opted_out.stderr}")
    print(f"g++ {major}: refused with the reason; the opt-out macro lets it pass")


if __name__ == "__main__":
    main()
