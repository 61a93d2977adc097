"""brio's HTTP server against curl, wget, Python's http.client and nginx as a reverse proxy:
test_http.py <peer_http>.
"""

import concurrent.futures
import hashlib
import http.client
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

OURS = None
PATIENCE = 600

PROXY = """
daemon off;
master_process off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_max_body_size 0;
  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  upstream ours {{ server 127.0.0.1:{ours}; keepalive 8; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://ours;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
    }}
    location /unbuffered/ {{
      proxy_pass http://ours/;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_request_buffering off;
      proxy_buffering off;
    }}
  }}
}}
"""


class HttpTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="brio-http-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.root.chmod(0o755)
        self.process = subprocess.Popen([OURS], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        self.port = int(self.process.stdout.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=PATIENCE)
        self.assertEqual(self.process.returncode, 0)

    def run_tool(self, *command, **options):
        if not shutil.which(command[0]):
            self.skipTest(f"no {command[0]}")
        done = subprocess.run([*map(str, command)], capture_output=True, timeout=PATIENCE, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        return done.stdout

    def curl(self, *arguments, **options):
        return self.run_tool("curl", "-sS", "--noproxy", "*", *arguments, **options)

    def file(self, name, size):
        path = self.root / name
        path.write_bytes(os.urandom(size))
        return path

    def test_curl_methods_bodies_and_versions(self):
        self.assertEqual(self.curl("-d", "a=b", self.url + "/echo"), b"a=b")
        head = self.curl("-D", "-", "-X", "BREW", self.url + "/echo/a%20b?c=d").decode()
        self.assertIn("\r\nX-Method: BREW\r\n", head)
        self.assertIn("\r\nX-Path: /echo/a%20b\r\n", head)
        self.assertIn("\r\nX-Query: c=d\r\n", head)
        self.assertIn("X-Version: 1.0", self.curl("-0", "-D", "-", self.url + "/echo").decode())
        self.assertIn("Content-Length: 0", self.curl("-I", self.url + "/echo").decode())
        big = self.file("big", 30_000_000)
        for extra in ([], ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect:"], ["-0"]):
            got = self.curl("--data-binary", f"@{big}", *extra, self.url + "/echo")
            self.assertEqual(got, big.read_bytes(), extra)
        got = self.curl("-T", "-", "-X", "POST", self.url + "/stream", input=big.read_bytes())
        self.assertEqual(got, big.read_bytes())

    def test_curl_keeps_the_connection_and_takes_a_refusal(self):
        # %{num_connects} counts the new connections of each transfer.
        out = self.curl("-o", "/dev/null", "-w", "%{num_connects}\n",
                        self.url + "/echo", "-o", "/dev/null", self.url + "/echo/2",
                        "-o", "/dev/null", self.url + "/slow?ms=1")
        self.assertEqual(out.split(), [b"1", b"0", b"0"])
        big = self.file("big", 30_000_000)
        for expect in ("Expect: 100-continue", "Expect:"):
            got = self.curl("--data-binary", f"@{big}", "-H", expect, "-w", "%{http_code}",
                            self.url + "/refuse")
            self.assertEqual(got, b"no body, please403")

    def test_wget(self):
        self.assertEqual(self.run_tool("wget", "--no-proxy", "-q", "-O", "-", "--post-data=x=y",
                                       self.url + "/echo"), b"x=y")

    def test_http_client_one_connection_many_requests(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        for size in (0, 1, 1000, 100_000, 1_000_000):
            for chunked in (False, True):
                data = os.urandom(size)
                pieces = iter([data[: size // 2], data[size // 2:]]) if chunked else data
                connection.request("POST", "/echo", pieces, encode_chunked=chunked,
                                   headers={"Transfer-Encoding": "chunked"} if chunked else {})
                answer = connection.getresponse()
                self.assertEqual((answer.status, answer.read()), (200, data))
        connection.close()

    def test_many_clients_at_once(self):
        def one(number):
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            for turn in range(20):
                data = f"{number}/{turn}".encode() * 100
                connection.request("POST", "/stream", data)
                if connection.getresponse().read() != data:
                    return False
            connection.close()
            return True

        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            self.assertTrue(all(pool.map(one, range(64))))

    def test_nginx_in_front(self):
        if not shutil.which("nginx"):
            self.skipTest("no nginx")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        (self.root / "nginx.conf").write_text(PROXY.format(root=self.root, ours=self.port, port=port))
        nginx = subprocess.Popen([shutil.which("nginx"), "-p", self.root, "-c",
                                  self.root / "nginx.conf"], stderr=subprocess.DEVNULL)
        try:
            while nginx.poll() is None:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.02)
            self.assertIsNone(nginx.poll())
            for path in ("/echo", "/unbuffered/echo", "/stream", "/unbuffered/stream"):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
                # nginx sends no more of a request once its answer has begun, so what answers while
                # it reads is given what fits into one write.
                sizes = (1, 1000) if path.endswith("/stream") else (1, 70_000, 5_000_000)
                for size in sizes:
                    data = os.urandom(size)
                    connection.request("POST", path, data)
                    answer = connection.getresponse()
                    self.assertEqual(answer.status, 200)
                    self.assertEqual(hashlib.sha256(answer.read()).digest(),
                                     hashlib.sha256(data).digest())
                connection.request("POST", "/refuse", b"x" * 3_000_000)
                answer = connection.getresponse()
                self.assertEqual((answer.status, answer.read()), (403, b"no body, please"))
                connection.close()
        finally:
            nginx.terminate()
            nginx.wait(PATIENCE)


if __name__ == "__main__":
    OURS = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
