"""`brio get` against real servers on loopback: test_get.py <the brio command>."""

import fcntl
import hashlib
import json
import os
import pathlib
import pty
import re
import resource
import select
import signal
import ssl
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest
import servers
from servers import content
from get_case import COMMAND, PATIENCE, GetTest


class Basics(GetTest):
    def test_files_of_pythons_server(self):
        site = self.root / "site"
        (site / "sub").mkdir(parents=True)
        bodies = {"a.txt": b"alpha", "sub/b c.bin": content(300_000), "empty": b""}
        for name, body in bodies.items():
            (site / name).write_bytes(body)
        with servers.files(site) as url:
            _, err = self.get(*(f"{url}/{name}" for name in bodies))
        self.assertEqual(self.names(), ["a.txt", "b c.bin", "empty"])
        for name, body in bodies.items():
            self.assertEqual(self.read(name.rsplit("/")[-1]), body)
        self.assertIn("saved", err)
        self.assertIn("3 files, 293 KiB in", err)

    def test_a_thousand_files_64_at_once(self):
        site = self.root / "site"
        site.mkdir()
        sums = []
        for i in range(1000):
            body = content(i * 37, str(i))
            (site / f"file{i}").write_bytes(body)
            sums.append(f"{hashlib.sha256(body).hexdigest()}  file{i}\n")
        (self.root / "SUMS").write_text("".join(sums))
        with servers.files(site) as url:
            (self.root / "urls").write_text("".join(f"{url}/file{i}\n" for i in range(1000)))
            self.get("-i", self.root / "urls", "-j", 64, "--sha256", self.root / "SUMS", "-q")
        self.assertEqual(len(self.names()), 1000)

    def test_lists_of_urls_and_duplicates(self):
        with servers.script({"/a": lambda h: h.answer(200, b"A"),
                             "/b": lambda h: h.answer(200, b"B")}) as (url, seen):
            again = url.replace("://", "://user:secret@").replace("127", "%3127")
            _, err = self.get(f"{url}/a", "-i", "-",
                              input=f"# list\n\n {url}/b\n{url}/a\r\n{again}/a#x")
        self.assertEqual(self.names(), ["a", "b"])
        self.assertEqual(len(seen), 2)
        self.assertIn("given twice", err)

    def test_json(self):
        with servers.script({"/a": lambda h: h.answer(200, b"abc")}) as (url, _):
            results = self.json(f"{url}/a", f"{url}/gone", status=1)
        self.assertEqual(results["a"]["status"], "ok")
        self.assertEqual(results["a"]["file"], str(self.out / "a"))
        self.assertEqual(results["a"]["bytes"], 3)
        self.assertEqual(results["a"]["received"], 3)
        self.assertEqual(results["a"]["sha256"], hashlib.sha256(b"abc").hexdigest())
        self.assertEqual(results["a"]["http_status"], 200)
        self.assertEqual(results["gone"]["status"], "failed")
        self.assertEqual(results["gone"]["error"], "HTTP status 404 Not Found")

    def test_quiet_says_failures_only(self):
        with servers.script({"/a": lambda h: h.answer(200, b"abc")}) as (url, _):
            out, err = self.get("-q", f"{url}/a")
            self.assertEqual((out, err), ("", ""))
            out, err = self.get("-q", f"{url}/a", f"{url}/gone", status=1)
        self.assertEqual(out, "")
        self.assertEqual(err, f"failed {url}/gone: HTTP status 404 Not Found\n")

    def test_coded_bodies_are_stored_as_they_come(self):
        body = b"\x1f\x8bnot really gzip"
        with servers.script({"/a.gz": lambda h: h.answer(200, body, Content_Encoding="gzip")}
                            ) as (url, seen):
            self.get(f"{url}/a.gz")
        self.assertEqual(self.read("a.gz"), body)
        self.assertEqual(seen[0][1]["Accept-Encoding"], "identity")

    def test_as_many_at_once_as_told(self):
        most = [0, 0]
        lock = threading.Lock()
        four = threading.Barrier(4)

        def route(handler, barrier):
            with lock:
                most[0] += 1
                most[1] = max(most)
            if barrier:
                four.wait(PATIENCE)  # goes on only when four are here
            handler.answer(200, b"x")
            with lock:
                most[0] -= 1

        routes = {f"/{i}": lambda h: route(h, True) for i in range(12)}
        with servers.script(routes) as (url, _):
            self.get("-j", 4, *(f"{url}/{i}" for i in range(12)))
        self.assertEqual(most[1], 4)
        most[:] = [0, 0]
        routes = {f"/{i}": lambda h: route(h, False) for i in range(12)}
        with servers.script(routes) as (url, seen):
            self.get("--sequential", *(f"{url}/{i}" for i in range(12)))
        self.assertEqual(most[1], 1)
        self.assertEqual([path for path, _ in seen], [f"/{i}" for i in range(12)])

    def test_the_command_line(self):
        for arguments in ([], ["--no-such-option", "http://h/"], ["-j", "0", "http://h/"],
                          ["-j", "x", "http://h/"], ["--timeout", "-1", "http://h/"]):
            _, err = self.get(*arguments, status=2)
            self.assertTrue(err, arguments)
        result = subprocess.run([COMMAND[0], "get", "--help"], capture_output=True, text=True)
        self.assertEqual(result.returncode, 0)
        self.assertIn("--sha256", result.stdout)
        result = subprocess.run([COMMAND[0], "--version"], capture_output=True, text=True)
        self.assertRegex(result.stdout, r"^brio \d+\.\d+\.\d+\n$")
        self.assertEqual(subprocess.run([COMMAND[0]], capture_output=True).returncode, 2)
        _, err = self.get("-i", self.root / "missing", status=1)
        self.assertIn("No such file or directory", err)


class Names(GetTest):
    def test_nothing_leaves_the_folder(self):
        evil = {
            "/a": 'attachment; filename="../../evil"',
            "/b": "attachment; filename*=UTF-8''..%2F..%2Fevil2",
            "/c": 'attachment; filename="/etc/passwd"',
            "/d": 'attachment; filename=".bashrc"',
            "/e": 'attachment; filename="-rf"',
            "/f": 'attachment; filename=".."',
            "/g": 'attachment; filename="CON"',
            "/h": 'attachment; filename="' + "n" * 400 + '.tar.gz"',
        }
        routes = {path: lambda h, cd=cd: h.answer(200, b"x", Content_Disposition=cd)
                  for path, cd in evil.items()}
        with servers.script(routes) as (url, _):
            self.get("--sequential", *(url + path for path in evil))
        self.assertEqual(self.names(), sorted(
            ["evil", "evil2", "passwd", "bashrc", "rf", "f", "_CON", "n" * 233 + ".tar.gz"]))
        self.assertEqual(sorted(p.name for p in self.root.iterdir()), ["out"])

    def test_odd_urls(self):
        answer = lambda h: h.answer(200, b"x")
        paths = ["/", "/x/", "/%2e%2e%2fup", "/a%00b", "/..%5c..%5cwin", "/q?name=/etc/passwd"]
        asked = ["/", "/x/", "/..%2Fup", "/a%00b", "/..%5C..%5Cwin", "/q"]
        routes = {p: answer for p in asked}
        with servers.script(routes) as (url, _):
            self.get("--sequential", *(url + path for path in paths))
        self.assertEqual(self.names(), ["a_b", "index.1.html", "index.html", "q", "up", "win"])

    def test_files_are_never_overwritten(self):
        self.out.mkdir()
        (self.out / "a.txt").write_text("mine")
        os.symlink("/nowhere", self.out / "a.1.txt")
        routes = {f"/{i}/a.txt": lambda h, i=i: h.answer(200, b"%d" % i) for i in range(3)}
        with servers.script(routes) as (url, _):
            self.get("--sequential", *(f"{url}/{i}/a.txt" for i in range(3)))
        self.assertEqual(self.read("a.txt"), b"mine")
        self.assertEqual([self.read(f"a.{i + 2}.txt") for i in range(3)], [b"0", b"1", b"2"])

    def test_a_name_taken_while_downloading(self):
        def route(handler):
            (self.out / "a").write_text("mine")
            handler.answer(200, b"x")
        with servers.script({"/a": route}) as (url, _):
            results = self.json(f"{url}/a")
        self.assertEqual(results["a"]["file"], str(self.out / "a.1"))
        self.assertEqual(self.read("a"), b"mine")

    def test_the_name_after_a_redirect(self):
        with servers.script({
                "/latest": lambda h: h.answer(302, Location="/v2.zip"),
                "/dir/": lambda h: h.answer(302, Location="/v2.zip"),
                "/v2.zip": lambda h: h.answer(200, b"x")}) as (url, _):
            self.get(f"{url}/latest")
            self.assertEqual(self.names(), ["latest"])
            self.get(f"{url}/dir/")
            self.assertEqual(self.names(), ["latest", "v2.zip"])


class Failures(GetTest):
    def test_one_failure_does_not_stop_the_others(self):
        with servers.script({"/a": lambda h: h.answer(200, b"A"),
                             "/b": lambda h: h.answer(200, b"B")}) as (url, _):
            _, err = self.get(f"{url}/a", f"{url}/none", f"{url}/b", status=1)
        self.assertEqual(self.names(), ["a", "b"])
        self.assertIn(f"failed {url}/none: HTTP status 404 Not Found", err)
        self.assertIn("1 failed", err)

    def test_redirects_in_a_circle(self):
        with servers.script({"/a": lambda h: h.answer(302, Location="/b"),
                             "/b": lambda h: h.answer(302, Location="/a")}) as (url, seen):
            _, err = self.get(f"{url}/a", status=1)
        self.assertIn("redirects in a circle", err)
        self.assertEqual(len(seen), 10)
        self.assertEqual(self.names(), [])

    def test_a_server_that_stalls(self):
        def half(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", "10")
            handler.end_headers()
            handler.wfile.write(b"half")
            handler.wait_for_client()
        with servers.script({"/head": lambda h: h.wait_for_client(), "/half": half}) as (url, seen):
            results = self.json("--timeout", 0.2, "--retries", 1, f"{url}/head", f"{url}/half",
                                status=1)
        for name in ("head", "half"):
            self.assertEqual(results[name]["error"], "Timeout on reading data from socket")
            self.assertEqual(results[name]["retries"], 1)
        self.assertEqual(len(seen), 4)
        self.assertEqual(self.names(), [])

    def test_a_server_that_lies_about_the_length(self):
        def more(handler):
            handler.answer(200, b"hello and more", Content_Length="5")
        def less(handler):
            handler.answer(200, b"hello", Content_Length="50")
            handler.drop()
        with servers.script({"/more": more, "/less": less}) as (url, seen):
            results = self.json("--retries", 2, f"{url}/more", f"{url}/less", status=1)
        self.assertEqual(self.read("more"), b"hello")
        self.assertIn("connection ended after 5 of 50 bytes", results["less"]["error"])
        self.assertEqual([path for path, _ in seen].count("/less"), 3)
        self.assertEqual(self.names(), ["more"])

    def test_what_may_pass_is_tried_again(self):
        left = {"busy": 2, "drop": 2, "late": 1}

        def busy(handler):
            left["busy"] -= 1
            if left["busy"] >= 0:
                return handler.answer(503, Retry_After="0")
            handler.answer(200, b"at last")

        def drop(handler):
            left["drop"] -= 1
            if left["drop"] >= 0:
                return handler.drop()
            handler.answer(200, b"at last")

        def late(handler):
            handler.answer(429, Retry_After="100000")

        with servers.script({"/busy": busy, "/drop": drop, "/late": late}) as (url, seen):
            results = self.json(f"{url}/busy", f"{url}/drop", f"{url}/late", status=1)
        self.assertEqual(results["busy"]["retries"], 2)
        # One of them may be the session's own, on a connection that it had kept.
        self.assertIn(results["drop"]["retries"], (1, 2))
        self.assertEqual(self.read("busy"), b"at last")
        self.assertEqual(self.read("drop"), b"at last")
        self.assertEqual(results["late"]["retries"], 0)
        self.assertEqual(results["late"]["error"], "HTTP status 429 Too Many Requests")

    def test_no_server_no_name_no_url(self):
        with servers.script({}) as (url, _):
            closed = url
        _, err = self.get("--retries", 0, f"{closed}/x", status=1)
        self.assertIn("Connection refused", err)
        _, err = self.get("--retries", 0, "http://no-such-name.invalid/x", status=1)
        self.assertIn("no-such-name.invalid", err)
        _, err = self.get("ftp://h/x", "nonsense", "http://127.1/", status=1)
        self.assertIn("scheme is neither http nor https", err)
        self.assertIn("no scheme", err)
        self.assertIn("3 failed", err)

    def test_no_http(self):
        def junk(handler):
            handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")
            handler.drop()
        with servers.script({"/x": junk}) as (url, seen):
            _, err = self.get(f"{url}/x", status=1)
        self.assertIn("invalid HTTP response", err)
        self.assertEqual(len(seen), 1)

    def test_folders_that_cannot_be(self):
        (self.root / "file").write_text("")
        _, err = self.get("-o", self.root / "file" / "x", "http://127.0.0.1:1/", status=1)
        self.assertIn("Not a directory", err)

    def test_a_limit_on_file_sizes(self):
        # The nearest to a full disk that needs no rights: the kernel refuses to write on.
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))

        def unsized(handler):
            handler.send_response(200)
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.wfile.write(content(3 << 20))
            handler.close_connection = True

        with servers.script({"/big": lambda h: h.answer(200, content(3 << 20)),
                             "/unsized": unsized,
                             "/small": lambda h: h.answer(200, b"x")}) as (url, _):
            _, err = self.get(f"{url}/big", f"{url}/unsized", f"{url}/small", status=1,
                              preexec_fn=limit)
        self.assertEqual(err.count("File too large"), 2, err)
        self.assertEqual(self.names(), ["small"])

    def test_a_full_disk(self):
        if os.geteuid() != 0:
            self.skipTest("needs root to mount a small tmpfs")
        self.out.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "none", self.out],
                                 capture_output=True)
        if mounted.returncode != 0:
            self.skipTest("cannot mount a tmpfs here")
        self.addCleanup(subprocess.run, ["umount", self.out])

        def unsized(handler):
            handler.send_response(200)
            handler.send_header("ETag", '"x"')
            handler.send_header("Connection", "close")
            handler.end_headers()
            handler.wfile.write(content(3 << 20))
            handler.close_connection = True

        with servers.script({"/big": lambda h: h.answer(200, content(3 << 20)),
                             "/unsized": unsized}) as (url, _):
            _, err = self.get(f"{url}/big", status=1)
            self.assertIn("No space left on device", err)
            _, err = self.get(f"{url}/unsized", status=1)
            self.assertIn("No space left on device", err)
        self.assertEqual(self.names(), [])


class Resuming(GetTest):
    body = content(3_000_000)

    def test_a_connection_that_breaks_half_way(self):
        route = servers.Ranges(self.body, breaks=[1_000_000, 700_000])
        with servers.script({"/f": route}) as (url, seen):
            results = self.json(f"{url}/f")
        self.assertEqual(self.read("f"), self.body)
        self.assertEqual(results["f"]["retries"], 2)
        self.assertTrue(results["f"]["resumed"])
        self.assertEqual(results["f"]["received"], 3_000_000)
        self.assertEqual(results["f"]["sha256"], hashlib.sha256(self.body).hexdigest())
        ranges = [(h.get("Range"), h.get("If-Range")) for _, h in seen]
        self.assertEqual(ranges, [(None, None), ("bytes=1000000-", '"v1"'),
                                  ("bytes=1700000-", '"v1"')])
        self.assertEqual(self.names(), ["f"])

    def test_without_a_validator_it_begins_again(self):
        def route(handler, tries=[]):
            tries.append(1)
            if len(tries) > 1:
                return handler.answer(200, self.body)
            handler.answer(200, self.body[:1000], Content_Length=str(len(self.body)))
            handler.drop()
        with servers.script({"/f": route}) as (url, seen):
            results = self.json(f"{url}/f")
        self.assertEqual(self.read("f"), self.body)
        self.assertFalse(results["f"]["resumed"])
        self.assertNotIn("Range", seen[1][1])

    def interrupted(self, url, route, sig=signal.SIGINT):
        """Starts a download, waits until it hangs, and interrupts it."""
        process = self.start("-o", self.out, url)
        self.assertTrue(route.broken.wait(PATIENCE))
        deadline = time.monotonic() + PATIENCE
        # The bytes are on their way; a moment too early only makes the part smaller.
        while not any(self.out.glob(".brio-*.part")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(sig)
        _, err = process.communicate(timeout=PATIENCE)
        return process.returncode, err

    def test_interrupted_and_gone_on_with(self):
        route = servers.Ranges(self.body, breaks=[1_500_000], stall=True)
        with servers.script({"/f": route}) as (url, seen):
            status, err = self.interrupted(f"{url}/f", route)
            self.assertEqual(status, 130, err)
            self.assertIn("interrupted", err)
            kept = sorted(p.suffix for p in self.out.iterdir())
            results = self.json(f"{url}/f")
        self.assertEqual(self.read("f"), self.body)
        self.assertEqual(self.names(), ["f"])
        if kept:  # at least a byte had come
            self.assertEqual(kept, [".meta", ".part"])
            self.assertTrue(results["f"]["resumed"])
            self.assertLess(results["f"]["received"], 3_000_000)
            self.assertEqual(seen[1][1]["If-Range"], '"v1"')

    def test_sigterm(self):
        route = servers.Ranges(self.body, breaks=[1_500_000], stall=True)
        with servers.script({"/f": route}) as (url, _):
            status, err = self.interrupted(f"{url}/f", route, signal.SIGTERM)
        self.assertEqual(status, 143, err)

    def test_interrupted_without_a_validator_leaves_nothing(self):
        route = servers.Ranges(self.body, etag='W/"weak"', breaks=[1_500_000], stall=True)
        with servers.script({"/f": route}) as (url, _):
            status, err = self.interrupted(f"{url}/f", route)
        self.assertEqual(status, 130, err)
        self.assertEqual(self.names(), [])

    def part(self, url, data, validator='"v1"', total=None):
        """Puts a part of an earlier run into place."""
        self.out.mkdir(exist_ok=True)
        stem = ".brio-" + hashlib.sha256(url.encode()).hexdigest()[:16]
        (self.out / f"{stem}.part").write_bytes(data)
        (self.out / f"{stem}.meta").write_text(
            f"brio get, partial file 1\nurl: {url}\nvalidator: {validator}\n"
            f"total: {total or ''}\nname: f\n")

    def test_a_file_that_has_changed(self):
        with servers.script({"/f": servers.Ranges(self.body, etag='"v2"')}) as (url, seen):
            self.part(f"{url}/f", b"old" * 1000)
            results = self.json(f"{url}/f")
        self.assertEqual(seen[0][1]["If-Range"], '"v1"')
        self.assertEqual(self.read("f"), self.body)
        self.assertFalse(results["f"]["resumed"])

    def test_a_part_that_is_whole(self):
        with servers.script({"/f": servers.Ranges(self.body)}) as (url, seen):
            self.part(f"{url}/f", self.body, total=len(self.body))
            results = self.json(f"{url}/f")
        self.assertEqual(self.read("f"), self.body)
        self.assertEqual(results["f"]["received"], 0)
        self.assertEqual(results["f"]["http_status"], 416)

    def test_answers_that_do_not_fit(self):
        def other_range(handler):
            if "Range" in handler.headers:
                return handler.answer(206, self.body[5:], Content_Range="bytes 5-9/10")
            handler.answer(200, self.body)
        def unsatisfied(handler):
            if "Range" in handler.headers:
                return handler.answer(416, Content_Range="bytes */7")
            handler.answer(200, self.body)
        for route in (other_range, unsatisfied):
            with self.subTest(route.__name__), servers.script({"/f": route}) as (url, seen):
                self.part(f"{url}/f", b"old" * 1000)
                results = self.json(f"{url}/f")
                self.assertEqual((self.out / "f").read_bytes(), self.body)
                self.assertEqual(len(seen), 2)
                self.assertEqual(results["f"]["retries"], 0)
                (self.out / "f").unlink()

    def test_parts_that_are_damaged(self):
        with servers.script({"/f": servers.Ranges(self.body)}) as (url, seen):
            self.part(f"{url}/f", b"old" * 10)
            for meta in self.out.glob("*.meta"):
                meta.write_text("nonsense")
            self.get(f"{url}/f")
            self.assertNotIn("Range", seen[0][1])
            self.assertEqual(self.names(), ["f"])
        self.assertEqual(self.read("f"), self.body)

    def test_a_sum_finds_a_wrong_part(self):
        # The same ETag, other bytes: the sum does not fit, and one download from the start does.
        (self.root / "SUMS").write_text(f"{hashlib.sha256(self.body).hexdigest()}  f\n")
        with servers.script({"/f": servers.Ranges(self.body)}) as (url, seen):
            self.part(f"{url}/f", b"x" * 1000)
            self.get(f"{url}/f", "--sha256", self.root / "SUMS")
        self.assertEqual(self.read("f"), self.body)
        self.assertEqual(len(seen), 2)

    def test_two_processes_do_not_share_a_part(self):
        route = servers.Ranges(self.body, breaks=[1000], stall=True)
        with servers.script({"/f": route}) as (url, _):
            first = self.start("-o", self.out, f"{url}/f")
            self.assertTrue(route.broken.wait(PATIENCE))
            _, err = self.get(f"{url}/f", status=1)
            self.assertIn("another process is downloading this URL", err)
            first.send_signal(signal.SIGINT)
            first.communicate(timeout=PATIENCE)
            self.assertEqual(first.returncode, 130)


class Checksums(GetTest):
    def sums(self, **bodies):
        path = self.root / "SUMS"
        path.write_text("".join(f"{hashlib.sha256(b).hexdigest()}  {n}\n" for n, b in bodies.items()))
        return path

    def test_right_wrong_and_missing(self):
        routes = {f"/{n}": lambda h, n=n: h.answer(200, n.encode()) for n in "abc"}
        with servers.script(routes) as (url, seen):
            results = self.json("--sha256", self.sums(a=b"a", b=b"other"),
                                *(f"{url}/{n}" for n in "abc"), status=1)
        self.assertEqual(self.names(), ["a"])
        self.assertEqual(results["a"]["status"], "ok")
        self.assertIn("checksum mismatch: expected", results["b"]["error"])
        self.assertEqual(results["c"]["error"], "no checksum for c in the list")
        self.assertEqual(results["b"]["retries"], 0)

    def test_what_is_there_already_is_not_downloaded(self):
        with servers.script({"/a": lambda h: h.answer(200, b"a")}) as (url, seen):
            for _ in range(2):
                results = self.json("--sha256", self.sums(a=b"a"), f"{url}/a")
        self.assertEqual(len(seen), 1)
        self.assertEqual(results["a"]["received"], 0)
        self.assertEqual(self.names(), ["a"])

    def test_a_list_that_is_none(self):
        (self.root / "SUMS").write_text("hello\n")
        _, err = self.get("--sha256", self.root / "SUMS", "http://127.0.0.1:1/", status=1)
        self.assertIn("line 1 is no checksum line", err)
        _, err = self.get("--sha256", self.root / "none", "http://127.0.0.1:1/", status=1)
        self.assertIn("No such file", err)


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


class Tls(GetTest):
    def test_certificates_are_verified(self):
        key, cert = self.root / "key.pem", self.root / "cert.pem"
        made = subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key,
             "-out", cert, "-subj", "/CN=brio test", "-addext", "subjectAltName=IP:127.0.0.1"],
            capture_output=True)
        self.assertEqual(made.returncode, 0, made.stderr)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        site = self.root / "site"
        site.mkdir()
        (site / "f").write_bytes(content(500_000))
        with servers.files(site, context) as url:
            _, err = self.get(f"{url}/f", status=1)
            self.assertIn("certificate verify failed", err)
            self.assertEqual(self.names(), [])
            trusting = {**os.environ, "SSL_CERT_FILE": str(cert)}
            self.get(f"{url}/f", env=trusting)
            self.assertEqual(self.read("f"), content(500_000))
            other = re.sub("127.0.0.1", "localhost", url)
            _, err = self.get(f"{other}/f", status=1, env=trusting)
            self.assertIn("certificate", err)


if __name__ == "__main__":
    COMMAND.append(os.path.abspath(sys.argv.pop(1)))
    unittest.main(verbosity=2)
