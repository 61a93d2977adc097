"""`brio get`: parts that are gone on with, and checksums: test_get_resuming.py <the brio command>."""

import contextlib
import hashlib
import os
import pathlib
import re
import signal
import threading
import time

import servers
from get_case import PATIENCE, GetTest, main
from servers import content


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

    def huge(self, path):
        """Makes a file of zeros that takes no room and hours to read."""
        with open(path, "wb") as file:
            try:
                file.truncate(1 << 42)
            except OSError as error:
                self.skipTest(f"no large files here: {error}")
        return 1 << 42

    def wait_until_open(self, process, path):
        """Waits until the process has the file open, which a thread of it then reads."""
        deadline = time.monotonic() + PATIENCE
        folder = pathlib.Path(f"/proc/{process.pid}/fd")
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                if any(fd.resolve() == path.resolve() for fd in folder.iterdir()):
                    return
            time.sleep(0.01)
        self.fail(f"{path} is not read: {process.poll()}")

    def hanging(self):
        """Starts a command that is in a thread for hours: it sums up a file that is there."""
        self.out.mkdir(exist_ok=True)
        self.huge(self.out / "a")
        (self.root / "SUMS").write_text(f"{'0' * 64}  a\n")
        process = self.start("-o", self.out, "--sha256", self.root / "SUMS", "http://127.0.0.1:1/a")
        self.addCleanup(process.kill)
        self.wait_until_open(process, self.out / "a")
        return process

    def test_interrupted_while_a_thread_hangs(self):
        for sig, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(sig):
                process = self.hanging()
                process.send_signal(sig)
                _, err = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, status, err)
                self.assertIn("0 files, 0 B in", err)
                self.assertIn("interrupted", err)
                self.assertIn("did not finish joining its threads within 3.0", err)
                self.assertEqual(self.names(), ["a"])

    def test_interrupted_twice_while_a_thread_hangs(self):
        for sig, status in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(sig):
                process = self.hanging()
                process.send_signal(sig)
                while "0 files" not in (line := process.stderr.readline()):
                    self.assertTrue(line)
                process.send_signal(sig)
                _, err = process.communicate(timeout=PATIENCE)
                self.assertEqual(process.returncode, status, err)

    def test_interrupted_while_a_thread_holds_the_part(self):
        size = 1 << 42
        answer = lambda h: h.answer(416, Content_Range=f"bytes */{size}", ETag='"v1"')
        with servers.script({"/f": answer}) as (url, seen):
            self.part(f"{url}/f", b"", total=size)
            part, = self.out.glob("*.part")
            self.huge(part)
            files = self.names()
            process = self.start("-o", self.out, "--json", f"{url}/f")
            self.addCleanup(process.kill)
            deadline = time.monotonic() + PATIENCE
            read = re.compile(r"rchar: (\d+)")
            while time.monotonic() < deadline:  # nothing else of it reads so much
                if int(read.search(pathlib.Path(f"/proc/{process.pid}/io").read_text())[1]) > 5e7:
                    break
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130, err)
        self.assertEqual(len(seen), 1)
        self.assertEqual(self.names(), files)

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

    def test_a_server_that_sends_the_rest_of_another_file(self):
        # It does not know If-Range; only the ETag tells that the file has changed meanwhile.
        old = content(3_000_000, "old")

        def route(handler, tries=[]):
            tries.append(1)
            if len(tries) == 1:
                handler.answer(200, old[:1_000_000], ETag='"v1"', Content_Length="3000000")
                return handler.drop()
            start = int(re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", "bytes=0-"))[1])
            if "Range" not in handler.headers:
                return handler.answer(200, self.body, ETag='"v2"')
            handler.answer(206, self.body[start:], ETag='"v2"',
                           Content_Range=f"bytes {start}-2999999/3000000")

        with servers.script({"/f": route}) as (url, seen):
            results = self.json(f"{url}/f")
        self.assertEqual(self.read("f"), self.body)
        self.assertFalse(results["f"]["resumed"])
        self.assertEqual([h.get("Range") for _, h in seen], [None, "bytes=1000000-", None])

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
        half, refused = threading.Event(), threading.Event()

        def route(handler):
            handler.send_response(200)
            handler.send_header("ETag", '"v1"')
            handler.send_header("Content-Length", str(len(self.body)))
            handler.end_headers()
            handler.wfile.write(self.body[:1_000_000])
            handler.wfile.flush()
            half.set()
            refused.wait(PATIENCE)
            handler.wfile.write(self.body[1_000_000:])

        with servers.script({"/f": route}) as (url, seen):
            first = self.start("-o", self.out, f"{url}/f")
            self.assertTrue(half.wait(PATIENCE))
            deadline = time.monotonic() + PATIENCE
            while len(list(self.out.glob(".brio-*"))) < 2 and time.monotonic() < deadline:
                time.sleep(0.01)
            files = self.names()
            _, err = self.get(f"{url}/f", status=1)
            self.assertIn("another process is downloading this URL", err)
            self.assertEqual(self.names(), files)
            refused.set()
            _, err = first.communicate(timeout=PATIENCE)
        self.assertEqual(first.returncode, 0, err)
        self.assertEqual(self.names(), ["f"])
        self.assertEqual(self.read("f"), self.body)
        self.assertEqual(len(seen), 1)

    def test_a_part_that_is_no_file_is_left_alone(self):
        with servers.script({"/f": lambda h: h.answer(200, b"x")}) as (url, _):
            self.part(f"{url}/f", b"")
            part, = self.out.glob("*.part")
            part.unlink()
            os.mkfifo(part)
            _, err = self.get(f"{url}/f", status=1)
        self.assertIn("Invalid argument", err)
        self.assertTrue(part.is_fifo())

    def test_a_state_that_is_no_file_is_no_state_and_left_alone(self):
        victim = self.root / "victim"
        victim.write_text("mine")
        aliens = {"pipe": os.mkfifo, "link": lambda path: path.symlink_to(victim),
                  "folder": os.mkdir}
        for kind, plant in aliens.items():
            with self.subTest(kind), servers.script({"/f": servers.Ranges(self.body)}
                                                    ) as (url, seen):
                self.part(f"{url}/f", b"old" * 10)
                meta, = self.out.glob("*.meta")
                meta.unlink()
                plant(meta)
                before = os.lstat(meta)
                self.get(f"{url}/f")
                self.assertNotIn("Range", seen[0][1])
                self.assertEqual(self.names(), sorted(["f", meta.name]))
                self.assertEqual(self.read("f"), self.body)
                self.assertEqual(os.lstat(meta).st_ino, before.st_ino)
                self.assertEqual(victim.read_text(), "mine")
                (self.out / "f").unlink()
                meta.rmdir() if kind == "folder" else meta.unlink()

    def test_a_link_to_a_state_is_not_followed(self):
        with servers.script({"/f": servers.Ranges(self.body)}) as (url, seen):
            self.part(f"{url}/f", self.body[:1000])
            meta, = self.out.glob("*.meta")
            meta.rename(self.root / "state")
            meta.symlink_to(self.root / "state")
            self.get(f"{url}/f")
        self.assertNotIn("Range", seen[0][1])
        self.assertTrue((self.root / "state").exists())

    def test_without_a_state_no_part_is_kept(self):
        route = servers.Ranges(self.body, breaks=[1_000_000, 1_000_000])
        with servers.script({"/f": route}) as (url, seen):
            self.part(f"{url}/f", b"")
            meta, = self.out.glob("*.meta")
            meta.unlink()
            os.mkfifo(meta)
            self.get(f"{url}/f", "--retries", 1, status=1)
        # Within one run it goes on all the same.
        self.assertEqual([h.get("Range") for _, h in seen], [None, "bytes=1000000-"])
        self.assertEqual(self.names(), [meta.name])


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

    def test_a_pipe_of_that_name_is_no_file(self):
        self.out.mkdir()
        os.mkfifo(self.out / "a")
        with servers.script({"/a": lambda h: h.answer(200, b"a")}) as (url, seen):
            results = self.json("--sha256", self.sums(a=b"a"), f"{url}/a")
        self.assertEqual(results["a"]["file"], str(self.out / "a.1"))
        self.assertTrue((self.out / "a").is_fifo())

    def test_a_list_that_comes_through_a_pipe(self):
        sums, urls = self.sums(a=b"a"), self.root / "urls"
        with servers.script({"/a": lambda h: h.answer(200, b"a")}) as (url, _):
            for path in (sums, urls):
                text = path.read_text() if path.exists() else f"{url}/a\n"
                path.unlink(missing_ok=True)
                os.mkfifo(path)
                threading.Thread(target=path.write_text, args=(text,)).start()
            self.get("-i", urls, "--sha256", sums)
        self.assertEqual(self.names(), ["a"])

    def test_a_list_that_is_none(self):
        (self.root / "SUMS").write_text("hello\n")
        _, err = self.get("--sha256", self.root / "SUMS", "http://127.0.0.1:1/", status=1)
        self.assertIn("line 1 is no checksum line", err)
        _, err = self.get("--sha256", self.root / "none", "http://127.0.0.1:1/", status=1)
        self.assertIn("No such file", err)


if __name__ == "__main__":
    main()
