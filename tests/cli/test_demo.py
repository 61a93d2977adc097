"""`make run URLS=…` gives the URLs to the brio command as they are."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@unittest.skipUnless(shutil.which("make"), "needs make")
class Demo(unittest.TestCase):
    def asked(self, urls):
        """Runs a copy of the Makefile without its set-up and build; gives the command's arguments."""
        with tempfile.TemporaryDirectory(prefix="brio-demo-") as name:
            folder = pathlib.Path(name)
            (folder / "scripts").mkdir()
            for path in ("Makefile", "scripts/demo.sh"):
                shutil.copy(ROOT / path, folder / path)
            command = folder / "build/release/cli/brio"
            command.parent.mkdir(parents=True)
            command.write_text("#!/bin/sh\nprintf '%s\\0' \"$@\" >arguments\n")
            command.chmod(0o755)
            clean = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
            result = subprocess.run(
                ["make", "run", "SETUP=:", "configure=:", "build=:", f"URLS={urls}"], cwd=folder,
                env=clean, capture_output=True, text=True)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertFalse((folder / "touched").exists())
            return (folder / "arguments").read_text().split("\0")[:-1]

    def test_urls_are_not_read_by_a_shell(self):
        urls = ["http://h/?a=1&b=2", "http://h/;touch${IFS}touched", "http://h/$(touch%20x)",
                "http://h/`touch`", "http://h/'\"*", "M*", "http://h/#x"]
        self.assertEqual(self.asked(" ".join(urls)), ["get", *urls])
        self.assertEqual(self.asked(" a\tb "), ["get", "a", "b"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
