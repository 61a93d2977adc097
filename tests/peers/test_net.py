"""Sockets, pipes and datagrams against socat, netcat, curl and asyncio: test_net.py <peer_net>."""

import asyncio
import contextlib
import faulthandler
import hashlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import unittest

PEER = None
PATIENCE = 120
BIG = 24 << 20

RESET = struct.pack("ii", 1, 0)  # struct linger: close() sends a reset
DATA = random.Random(7).randbytes(1 << 20)


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pattern(size):
    return bytes(ord("a") + i % 23 for i in range(size))


def needs(command):
    return unittest.skipUnless(shutil.which(command), f"{command} is not installed")


def without_slowness(text):
    """What a program complained of, but for debug mode's words on a machine that is busy."""
    return re.sub(r"^Executing .* took [0-9.]+ seconds\n", "", text, flags=re.MULTILINE)


def run(*command, data=b"", status=0):
    """Feeds a program and gives what it said and complained."""
    done = subprocess.run(list(map(str, command)), input=data, capture_output=True,
                          timeout=PATIENCE)
    if done.returncode != status:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stderr!r}")
    return done.stdout, without_slowness(done.stderr.decode())


@contextlib.contextmanager
def running(*command, until=None):
    """A program in the background; with `until` it is there once its stderr has said that."""
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE if until else None)
    try:
        while until:
            line = process.stderr.readline().decode()
            if not line:
                raise RuntimeError(f"{command} did not say {until!r}")
            if until in line:
                break
        yield process
    finally:
        process.kill()
        process.wait(PATIENCE)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with contextlib.suppress(BrokenPipeError):  # what it would not have
                    pipe.close()


class Server:
    """brio's server; a context manager."""

    def __init__(self, command, *words):
        self.process = subprocess.Popen([PEER, command, *map(str, words)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline()
        if not first.startswith("ready "):
            raise RuntimeError(f"the server says: {first!r}")
        self.port = int(first.split()[1])

    def line(self):
        return self.process.stdout.readline().rstrip("\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        self.process.stdout.close()
        assert status == 0, f"the server ended with {status}"


class Case(unittest.TestCase):
    def setUp(self):
        faulthandler.dump_traceback_later(2 * PATIENCE, exit=True)  # nothing hangs unnoticed
        self.addCleanup(faulthandler.cancel_dump_traceback_later)
        folder = tempfile.TemporaryDirectory(prefix="brio-net-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        self.path = self.root / "socket"
        self.abstract = f"brio-net-{os.getpid()}-{self.id()}"

    def client(self, *words, data=DATA, status=0):
        return run(PEER, "client", *words, data=data, status=status)

    def check_client(self, *words, expected=DATA):
        """Our client sends DATA, and the peer answers with `expected`."""
        out, err = self.client(*words)
        self.assertTrue(out == expected, f"{len(out)} bytes came")
        # In debug mode a slow machine is told of slow callbacks as well.
        self.assertEqual(err.splitlines()[-1],
                         f"sent={len(DATA)} received={len(expected)} closed=none")


@needs("socat")
class Socat(Case):
    # It ends some time after the first direction; -t says when.
    SOCAT = ("socat", "-t", PATIENCE)

    def echoed(self, address):
        out, _ = run(*self.SOCAT, "-", address, data=DATA)
        self.assertTrue(out == DATA, f"{len(out)} bytes came")

    def test_client(self):
        with Server("echo", "over=tcp") as server:
            self.echoed(f"TCP4:127.0.0.1:{server.port}")
            self.assertEqual(server.line(), f"end bytes={len(DATA)} error=none")
        with Server("echo", "over=unix", f"path={self.path}") as server:
            self.echoed(f"UNIX-CONNECT:{self.path}")
            self.assertEqual(server.line(), f"end bytes={len(DATA)} error=none")
        self.assertFalse(self.path.exists())
        with Server("echo", "over=unix", f"path=@{self.abstract}") as server:
            self.echoed(f"ABSTRACT-CONNECT:{self.abstract}")
            self.assertEqual(server.line(), f"end bytes={len(DATA)} error=none")

    def test_server(self):
        port = free_port()
        for address, words in (
                (f"TCP4-LISTEN:{port},bind=127.0.0.1", ("over=tcp", f"port={port}")),
                (f"UNIX-LISTEN:{self.path}", ("over=unix", f"path={self.path}")),
                (f"ABSTRACT-LISTEN:{self.abstract}", ("over=unix", f"path=@{self.abstract}"))):
            with self.subTest(address):
                with running(*self.SOCAT, "-dd", address, "EXEC:cat", until="listening on"):
                    self.check_client(*words)

    def test_standard_streams(self):
        """Our program under socat: on a socket, on pipes, on a terminal."""
        answer = b"1 a\n" + pattern(300000) + b"2 b\n"
        for how in ("", ",pipes", ",pty,rawer"):
            with self.subTest(how), running("socat", "-", f"EXEC:{PEER} stdio{how}") as process:
                process.stdin.write(b"a\nburst 300000\nb\n")
                process.stdin.flush()
                self.assertTrue(process.stdout.read(len(answer)) == answer)
                process.stdin.write(b"quit\n")
                process.stdin.flush()
                self.assertEqual(process.wait(PATIENCE), 0)
        # The end of the input ends it as well, with a line that has no end.
        self.assertEqual(run(*self.SOCAT, "-", f"EXEC:{PEER} stdio", data=b"a\nb")[0],
                         b"1 a\n2 b\n")

    def test_datagrams(self):
        with Server("datagrams", "over=udp") as server:
            with running("socat", "-", f"UDP4:127.0.0.1:{server.port}") as process:
                process.stdin.write(b"hello")
                process.stdin.flush()
                self.assertEqual(process.stdout.read(5), b"hello")
        with Server("datagrams", "over=unix", f"path={self.path}"):
            with running("socat", "-", f"UNIX-SENDTO:{self.path},bind={self.root}/c") as process:
                process.stdin.write(b"hello")
                process.stdin.flush()
                self.assertEqual(process.stdout.read(5), b"hello")

    def test_datagram_server(self):
        # socat reports nothing when it is bound; what comes before that is refused, or lost.
        port = free_port(socket.SOCK_DGRAM)
        with running("socat", "-dd", f"UDP4-LISTEN:{port},bind=127.0.0.1", "EXEC:cat",
                     until="listening on"):
            out, _ = run(PEER, "send", "over=udp", f"port={port}", "sizes=1,1400,8000")
        self.assertEqual(out, b"reply 1\nreply 1400\nreply 8000\n")


@needs("nc")
class Netcat(Case):
    def test_client(self):
        """-N: a half-close after the input."""
        with Server("echo", "over=tcp") as server:
            out, _ = run("nc", "-N", "127.0.0.1", server.port, data=DATA)
            self.assertTrue(out == DATA, f"{len(out)} bytes came")
            self.assertEqual(server.line(), f"end bytes={len(DATA)} error=none")
        with Server("echo", "over=unix", f"path={self.path}") as server:
            out, _ = run("nc", "-N", "-U", self.path, data=DATA)
            self.assertTrue(out == DATA, f"{len(out)} bytes came")
            self.assertEqual(server.line(), f"end bytes={len(DATA)} error=none")

    def test_the_server_ends_first(self):
        with Server("lines", "over=tcp") as server:
            out, _ = run("nc", "127.0.0.1", server.port, data=b"a\nb\nquit\n")
            self.assertEqual(out, b"1 a\n2 b\n")
            self.assertEqual(server.line(), "end error=none")

    def test_a_connection_without_a_byte(self):
        with Server("echo", "over=tcp") as server:
            for _ in range(3):
                run("nc", "-z", "127.0.0.1", server.port)
                self.assertEqual(server.line(), "end bytes=0 error=none")

    def listening(self, *arguments, words):
        (self.root / "theirs").write_bytes(DATA[::-1])
        with (self.root / "theirs").open("rb") as theirs, (self.root / "got").open("wb") as got:
            process = subprocess.Popen(["nc", "-v", "-N", "-l", *map(str, arguments)],
                                       stdin=theirs, stdout=got, stderr=subprocess.PIPE)
            try:
                while b"Listening" not in (line := process.stderr.readline()):
                    self.assertTrue(line, "nc has ended")
                with running(PEER, "client", *words) as ours:
                    # Its half-close first, while we still have something to say. (After ours it
                    # would drop what it has not sent.)
                    self.assertTrue(ours.stdout.read(len(DATA)) == DATA[::-1])
                    ours.stdin.write(DATA)
                    ours.stdin.close()
                    self.assertEqual(ours.wait(PATIENCE), 0)
                self.assertEqual(process.wait(PATIENCE), 0)
            finally:
                process.kill()
                process.wait()
                process.stderr.close()
        self.assertTrue((self.root / "got").read_bytes() == DATA)

    def test_server(self):
        port = free_port()
        self.listening("127.0.0.1", port, words=("over=tcp", f"port={port}"))
        self.listening("-U", self.path, words=("over=unix", f"path={self.path}"))

    def test_datagrams(self):
        with Server("datagrams", "over=udp") as server:
            with running("nc", "-u", "127.0.0.1", server.port) as process:
                for text in (b"hello", b"again"):
                    process.stdin.write(text)
                    process.stdin.flush()
                    self.assertEqual(process.stdout.read(5), text)
        with Server("datagrams", "over=unix", f"path={self.path}"):
            with running("nc", "-uU", "-s", self.root / "client", self.path) as process:
                process.stdin.write(b"hello")
                process.stdin.flush()
                self.assertEqual(process.stdout.read(5), b"hello")

    def test_datagram_server(self):
        port = free_port(socket.SOCK_DGRAM)
        with running("nc", "-v", "-u", "-l", "127.0.0.1", port, until="Bound on") as process:
            with running(PEER, "send", "over=udp", f"port={port}", "sizes=10,20") as ours:
                for size in (10, 20):
                    self.assertEqual(process.stdout.read(size), pattern(size))
                    process.stdin.write(pattern(size))
                    process.stdin.flush()
                    self.assertEqual(ours.stdout.readline(), b"reply %d\n" % size)


@needs("curl")
class Curl(Case):
    def curl(self, *arguments, data=b""):
        return run("curl", "-sS", "--max-time", PATIENCE, *arguments, data=data)[0]

    def test_over_every_socket(self):
        """Three requests, the last answer ended by the close; bodies wait for "100 Continue"."""
        file = self.root / "body"
        file.write_bytes(DATA + DATA)
        for words, options in (
                (("over=tcp",), ()),
                (("over=unix", f"path={self.path}"), ("--unix-socket", self.path)),
                (("over=unix", f"path=@{self.abstract}"),
                 ("--abstract-unix-socket", self.abstract))):
            with self.subTest(words), Server("http", *words) as server:
                url = f"http://127.0.0.1:{server.port or 80}"
                out = self.curl(*options, "--data-binary", f"@{file}", f"{url}/", f"{url}/chunked",
                                f"{url}/close")
                self.assertTrue(out == (DATA + DATA) * 3, f"{len(out)} bytes came")
                # Some versions of curl open an abstract name anew each time.
                served = []
                while sum(served) < 3:
                    line = server.line()
                    self.assertRegex(line, "^end requests=[13]$")
                    served.append(int(line[-1]))
                self.assertEqual(sum(served), 3)
                if self.abstract not in options:
                    self.assertEqual(served, [3])

    def test_chunked_upload(self):
        with Server("http", "over=tcp") as server:
            out = self.curl("-T", "-", f"http://127.0.0.1:{server.port}/close", data=DATA)
            self.assertTrue(out == DATA, f"{len(out)} bytes came")
            self.assertEqual(server.line(), "end requests=1")

    def test_telnet(self):
        with Server("lines", "over=tcp") as server:
            out = self.curl(f"telnet://127.0.0.1:{server.port}", data=b"a\nb\nquit\n")
            self.assertEqual(out, b"1 a\n2 b\n")
            self.assertEqual(server.line(), "end error=none")


async def exchange(reader, writer, size):
    """Sends `size` bytes in pieces of every length, and compares what comes back."""
    numbers = random.Random(3)

    async def send():
        sent = hashlib.sha256()
        left = size
        while left:
            piece = numbers.randbytes(min(left, numbers.choice((1, 100, 5000, 200_000))))
            left -= len(piece)
            sent.update(piece)
            writer.write(piece)
            await writer.drain()
        writer.write_eof()
        return sent.hexdigest()

    async def receive():
        received = hashlib.sha256()
        while data := await reader.read(1 << 18):
            received.update(data)
        return received.hexdigest()

    sent, received = await asyncio.gather(send(), receive())
    assert sent == received
    writer.close()
    await writer.wait_closed()


def main_of(test):
    """An async test method."""
    def run_it(self):
        asyncio.run(asyncio.wait_for(test(self), PATIENCE))
    run_it.__name__ = test.__name__
    run_it.__doc__ = test.__doc__
    return run_it


class Asyncio(Case):
    async def ours(self, *words, data=b""):
        """Our client beside a server in this loop."""
        process = await asyncio.create_subprocess_exec(
            PEER, *map(str, words), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)
        out, err = await process.communicate(data)
        return out, without_slowness(err.decode()), await process.wait()

    @main_of
    async def test_client_much_both_ways(self):
        with Server("echo", "over=tcp") as server:
            await exchange(*await asyncio.open_connection("127.0.0.1", server.port), BIG)
            self.assertEqual(server.line(), f"end bytes={BIG} error=none")
        for path in (str(self.path), "@" + self.abstract):
            with Server("echo", "over=unix", f"path={path}") as server:
                where = path.replace("@", "\0", 1) if path[0] == "@" else path
                await exchange(*await asyncio.open_unix_connection(where), BIG)
                self.assertEqual(server.line(), f"end bytes={BIG} error=none")

    @main_of
    async def test_client_ipv6(self):
        try:
            socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        except OSError as error:
            self.skipTest(f"no IPv6 here: {error}")
        with Server("echo", "over=tcp", "host=::1") as server:
            await exchange(*await asyncio.open_connection("::1", server.port), 1 << 20)

    @main_of
    async def test_server_much_both_ways(self):
        async def serve(reader, writer):
            while data := await reader.read(1 << 18):
                writer.write(data)
                await writer.drain()
            writer.close()

        tcp = await asyncio.start_server(serve, "127.0.0.1", 0)
        unix = await asyncio.start_unix_server(serve, self.path)
        async with tcp, unix:
            data = DATA * (BIG // len(DATA))
            for words in (("over=tcp", f"port={tcp.sockets[0].getsockname()[1]}"),
                          ("over=unix", f"path={self.path}")):
                out, err, status = await self.ours("client", *words, data=data)
                self.assertEqual((err, status),
                                 (f"sent={BIG} received={BIG} closed=none\n", 0))
                self.assertTrue(out == data)

    @main_of
    async def test_half_close_by_the_client(self):
        """Everything asked for comes after the end of the questions."""
        with Server("lines", "over=tcp") as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"one\nburst 5000000\ntwo")
            writer.write_eof()
            answer = await reader.read()
            self.assertTrue(answer == b"1 one\n" + pattern(5000000) + b"2 two\n", len(answer))
            self.assertEqual(server.line(), "end error=none")
            writer.close()

    @main_of
    async def test_half_close_by_the_server(self):
        with Server("lines", "over=tcp") as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"half\n")
            self.assertEqual(await reader.read(), b"")
            writer.write(DATA)
            writer.write(DATA)
            writer.close()
            await writer.wait_closed()
            self.assertEqual(server.line(), f"came {2 * len(DATA)}")
            self.assertEqual(server.line(), "end error=none")

    @main_of
    async def test_half_close_by_the_asyncio_server(self):
        came = asyncio.get_running_loop().create_future()

        async def serve(reader, writer):
            writer.write(b"greeting")
            writer.write_eof()
            came.set_result(await reader.read())
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            out, err, status = await self.ours("client", "over=tcp", f"port={port}", data=DATA)
            self.assertEqual((out, err, status),
                             (b"greeting", f"sent={len(DATA)} received=8 closed=none\n", 0))
            self.assertTrue(await came == DATA)

    @main_of
    async def test_reset_by_the_asyncio_client(self):
        with Server("echo", "over=tcp") as server:
            for wait_for_echo in (True, False):  # while we read, and while we write
                reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
                if wait_for_echo:
                    writer.write(b"x")
                    await reader.readexactly(1)
                else:
                    writer.transport.pause_reading()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.fill(writer), 0.5)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                           RESET)
                writer.transport.abort()
                self.assertRegex(await asyncio.to_thread(server.line),
                                 r"^end bytes=\? error=brio::ConnectionResetError: .*reset by peer")

    @staticmethod
    async def fill(writer):
        while True:
            writer.write(DATA)
            await writer.drain()

    @main_of
    async def test_reset_by_us(self):
        with Server("lines", "over=tcp") as server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(b"reset\n")
            with self.assertRaises(ConnectionResetError):
                await reader.read()
            writer.close()
            self.assertEqual(server.line(), "end error=none")  # it was our wish

    @main_of
    async def test_reset_by_the_asyncio_server(self):
        async def serve(reader, writer):
            await reader.readexactly(1000)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            writer.transport.abort()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            _, err, status = await self.ours("client", "over=tcp", f"port={port}",
                                             data=DATA[:1000])
            self.assertIn("received=(brio::ConnectionResetError: ", err)
            self.assertEqual(status, 0)

    @main_of
    async def test_nobody_listens(self):
        port = free_port()
        _, err, status = await self.ours("client", "over=tcp", f"port={port}")
        self.assertEqual((err, status), (f"error: connect to 127.0.0.1:{port} failed: "
                                         "Connection refused\n", 1))
        _, err, status = await self.ours("client", "over=unix", f"path={self.path}")
        self.assertEqual((err, status), (f"error: connect to unix:{self.path} failed: "
                                         "No such file or directory\n", 1))

    @main_of
    async def test_who_is_it(self):
        with Server("lines", "over=unix", f"path={self.path}"):
            reader, writer = await asyncio.open_unix_connection(self.path)
            writer.write(b"peer\n")
            self.assertEqual(await reader.readline(),
                             f"peer pid={os.getpid()} uid={os.getuid()}\n".encode())
            writer.close()

    @main_of
    async def test_many_clients(self):
        with Server("echo", "over=tcp") as server:
            async def one():
                await exchange(*await asyncio.open_connection("127.0.0.1", server.port), 100_000)

            await asyncio.gather(*[one() for _ in range(100)])
            for _ in range(100):
                self.assertEqual(server.line(), "end bytes=100000 error=none")

    # ---- datagrams

    class Datagrams(asyncio.DatagramProtocol):
        def __init__(self, echo=False):
            self.echo = echo
            self.arrived = asyncio.Queue()
            self.lost = asyncio.Event()

        def connection_made(self, transport):
            self.transport = transport

        def connection_lost(self, exc):
            self.lost.set()

        def datagram_received(self, data, addr):
            if self.echo:
                self.transport.sendto(data, addr)
            self.arrived.put_nowait(data)

    SIZES = (0, 1, 1400, 65507)

    @main_of
    async def test_datagrams_to_us(self):
        loop = asyncio.get_running_loop()
        with Server("datagrams", "over=udp") as server:
            transport, protocol = await loop.create_datagram_endpoint(
                self.Datagrams, remote_addr=("127.0.0.1", server.port))
            # asyncio's transport sends no empty one: the socket does.
            for size in self.SIZES:
                transport.get_extra_info("socket")._sock.send(pattern(size))
                self.assertEqual(await protocol.arrived.get(), pattern(size))
                self.assertEqual(server.line(), f"datagram {size}")
            transport.close()

    @main_of
    async def test_datagrams_from_us(self):
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: self.Datagrams(echo=True), local_addr=("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        out, _, _ = await self.ours("send", "over=udp", f"port={port}", "sizes=1,1400,70000,65507")
        transport.close()
        await protocol.lost.wait()
        lines = out.decode().splitlines()
        self.assertEqual(lines[:2] + lines[3:], ["reply 1", "reply 1400", "reply 65507"])
        self.assertRegex(lines[2], "^error brio::OSError: .*Message too long")
        out, _, _ = await self.ours("send", "over=udp", f"port={port}", "sizes=1")
        self.assertRegex(out, b"^error brio::ConnectionRefusedError: ")

    def test_unix_datagrams(self):
        for size in (0, 1, 65507):
            with self.subTest(size):
                self.unix_datagrams(size)

    def unix_datagrams(self, size):
        with Server("datagrams", "over=unix", f"path={self.path}") as server, \
             socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mine:
            mine.settimeout(PATIENCE)
            mine.bind("\0" + self.abstract)
            mine.sendto(pattern(size), str(self.path))
            self.assertEqual(mine.recvfrom(1 << 16), (pattern(size), str(self.path)))
            self.assertEqual(server.line(), f"datagram {size}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mine:
            mine.settimeout(PATIENCE)
            mine.bind("\0" + self.abstract)
            with running(PEER, "send", "over=unix", f"path=@{self.abstract}",
                         f"from={self.root}/us{size}", f"sizes={size}") as process:
                data, sender = mine.recvfrom(1 << 16)
                self.assertEqual((data, sender), (pattern(size), f"{self.root}/us{size}"))
                mine.sendto(data, sender)
                self.assertEqual(process.stdout.readline(), b"reply %d\n" % size)


if __name__ == "__main__":
    PEER = os.path.abspath(sys.argv.pop(1))
    if sys.version_info < (3, 11):
        print("SKIPPED: Python 3.11 or later is needed")
        sys.exit(77)
    result = unittest.main(verbosity=2, exit=False).result
    missing = [name for name in ("socat", "nc", "curl") if not shutil.which(name)]
    if missing and result.wasSuccessful():
        print("SKIPPED in part, not installed: " + ", ".join(missing))
        sys.exit(77)
    sys.exit(not result.wasSuccessful())
