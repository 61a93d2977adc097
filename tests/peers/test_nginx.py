"""`brio get` against nginx: test_nginx.py <the brio command>.

BRIO_BIG_FILE sets the size of the large file in MiB (default 2048).
"""

import contextlib
import hashlib
import json
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

BRIO = None
PATIENCE = 600
BIG = int(os.environ.get("BRIO_BIG_FILE", "2048")) << 20

CONFIG = """
daemon off;
master_process off;
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log {root}/access.log combined;
  client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
  uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
  sendfile on;
  gzip on; gzip_min_length 1; gzip_types *;
  server {{
    listen 127.0.0.1:{port};
    root {root}/site;
    location /slow/ {{ alias {root}/site/; limit_rate 400k; }}
    location /chunked/ {{ alias {root}/site/; chunked_transfer_encoding on; }}
    location /busy {{ return 503; }}
    location /moved/ {{ rewrite ^/moved/(.*)$ /$1 permanent; }}
    location /circle {{ return 302 /circle; }}
  }}
}}
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def nginx(root):
    """Runs nginx on a free port; gives its base URL."""
    for _ in range(5):  # somebody else may take the port first
        port = free_port()
        (root / "nginx.conf").write_text(CONFIG.format(root=root, port=port))
        process = subprocess.Popen([shutil.which("nginx"), "-p", root, "-c", root / "nginx.conf"],
                                   stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        if process.poll() is None:
            break
    else:
        raise RuntimeError("nginx does not start: " + (root / "error.log").read_text())
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


class NginxTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="brio-nginx-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.root.chmod(0o755)  # nginx's worker may be another user
        self.site = self.root / "site"
        self.out = self.root / "out"
        self.site.mkdir()

    def get(self, *arguments, status=0):
        process = subprocess.Popen(
            [BRIO, "get", "-o", self.out, *map(str, arguments)], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, status, err)
        return out, err

    def test_many_files_over_few_connections(self):
        sums = []
        for i in range(500):
            body = os.urandom(i * 100)
            (self.site / f"f{i}").write_bytes(body)
            sums.append(f"{hashlib.sha256(body).hexdigest()}  f{i}\n")
        (self.root / "SUMS").write_text("".join(sums))
        with nginx(self.root) as url:
            urls = [f"{url}/{prefix}f{i}" for i in range(500)
                    for prefix in [("", "chunked/", "moved/")[i % 3]]]
            (self.root / "urls").write_text("\n".join(urls))
            self.get("-i", self.root / "urls", "-j", 16, "--sha256", self.root / "SUMS", "-q")
        self.assertEqual(len(list(self.out.iterdir())), 500)

    def test_failures(self):
        (self.site / "f").write_bytes(b"x")
        with nginx(self.root) as url:
            out, _ = self.get("--json", "--retries", 0, f"{url}/none", f"{url}/busy",
                              f"{url}/circle", f"{url}/f", status=1)
        errors = {r["url"].rsplit("/", 1)[1]: r.get("error") for r in map(json.loads, out.splitlines())}
        self.assertEqual(errors["none"], "HTTP status 404 Not Found")
        self.assertIn("503", errors["busy"])
        self.assertIn("redirects in a circle", errors["circle"])
        self.assertIsNone(errors["f"])

    def test_interrupted_and_resumed(self):
        body = os.urandom(3_000_000)
        (self.site / "f").write_bytes(body)
        os.utime(self.site / "f", (1e9, 1e9))
        with nginx(self.root) as url:
            process = subprocess.Popen([BRIO, "get", "-o", self.out, f"{url}/slow/f"],
                                       stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            deadline = time.monotonic() + PATIENCE
            while not list(self.out.glob(".brio-*.meta")) and time.monotonic() < deadline:
                time.sleep(0.02)
            # Its body must have begun to arrive; under a sanitizer the request takes its time.
            while (not any(p.stat().st_size for p in self.out.glob(".brio-*.part"))
                   and time.monotonic() < deadline):
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=PATIENCE)
            self.assertEqual(process.returncode, 130, err)
            out, _ = self.get("--json", f"{url}/slow/f")
        result = json.loads(out)
        self.assertTrue(result["resumed"], err)
        self.assertLess(result["received"], len(body))
        self.assertEqual((self.out / "f").read_bytes(), body)
        self.assertEqual([p.name for p in self.out.iterdir()], ["f"])
        self.assertIn('" 206 ', (self.root / "access.log").read_text())

    def test_a_large_file_in_constant_memory(self):
        # Large enough for everything to have reached its size, in builds with a sanitizer as well.
        small_size = BIG // 8
        with (self.site / "small").open("wb") as file:
            file.truncate(small_size)
        with (self.site / "big").open("wb") as file:
            file.truncate(BIG)
        with nginx(self.root) as url:
            small = self.peak_memory("get", "-q", "-o", self.out, f"{url}/small")
            big = self.peak_memory("get", "-q", "-o", self.out, f"{url}/big")
        self.assertEqual((self.out / "big").stat().st_size, BIG)
        print(f"peak memory: {small:.1f} MiB for {small_size >> 20} MiB, "
              f"{big:.1f} MiB for {BIG >> 20} MiB")
        # The address sanitizer's shadow and its record of stacks grow with what a process has done.
        sanitized = b"__asan_init" in pathlib.Path(BRIO).read_bytes()
        self.assertLess(big, small + (48 if sanitized else 4))

    def peak_memory(self, *arguments):
        """Runs brio and gives the most memory that it took, in MiB."""
        # Freed memory that the address sanitizer keeps back to catch late uses is not meant here.
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
        process = subprocess.Popen([BRIO, *map(str, arguments)], stdin=subprocess.DEVNULL,
                                   env={**os.environ, "ASAN_OPTIONS": options})
        status = pathlib.Path(f"/proc/{process.pid}/status")
        peak = 0
        while process.poll() is None:
            # It only grows, so the last reading is the one that counts.
            for line in status.read_text().splitlines():
                if line.startswith("VmHWM:"):
                    peak = int(line.split()[1])
            time.sleep(0.005)
        self.assertEqual(process.returncode, 0)
        return peak / 1024


if __name__ == "__main__":
    if not shutil.which("nginx"):
        print("SKIPPED: nginx is not installed")
        sys.exit(77)
    BRIO = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
