"""TLS against openssl s_client, openssl s_server and CPython's ssl: test_tls.py <peer_tls>."""

import asyncio
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PEER = None
PATIENCE = 120


def openssl(*arguments, **options):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True,
                          timeout=PATIENCE, **options)


def fields(line):
    """The "name=value" words of a line of ours, and the first word."""
    first, _, rest = line.partition(" ")
    return first, dict(word.split("=", 1) for word in rest.split() if "=" in word)


class Server:
    """brio's server; a context manager."""

    def __init__(self, *words):
        self.process = subprocess.Popen([PEER, "server", *words], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline()
        if not first.startswith("port "):
            raise RuntimeError(f"the server says: {first!r}")
        self.port = int(first.split()[1])

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        return self.line()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="brio-tls-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.root = pathlib.Path(cls.folder.name)
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", cls.root / "ca.key", "-out", cls.root / "ca.pem", "-days", "2",
                "-subj", "/CN=test authority", "-addext",
                "keyUsage=critical,keyCertSign,cRLSign")
        cls.issue("server", "DNS:localhost,IP:127.0.0.1")
        cls.issue("newer", "DNS:localhost,IP:127.0.0.1")
        cls.issue("other", "DNS:other.example")
        cls.issue("client", "DNS:client")

    @classmethod
    def issue(cls, name, alt_names):
        extensions = cls.root / f"{name}.ext"
        extensions.write_text(f"basicConstraints=critical,CA:FALSE\nsubjectAltName={alt_names}\n"
                              "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        request = cls.root / f"{name}.csr"
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                cls.root / f"{name}.key", "-out", request, "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", request, "-CA", cls.root / "ca.pem", "-CAkey",
                cls.root / "ca.key", "-CAcreateserial", "-days", "2", "-extfile", extensions,
                "-out", cls.root / f"{name}.pem")

    def serve(self, *words, name="server"):
        return Server(f"cert={self.root / name}.pem", f"key={self.root / name}.key", *words)

    def client(self, port, *words, status=0):
        done = subprocess.run(
            [PEER, "client", f"port={port}", f"ca={self.root / 'ca.pem'}", *map(str, words)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, status, done.stdout)
        return done.stdout.splitlines()

    def s_client(self, port, *arguments, text="hello from s_client\n"):
        """Sends a line, waits for the echo, closes; s_client's output."""
        process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile",
             str(self.root / "ca.pem"), "-verify_return_error", *map(str, arguments)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        process.stdin.write(text)
        process.stdin.flush()
        lines = []
        for line in process.stdout:
            lines.append(line)
            # The echo does not pass through the buffer of s_client's own words, and may come in the
            # middle of one of their lines.
            if line.endswith(text):
                break
        # Also what s_client says of tickets after the handshake.
        rest, _ = process.communicate(timeout=PATIENCE)
        self.assertEqual(process.returncode, 0, "".join(lines) + rest)
        return "".join(lines) + rest

    # ---- openssl s_client

    def test_s_client_both_versions_alpn(self):
        with self.serve("alpn=h2,http/1.1") as server:
            for option, version in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
                out = self.s_client(server.port, option, "-alpn", "http/1.1,h2")
                self.assertIn("Verify return code: 0 (ok)", out)
                self.assertIn("ALPN protocol: h2", out)
                _, words = fields(server.line())
                self.assertEqual((words["version"], words["alpn"]), (version, "h2"))

    def test_s_client_sni(self):
        with self.serve("other=other.example", f"other_cert={self.root / 'other.pem'}",
                        f"other_key={self.root / 'other.key'}") as server:
            for name, subject in (("other.example", "other"), ("localhost", "server")):
                out = self.s_client(server.port, "-servername", name, "-verify_hostname", name)
                self.assertRegex(out, rf"subject=CN ?= ?{subject}\n")
            out = self.s_client(server.port, "-noservername")
            self.assertRegex(out, r"subject=CN ?= ?server\n")

    def test_s_client_certificate(self):
        with self.serve(f"ca={self.root / 'ca.pem'}", "verify=required") as server:
            for option in ("-tls1_2", "-tls1_3"):
                self.s_client(server.port, option, "-cert", self.root / "client.pem", "-key",
                              self.root / "client.key")
                self.assertEqual(fields(server.line())[1]["peer"], "CN=client")
            # Without one there is no conversation.
            refused = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-tls1_2"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
            self.assertNotEqual(refused.returncode, 0)
            self.assertIn("handshake failure", refused.stderr)

    def test_s_client_resumes(self):
        with self.serve() as server:
            for option in ("-tls1_2", "-tls1_3"):
                session = self.root / f"session{option}"
                first = self.s_client(server.port, option, "-sess_out", session)
                self.assertIn("New, TLSv1", first)
                self.assertEqual(fields(server.line())[1]["reused"], "0")
                second = self.s_client(server.port, option, "-sess_in", session)
                self.assertIn("Reused, TLSv1", second)
                self.assertEqual(fields(server.line())[1]["reused"], "1")

    def test_s_client_reconnects(self):
        with self.serve("version=1.2") as server:
            done = subprocess.run(
                ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", "-reconnect"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.stdout.count("Reused, TLSv1.2"), 5, done.stdout)

    def test_s_client_sees_a_reload(self):
        cert, key = self.root / "live.pem", self.root / "live.key"
        shutil.copy(self.root / "server.pem", cert)
        shutil.copy(self.root / "server.key", key)
        with self.serve(name="live") as server:
            standing = socket.create_connection(("127.0.0.1", server.port))
            context = ssl.create_default_context(cafile=self.root / "ca.pem")
            with context.wrap_socket(standing, server_hostname="localhost") as stays:
                self.assertRegex(self.s_client(server.port), r"subject=CN ?= ?server\n")
                server.line()
                key.write_text("damaged")
                self.assertIn(f"not reloaded: reading a private key from '{key}'", server.reload())
                self.assertRegex(self.s_client(server.port), r"subject=CN ?= ?server\n")
                server.line()
                shutil.copy(self.root / "newer.pem", cert)
                shutil.copy(self.root / "newer.key", key)
                self.assertEqual(server.reload(), "reloaded")
                self.assertRegex(self.s_client(server.port), r"subject=CN ?= ?newer\n")
                server.line()
                stays.sendall(b"still here\n")
                self.assertEqual(stays.recv(100), b"still here\n")

    # ---- openssl s_server

    def s_server(self, *arguments):
        """s_server that answers each line reversed; a context manager that gives its port."""
        test = self

        class Running:
            def __enter__(self):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", 0))
                    port = probe.getsockname()[1]
                self.process = subprocess.Popen(
                    ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
                     str(test.root / "server.pem"), "-key", str(test.root / "server.key"), "-rev",
                     *map(str, arguments)],
                    stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                deadline = time.monotonic() + PATIENCE
                while time.monotonic() < deadline and test.process_listens(port) is False:
                    time.sleep(0.02)
                return port

            def __exit__(self, *_):
                self.process.kill()
                self.process.communicate()

        return Running()

    @staticmethod
    def process_listens(port):
        # No connection: s_server would take it for a client.
        listening = f"0100007F:{port:04X} 00000000:0000 0A"
        return listening in pathlib.Path("/proc/net/tcp").read_text()

    def test_s_server(self):
        for option, version in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            with self.s_server(option, "-alpn", "h2") as port:
                lines = self.client(port, "alpn=http/1.1,h2", "visits=3")
            words = [fields(line)[1] for line in lines]
            self.assertEqual([w["reused"] for w in words], ["0", "1", "1"])
            for each in words:
                self.assertEqual((each["version"], each["alpn"], each["peer"], each["line"]),
                                 (version, "h2", "CN=server", "olleh"))

    def test_s_server_asks_for_a_certificate(self):
        with self.s_server("-Verify", "1", "-verify_return_error", "-CAfile",
                           self.root / "ca.pem") as port:
            lines = self.client(port, f"cert={self.root / 'client.pem'}",
                                f"key={self.root / 'client.key'}")
            self.assertEqual(fields(lines[0])[1]["line"], "olleh")
            lines = self.client(port, status=1)
            self.assertIn("certificate required (the peer refused: it requires a client "
                          "certificate)", lines[0])

    def test_s_server_sni_and_names(self):
        with self.s_server("-servername", "other.example", "-cert2", self.root / "other.pem",
                           "-key2", self.root / "other.key") as port:
            self.assertEqual(fields(self.client(port, "name=other.example")[0])[1]["peer"],
                             "CN=other")
            lines = self.client(port, "name=wrong.example", status=1)
            self.assertIn("hostname mismatch, certificate is not valid for 'wrong.example' "
                          "(it names localhost, 127.0.0.1)", lines[0])

    # ---- CPython

    def python_context(self, **options):
        context = ssl.create_default_context(cafile=self.root / "ca.pem", **options)
        return context

    def test_python_client(self):
        with self.serve(f"ca={self.root / 'ca.pem'}", "verify=required", "alpn=h2") as server:
            context = self.python_context()
            context.load_cert_chain(self.root / "client.pem", self.root / "client.key")
            context.set_alpn_protocols(["spdy", "h2"])
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context.maximum_version = version
                session = None
                for expected in (False, True):
                    plain = socket.create_connection(("127.0.0.1", server.port))
                    with context.wrap_socket(plain, server_hostname="localhost",
                                             session=session) as tls:
                        tls.sendall(b"from Python\n")
                        self.assertEqual(tls.recv(100), b"from Python\n")
                        self.assertEqual(tls.session_reused, expected)
                        self.assertEqual(tls.selected_alpn_protocol(), "h2")
                        session = tls.session
                        tls.unwrap().close()
                    words = fields(server.line())[1]
                    self.assertEqual((words["peer"], words["reused"]),
                                     ("CN=client", str(int(expected))))

    def test_python_server(self):
        context = self.python_context(purpose=ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.root / "server.pem", self.root / "server.key")
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols(["h2"])
        listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listener.close)
        seen = []

        def serve():
            for _ in range(3):
                plain, _ = listener.accept()
                with context.wrap_socket(plain, server_side=True) as tls:
                    tls.sendall(tls.recv(100))
                    seen.append((tls.session_reused, tls.getpeercert()["subject"]))
                    tls.unwrap().close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        lines = self.client(listener.getsockname()[1], f"cert={self.root / 'client.pem'}",
                            f"key={self.root / 'client.key'}", "visits=3", "alpn=h2")
        thread.join(PATIENCE)
        self.assertEqual([fields(line)[1]["line"] for line in lines], ["hello"] * 3)
        subject = ((("commonName", "client"),),)
        self.assertEqual(seen, [(False, subject), (True, subject), (True, subject)])

    def test_asyncio_upgrades(self):
        """start_tls on a plain connection and inside TLS, asyncio on either side."""
        server_context = self.python_context(purpose=ssl.Purpose.CLIENT_AUTH)
        server_context.load_cert_chain(self.root / "server.pem", self.root / "server.key")
        context = self.python_context()

        async def asyncio_client(port, plain, upgrades):
            tls = {} if plain else {"ssl": context, "server_hostname": "localhost"}
            reader, writer = await asyncio.open_connection("127.0.0.1", port, **tls)
            for _ in range(upgrades):
                writer.write(b"starttls\n")
                self.assertEqual(await reader.readline(), b"go ahead\n")
                await writer.start_tls(context, server_hostname="localhost")
            writer.write(b"hello\n")
            self.assertEqual(await reader.readline(), b"hello\n")
            writer.close()
            await writer.wait_closed()

        async def asyncio_server(plain, upgrades):
            async def serve(reader, writer):
                for _ in range(upgrades):
                    await reader.readline()
                    writer.write(b"go ahead\n")
                    await writer.start_tls(server_context)
                writer.write(await reader.readline())
                await writer.drain()
                await reader.read()
                writer.close()

            return await asyncio.start_server(serve, "127.0.0.1", 0,
                                              ssl=None if plain else server_context)

        async def main(plain, upgrades):
            words = [f"upgrade={upgrades}"] + (["plain=1"] if plain else [])
            with self.serve(*words) as server:
                await asyncio_client(server.port, plain, upgrades)
            async with await asyncio_server(plain, upgrades) as server:
                port = server.sockets[0].getsockname()[1]
                lines = await asyncio.to_thread(self.client, port, *words)
            self.assertEqual(fields(lines[0])[1]["line"], "hello")

        for plain, upgrades in ((True, 1), (False, 1)):
            with self.subTest(plain=plain, upgrades=upgrades):
                asyncio.run(asyncio.wait_for(main(plain, upgrades), PATIENCE))


if __name__ == "__main__":
    if not shutil.which("openssl"):
        print("SKIPPED: the openssl command is not installed")
        sys.exit(77)
    if sys.version_info < (3, 11):
        print("SKIPPED: Python 3.11 or later is needed")
        sys.exit(77)
    PEER = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
