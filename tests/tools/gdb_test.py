"""gdb_test.py GDB SCRIPT PROGRAM: runs the program under gdb and checks what the commands print."""
import re
import subprocess
import sys

gdb, script, program = sys.argv[1:]
commands = ["set debuginfod enabled off", f"source {script}", "break stop_here", "run",
            "brio tasks", "brio stack worker", "brio stack nobody"]
result = subprocess.run([gdb, "-batch", "-nx", *(word for c in commands for word in ("-ex", c)), program],
                        capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
out = result.stdout
expected = [
    r"^Task-1 +new or running +.*gdb_target\.cpp:\d+ in .*amain",
    r"^worker +waiting +.*gdb_target\.cpp:\d+ in .*inner",
    r"^Task-3 +waiting +.*gdb_target\.cpp:\d+ in .*inner",
    r"^3 tasks$",
    r"^worker \(waiting\) in thread 1, created at .*gdb_target\.cpp:\d+$",
    r"^  #0 .*outer.* at .*gdb_target\.cpp:\d+$",
    r"^  #1 .*inner.* at .*gdb_target\.cpp:\d+$",
    r"^no task named nobody$",
]
missing = [e for e in expected if not re.search(e, out, re.MULTILINE)]
if missing:
    print(out, result.stderr, "missing:", *missing, sep="\n")
    sys.exit(1)
print("1 passed, 0 failed")
