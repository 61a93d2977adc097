"""`brio serve` with clients that are not ours: http.client, curl, and brio get."""

import hashlib
import http.client
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

COMMAND = []  # the path of the brio command
PATIENCE = 240


class ServeTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="brio-serve-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.site = self.root / "site"
        (self.site / "sub").mkdir(parents=True)
        (self.site / "a.txt").write_text("hello")
        (self.site / "sub" / "index.html").write_text("<p>sub")
        (self.site / ".hidden").write_text("no")

    def serve(self, *arguments):
        process = subprocess.Popen(
            [COMMAND[0], "serve", self.site, "-p", "0", *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        announced = process.stderr.readline()
        found = re.search(r"at (\S+)$", announced)
        self.assertTrue(found, announced + (process.stderr.read() if process.poll() is not None else ""))
        self.url = found.group(1)
        port = re.search(r":(\d+)/$", self.url)
        self.port = int(port.group(1)) if port else 0
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def stop(self, process, by=signal.SIGTERM):
        process.send_signal(by)
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, err)
        self.assertNotIn("runtime error", err)
        self.assertNotIn("Sanitizer", err)
        return out

    @staticmethod
    def state_of(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except OSError:
            return ""

    def fetch(self, path, method="GET", headers={}):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def test_files_ranges_listing_and_the_log(self):
        process = self.serve()
        answer, body = self.fetch("/a.txt")
        self.assertEqual((answer.status, body), (200, b"hello"))
        self.assertEqual(answer.headers["Content-Type"], "text/plain; charset=utf-8")
        answer, body = self.fetch("/a.txt", headers={"Range": "bytes=1-2"})
        self.assertEqual((answer.status, body), (206, b"el"))
        answer, body = self.fetch("/")
        self.assertEqual(answer.status, 200)
        self.assertIn(b'href="./a.txt"', body)
        self.assertNotIn(b"hidden", body)
        self.assertEqual(self.fetch("/sub/")[1], b"<p>sub")
        self.assertEqual(self.fetch("/.hidden")[0].status, 404)
        self.assertEqual(self.fetch("/../site/a.txt")[0].status, 404)
        self.assertEqual(self.fetch("/a.txt", "DELETE")[0].status, 405)
        self.fetch("/a.txt", headers={"User-Agent": 'x" \\ y'})
        lines = self.stop(process).splitlines()
        self.assertRegex(lines[0], r'^127\.0\.0\.1 - - \[\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d \+0000\] '
                                   r'"GET /a\.txt HTTP/1\.1" 200 5 "-" "-"$')
        self.assertTrue(lines[-1].endswith(r'"x\x22 \x5c y"'), lines[-1])
        self.assertEqual(len(lines), 8)

    def test_a_large_file_by_curl_and_by_brio_get(self):
        data = os.urandom(20_000_000)
        (self.site / "big").write_bytes(data)
        process = self.serve("-q")
        if shutil.which("curl"):
            got = subprocess.run(["curl", "-sS", "--noproxy", "*", self.url + "big"],
                                 capture_output=True, timeout=PATIENCE, check=True).stdout
            self.assertEqual(hashlib.sha256(got).digest(), hashlib.sha256(data).digest())
        out = self.root / "out"
        subprocess.run([COMMAND[0], "get", "-q", "-o", out, self.url + "big"], check=True,
                       timeout=PATIENCE)
        self.assertEqual((out / "big").read_bytes(), data)
        self.assertEqual(self.stop(process), "")

    def test_a_single_page_application_without_listing(self):
        (self.site / "index.html").write_text("app")
        process = self.serve("--spa", "--cache-control", "no-cache", "--hidden")
        answer, body = self.fetch("/any/where")
        self.assertEqual((answer.status, body), (200, b"app"))
        self.assertEqual(answer.headers["Cache-Control"], "no-cache")
        self.assertEqual(self.fetch("/.hidden")[1], b"no")
        self.stop(process)
        (self.site / "index.html").unlink()
        process = self.serve("--no-listing")
        self.assertEqual(self.fetch("/")[0].status, 404)
        self.stop(process, signal.SIGINT)

    def test_several_workers_one_of_which_dies(self):
        process = self.serve("-w", "2")
        for _ in range(10):
            self.assertEqual(self.fetch("/a.txt")[1], b"hello")
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)],
                                  capture_output=True, text=True).stdout.split()
        self.assertGreaterEqual(len(children), 2)
        os.kill(int(children[0]), signal.SIGKILL)
        # The kernel gives the dead worker connections until it has cleared it away, which for an
        # io_uring may be after the process is a zombie. Those are lost; others are served.
        while self.state_of(children[0]) not in ("Z", "X", ""):
            time.sleep(0.01)
        deadline = time.monotonic() + PATIENCE
        served = 0
        while served < 10:
            try:
                self.assertEqual(self.fetch("/a.txt")[1], b"hello")
                served += 1
            except ConnectionError:
                self.assertLess(time.monotonic(), deadline)
        process.send_signal(signal.SIGHUP)
        for _ in range(10):
            self.assertEqual(self.fetch("/a.txt")[1], b"hello")
        self.assertEqual(len(self.stop(process).splitlines()), 30)

    def test_tls(self):
        key, cert = self.root / "key.pem", self.root / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days",
                        "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        process = self.serve("--tls-cert", cert, "--tls-key", key)
        self.assertTrue(self.url.startswith("https://"))
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=PATIENCE,
            context=ssl.create_default_context(cafile=str(cert)))
        connection.request("GET", "/a.txt")
        self.assertEqual(connection.getresponse().read(), b"hello")
        connection.close()
        self.stop(process)

    def test_a_unix_socket(self):
        path = self.root / "socket"
        process = subprocess.Popen([COMMAND[0], "serve", self.site, "--unix", path, "-q"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, process)
        process.stderr.readline()
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(PATIENCE)
            sock.connect(str(path))
            sock.sendall(b"GET /a.txt HTTP/1.0\r\n\r\n")
            answer = b""
            while part := sock.recv(65536):
                answer += part
        self.assertTrue(answer.endswith(b"\r\n\r\nhello"), answer)
        self.stop(process)
        self.assertFalse(path.exists())

    def test_what_prevents_the_start(self):
        def fails(status, *arguments):
            done = subprocess.run([COMMAND[0], "serve", *map(str, arguments)], capture_output=True,
                                  text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
            self.assertEqual(done.returncode, status, done.stderr)
            return done.stderr

        self.assertIn("No such file", fails(1, self.root / "none"))
        self.assertIn("Not a directory", fails(1, self.site / "a.txt"))
        self.assertIn("none.pem", fails(1, self.site, "-p", "0", "--tls-cert", self.root / "none.pem"))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assertIn("Address already in use", fails(1, self.site, "-p", port))
        fails(2, self.site, "-p", "70000")
        fails(2, self.site, "--tls-key", "x")
        fails(2, self.site, "--drain", "nan")


if __name__ == "__main__":
    COMMAND.append(os.path.abspath(sys.argv.pop(1)))
    unittest.main(verbosity=2)
