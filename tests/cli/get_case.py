"""What the tests of `brio get` share: a folder, the command, a look at what it left."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

COMMAND = []  # the path of the brio command
# Seconds after which a command counts as hung. No test depends on speed.
PATIENCE = 240


class GetTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="brio-get-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.out = self.root / "out"

    def start(self, *arguments, **options):
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.Popen(
            [COMMAND[0], "get", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", **options)

    def get(self, *arguments, status=0, **options):
        """Runs it with -o out; gives (stdout, stderr)."""
        text = options.pop("input", None)
        if text is not None:
            options["stdin"] = subprocess.PIPE
        process = self.start("-o", self.out, *arguments, **options)
        out, err = process.communicate(text, timeout=PATIENCE)
        self.assertEqual(process.returncode, status, err)
        self.assertNotIn("runtime error", err)
        self.assertNotIn("AddressSanitizer", err)
        return out, err

    def json(self, *arguments, status=0, **options):
        """Runs it with --json; gives the results by the URL's last part."""
        out, _ = self.get("--json", *arguments, status=status, **options)
        results = [json.loads(line) for line in out.splitlines()]
        return {result["url"].rsplit("/", 1)[1]: result for result in results}

    def names(self):
        return sorted(path.name for path in self.out.iterdir())

    def read(self, name):
        return (self.out / name).read_bytes()


def main():
    """Runs the tests of the module that was started, with the command that is its argument."""
    COMMAND.append(os.path.abspath(sys.argv.pop(1)))
    unittest.main(verbosity=2)
