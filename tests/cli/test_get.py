"""`brio get` against real servers on loopback: test_get.py <the brio command>."""

import hashlib
import os
import re
import resource
import signal
import ssl
import subprocess
import threading
import time

import servers
from get_case import COMMAND, PATIENCE, GetTest, main
from servers import content


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
            (self.root / "urls").write_text("".join(f"{url}/file{i}\n" for i in range(900)))
            (self.root / "more").write_text("".join(f"{url}/file{i}\n" for i in range(900, 1000)))
            self.get("-i", self.root / "urls", "-i", self.root / "more", "-j", 64,
                     "--sha256", self.root / "SUMS", "-q")
        self.assertEqual(len(self.names()), 1000)

    def test_lists_of_urls_and_duplicates(self):
        with servers.script({"/a": lambda h: h.answer(200, b"A"),
                             "/b": lambda h: h.answer(200, b"B")}) as (url, seen):
            again = url.replace("127", "%3127")
            _, err = self.get(f"{url}/a", "-i", "-",
                              input=f"# list\n\n {url}/b\n{url}/a\r\n{again}/a#x")
        self.assertEqual(self.names(), ["a", "b"])
        self.assertEqual(len(seen), 2)
        self.assertIn("left out 2 URLs that were given again", err)

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
        # In debug mode a slow machine is told of slow callbacks.
        plain = {**os.environ, "BRIO_DEBUG": "0"}
        with servers.script({"/a": lambda h: h.answer(200, b"abc")}) as (url, _):
            out, err = self.get("-q", f"{url}/a", env=plain)
            self.assertEqual((out, err), ("", ""))
            out, err = self.get("-q", f"{url}/a", f"{url}/gone", status=1, env=plain)
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
                          ["-j", "x", "http://h/"], ["--timeout", "-1", "http://h/"], ["--timeout", "nan", "http://h/"]):
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

    def test_a_server_that_announces_more_than_there_is(self):
        route = lambda h: h.answer(200, b"x", Content_Length=str((1 << 63) - 1))
        with servers.script({"/f": route}) as (url, seen):
            _, err = self.get(f"{url}/f", status=1)
        self.assertRegex(err, r"what the server announces \(8\.0 EiB, .* free\)")
        self.assertEqual(len(seen), 1)
        self.assertEqual(self.names(), [])

    def test_what_a_server_announces_takes_no_room(self):
        def route(handler):
            handler.send_response(200)
            handler.send_header("Content-Length", str(1 << 30))
            handler.end_headers()
            handler.wfile.write(content(1 << 20))
            handler.wait_for_client()

        with servers.script({"/f": route}) as (url, _):
            process = self.start("-o", self.out, f"{url}/f")
            deadline = time.monotonic() + PATIENCE
            size = 0
            while size == 0 and time.monotonic() < deadline:
                time.sleep(0.01)
                for part in self.out.glob(".brio-*.part"):
                    size, room = part.stat().st_size, part.stat().st_blocks * 512
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 130, err)
        self.assertGreater(size, 0, err)
        self.assertLess(room, 64 << 20)

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
            self.assertIn("the server announces (3.0 MiB, 2.0 MiB free)", err)
            self.assertIn("No space left on device", err)
            _, err = self.get(f"{url}/unsized", status=1)
            self.assertIn("No space left on device", err)
        self.assertEqual(self.names(), [])


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
    main()
