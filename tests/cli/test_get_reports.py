"""`brio get`: what it shows and reports: test_get_reports.py <the brio command>."""

import base64
import fcntl
import json
import os
import pty
import select
import struct
import subprocess
import termios
import threading
import time

import servers
from get_case import COMMAND, PATIENCE, GetTest, main
from servers import content


class Reports(GetTest):
    def test_counts_read_as_english(self):
        with servers.script({"/a": lambda h: h.answer(200, b"A")}) as (url, _):
            _, err = self.get(f"{url}/a", f"{url}/a", f"{url}/gone", status=1)
            self.assertIn("left out 1 URL that was given again", err)
            self.assertIn("\n1 file, 1 B in", err)
            _, err = self.get(f"{url}/gone", status=1)
            self.assertIn("\n0 files, 0 B in", err)

    def test_a_report_that_cannot_be_written(self):
        read, closed = os.pipe()
        os.close(read)
        self.addCleanup(os.close, closed)
        with servers.script({f"/{n}": lambda h: h.answer(200, b"x") for n in "ab"}) as (url, _):
            with open("/dev/full", "w") as full:
                cases = [(full, "No space left on device"), (closed, "Broken pipe")]
                for stdout, why in cases:
                    for quiet in ([], ["-q"]):
                        with self.subTest(why=why, quiet=quiet):
                            done = subprocess.run(
                                [COMMAND[0], "get", "--json", *quiet, "-o", self.out, f"{url}/a",
                                 f"{url}/b"], stdin=subprocess.DEVNULL, stdout=stdout,
                                stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
                            self.assertEqual(done.returncode, 1, done.stderr)
                            said = f"brio: cannot write the report: {why}"
                            self.assertEqual(done.stderr.count(said), 1, done.stderr)
        self.assertEqual(len(self.names()), 8)  # the files came all the same


class Passwords(GetTest):
    def authorizations(self, seen):
        return [base64.b64decode(h["Authorization"].split()[1]).decode() for _, h in seen]

    def written(self):
        """All that is in the folder, names and contents."""
        return [text for path in self.out.iterdir() for text in (path.name, path.read_text("latin-1"))]

    def test_they_are_not_shown(self):
        routes = {"/a": lambda h: h.answer(200, b"A"),
                  "/r": lambda h: h.answer(302, Location="http://u:secret@h:bad/")}
        with servers.script(routes) as (url, seen):
            secret = url.replace("://", "://user:secret@")
            urls = [f"{secret}/a", f"{secret}/gone", f"{secret}/r", f"{secret}:bad/x",
                    "http://user:sec/secret@h/y"]
            out, err = self.get("--json", *urls, status=1)
        self.assertNotIn("secret", out + err)
        self.assertNotIn("user", out + err)
        shown = {json.loads(line)["url"] for line in out.splitlines()}
        broken = {url.replace("://", "://…@") + ":bad/x", "http://…@h/y"}
        self.assertEqual(shown, {f"{url}/{name}" for name in ("a", "gone", "r")} | broken)
        self.assertIn(f"failed {url}/gone: HTTP status 404", err)
        self.assertEqual(set(self.authorizations(seen)), {"user:secret"})

    def test_other_credentials_are_another_download(self):
        route = lambda h: h.answer(200, h.headers["Authorization"].encode())
        with servers.script({"/a": route}) as (url, seen):
            urls = [url.replace("://", f"://{user}@") + "/a" for user in ("me:one", "me:two", "you")]
            self.get("--sequential", *urls, urls[0])
        self.assertEqual(self.authorizations(seen), ["me:one", "me:two", "you:"])
        self.assertEqual(self.names(), ["a", "a.1", "a.2"])
        self.assertEqual(len(set(self.read(name) for name in self.names())), 3)

    def test_a_part_is_only_for_the_credentials_it_came_with(self):
        body = content(1_000_000)

        def route(handler, tries=[]):
            tries.append(1)
            if len(tries) == 1:
                handler.answer(200, body[:400_000], ETag='"v1"', Content_Length="1000000")
                return handler.drop()
            if "Range" in handler.headers:
                return handler.answer(206, body[400_000:], ETag='"v1"',
                                      Content_Range="bytes 400000-999999/1000000")
            handler.answer(200, b"other")

        with servers.script({"/f": route}) as (url, seen):
            one, two = (url.replace("://", f"://user:{word}@") + "/f" for word in ("secret", "other"))
            self.get("--retries", 0, one, status=1)
            self.assertEqual(len(self.names()), 2)
            self.assertNotIn("secret", "".join(self.written()))
            self.assertNotIn("user", "".join(self.written()))
            self.get(two)
            self.get(f"{url}/f")
            self.get(one)
        self.assertEqual([h.get("Range") for _, h in seen], [None, None, None, "bytes=400000-"])
        self.assertEqual([self.read(name) for name in self.names()], [b"other", b"other", body])


class Terminal(GetTest):
    def test_a_live_display(self):
        release = threading.Event()

        def route(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "2000000")
            handler.end_headers()
            handler.wfile.write(content(1_000_000))
            handler.wfile.flush()
            release.wait(PATIENCE)
            handler.wfile.write(content(1_000_000))

        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        with servers.script({"/\x41.bin": route}) as (url, _):
            process = subprocess.Popen([COMMAND[0], "get", "-o", self.out, f"{url}/A.bin"],
                                       stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                                       env={**os.environ, "TERM": "xterm"})
            os.close(slave)
            shown = b""
            deadline = time.monotonic() + PATIENCE
            while time.monotonic() < deadline:
                if not select.select([master], [], [], 1)[0]:
                    continue
                try:
                    shown += os.read(master, 65536)
                except OSError:
                    break
                if b"50%" in shown:
                    release.set()
            self.assertEqual(process.wait(PATIENCE), 0)
        os.close(master)
        text = shown.decode()
        self.assertIn("\x1b[2K", text)
        self.assertRegex(text, r"A\.bin +\[#+\.+\] +50%")
        self.assertIn("0/1 file", text)
        self.assertRegex(text, r"MiB/s")
        # At the end only lines are left: nothing is drawn after the last erasure but text.
        last = text.rsplit("\x1b[2K", 1)[1]
        self.assertRegex(last, r"1 file, 1\.9 MiB in ")


if __name__ == "__main__":
    main()
