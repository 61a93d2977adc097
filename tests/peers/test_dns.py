"""Look-ups answered by a dnsmasq of our own: test_dns.py <peer_dns>.

The C library asks port 53 of the servers in /etc/resolv.conf. So all this runs in namespaces of its
own (user, network, mount), where 127.0.0.1:53 is ours and another file lies over /etc/resolv.conf;
the machine's own are not touched. What the answers must be, Python's socket.getaddrinfo says.
"""

import contextlib
import faulthandler
import fcntl
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

PEER = None
DNSMASQ = shutil.which("dnsmasq", path=os.environ.get("PATH", "") + ":/usr/sbin")
PATIENCE = 120
SILENT, FAILING = 5301, 5302  # ports of servers that dnsmasq asks in its turn

HOSTS = """\
192.0.2.1 only4.test
2001:db8::6 only6.test
192.0.2.7 both.test
2001:db8::7 both.test
127.0.0.1 eyes.test
::1 eyes.test
""" + "".join(f"192.0.2.{i} many.test\n" for i in range(1, 101))


def without_slowness(text):
    """What a program complained of, but for debug mode's words on a machine that is busy."""
    return re.sub(r"^Executing .* took [0-9.]+ seconds\n", "", text, flags=re.MULTILINE)


def skip(reason):
    print("SKIPPED: " + reason)
    sys.exit(77)


# ---- the namespaces


def enter():
    """Runs this program again, inside."""
    inside = ["unshare", "--user", "--map-root-user", "--net", "--mount", "--fork",
              "--kill-child"]
    try:
        probe = subprocess.run([*inside, "true"], capture_output=True, text=True, timeout=PATIENCE)
    except FileNotFoundError:
        skip("there is no unshare command")
    if probe.returncode != 0:
        skip("no namespaces here: " + probe.stderr.strip())
    os.execvp(inside[0], [*inside, sys.executable, "-B", __file__, *sys.argv[1:], "inside"])


def loopback_up():
    up = 0x1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", up)
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


def lay_over(path, text, root):
    ours = root / path.replace("/", "_")
    ours.write_text(text)
    done = subprocess.run(["mount", "--bind", ours, path], capture_output=True, text=True)
    if done.returncode != 0:
        skip(f"{path} cannot be covered: {done.stderr.strip()}")


def prepare(root):
    loopback_up()
    lay_over("/etc/resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", root)
    lay_over("/etc/nsswitch.conf", "hosts: files dns\nservices: files\n", root)
    lay_over("/etc/hosts", "127.0.0.1 localhost\n::1 localhost\n", root)
    if os.path.isdir("/run/nscd"):  # it would answer in place of ours
        subprocess.run(["mount", "-t", "tmpfs", "none", "/run/nscd"], check=True)


# ---- the servers


def serve_failures():
    """SERVFAIL to everything."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", FAILING))
        while True:
            query, sender = server.recvfrom(4096)
            server.sendto(query[:2] + b"\x81\x82" + query[4:], sender)


class Dnsmasq:
    def __init__(self, root):
        self.log = root / "queries"
        (root / "hosts").write_text(HOSTS)
        self.process = subprocess.Popen(
            # --no-daemon: it stays who it is; in a user namespace there is nobody else to be.
            [DNSMASQ, "--no-daemon", "--conf-file=/dev/null", "--pid-file=", "--no-resolv",
             "--no-hosts", "--port=53",
             "--listen-address=127.0.0.1", "--bind-interfaces", "--log-queries",
             f"--log-facility={self.log}", f"--addn-hosts={root / 'hosts'}", "--local=/test/",
             "--local=/2.0.192.in-addr.arpa/",
             "--cname=alias.test,both.test", "--cname=chain.test,alias.test",
             f"--server=/silent.test/127.0.0.1#{SILENT}",
             f"--server=/failing.test/127.0.0.1#{FAILING}"], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                socket.getaddrinfo("only4.test", 80)
                return
        raise RuntimeError(f"dnsmasq does not answer: {self.process.poll()}")

    def asked(self, ending):
        """The log's lines on queries for names with that ending."""
        return [line for line in self.log.read_text().splitlines()
                if "query[" in line and line.split(" from ")[0].endswith(ending)]

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


def oracle(host, family=0, flags=0):
    """What peer_dns resolve is to print."""
    try:
        answers = socket.getaddrinfo(host, 80, family, socket.SOCK_STREAM, 0, flags)
    except socket.gaierror as error:
        return f"brio::gaierror {error.errno}: getaddrinfo for '{host}' failed: {error.strerror}"
    text = "".join(answer[4][0] + " " for answer in answers)
    return (text + f"canonname {answers[0][3]}").rstrip() if flags else text.rstrip()


class DnsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="brio-dns-")
        cls.addClassCleanup(folder.cleanup)
        silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        cls.addClassCleanup(silent.close)
        silent.bind(("127.0.0.1", SILENT))
        threading.Thread(target=serve_failures, daemon=True).start()
        cls.dnsmasq = Dnsmasq(pathlib.Path(folder.name))
        cls.addClassCleanup(cls.dnsmasq.end)

    def setUp(self):
        faulthandler.dump_traceback_later(2 * PATIENCE, exit=True)  # nothing hangs unnoticed
        self.addCleanup(faulthandler.cancel_dump_traceback_later)

    def ours(self, *words):
        done = subprocess.run([PEER, *map(str, words)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((without_slowness(done.stderr), done.returncode), ("", 0))
        return [line.rstrip() for line in done.stdout.splitlines()]

    def check(self, host, *words, family=0, flags=0):
        expected = oracle(host, family, flags)
        self.assertEqual(self.ours("resolve", f"host={host}", *words), [expected])
        return expected

    def test_addresses(self):
        self.assertEqual(self.check("only4.test"), "192.0.2.1")
        self.assertEqual(self.check("only6.test"), "2001:db8::6")
        self.assertEqual(set(self.check("both.test").split()), {"192.0.2.7", "2001:db8::7"})
        self.assertEqual(self.check("both.test", "family=4", family=socket.AF_INET), "192.0.2.7")
        self.assertEqual(self.check("both.test", "family=6", family=socket.AF_INET6),
                         "2001:db8::7")

    def test_aliases(self):
        for name in ("alias.test", "chain.test"):
            found = self.check(name, "canonname=1", flags=socket.AI_CANONNAME)
            self.assertTrue(found.endswith("canonname both.test"), found)

    def test_more_than_a_datagram_holds(self):
        answer, = self.ours("resolve", "host=many.test", "family=4")
        self.assertEqual(set(answer.split()), {f"192.0.2.{i}" for i in range(1, 101)})

    def test_reverse(self):
        self.assertEqual(self.ours("name", "address=192.0.2.1"), ["only4.test"])
        self.assertEqual(self.ours("name", "address=192.0.2.200"), ["192.0.2.200"])

    def test_errors(self):
        self.assertEqual(self.check("nowhere.test"),
                         "brio::gaierror -2: getaddrinfo for 'nowhere.test' failed: "
                         "Name or service not known")
        self.assertEqual(self.check("x.failing.test"),
                         "brio::gaierror -3: getaddrinfo for 'x.failing.test' failed: "
                         "Temporary failure in name resolution")
        self.assertIn("brio::gaierror",
                      self.check("only4.test", "family=6", family=socket.AF_INET6))
        self.assertIn("brio::gaierror -3", self.check("patient.silent.test"))

    def test_equal_lookups_are_made_once(self):
        before = len(self.dnsmasq.asked(" both.test"))
        answers = self.ours("resolve", "host=both.test", "times=50")
        self.assertEqual(len(answers), 50)
        self.assertEqual(set(answers), {oracle("both.test")})
        # One look-up asks for A and AAAA; the oracle's was another.
        self.assertEqual(len(self.dnsmasq.asked(" both.test")) - before, 4)

    def test_a_timeout_of_ones_own(self):
        self.assertEqual(self.ours("resolve", "host=late.silent.test", "timeout=20"),
                         ["brio::TimeoutError:"])

    def test_threads_are_bounded_and_lookups_given_up_are_not_made(self):
        most = min(32, len(os.sched_getaffinity(0)) + 4)
        lines = self.ours("flood", "names=200", "timeout=50", "host=only4.test")
        self.assertEqual(lines[0], "timeouts 200")
        self.assertLessEqual(int(lines[1].removeprefix("threads ")), most)
        self.assertEqual(lines[2:], ["127.0.0.1", "192.0.2.1"])
        asked = {line.split("] ")[1].split()[0] for line in self.dnsmasq.asked(".silent.test")}
        begun = {name for name in asked if name.startswith("n")}
        self.assertLessEqual(len(begun), most)

    # ---- connecting to what has several addresses

    @contextlib.contextmanager
    def listening(self, port=0):
        with socket.create_server(("127.0.0.1", port)) as server:
            yield server.getsockname()[1]

    @contextlib.contextmanager
    def silent_address(self, port):
        """[::1]:port, where connections neither succeed nor fail: the queue is full."""
        with contextlib.ExitStack() as stack:
            try:
                server = stack.enter_context(socket.socket(socket.AF_INET6))
                server.bind(("::1", port))
            except OSError as error:
                self.skipTest(f"no IPv6 here: {error}")
            server.listen(0)
            for _ in range(3):
                filler = stack.enter_context(socket.socket(socket.AF_INET6))
                filler.setblocking(False)
                filler.connect_ex(("::1", port))
            yield

    def test_the_second_address_when_the_first_refuses(self):
        self.assertEqual(oracle("eyes.test"), "::1 127.0.0.1")
        with self.listening() as port:
            for more in ((), ("stagger=60000",)):
                self.assertEqual(self.ours("connect", "host=eyes.test", f"port={port}", *more),
                                 ["connected to 127.0.0.1"])
        self.assertEqual(self.ours("connect", "host=eyes.test", f"port={port}"),
                         [f"brio::ConnectionRefusedError: connect to [::1]:{port}, "
                          f"127.0.0.1:{port} failed: Connection refused"])

    def test_happy_eyeballs(self):
        with self.listening() as port, self.silent_address(port):
            self.assertEqual(self.ours("connect", "host=eyes.test", f"port={port}", "stagger=50"),
                             ["connected to 127.0.0.1"])
            # Without it the first address has all the time there is, as in asyncio.
            self.assertEqual(self.ours("connect", "host=eyes.test", f"port={port}",
                                       "timeout=300"), ["brio::TimeoutError:"])

    def test_no_such_host(self):
        self.assertEqual(self.ours("connect", "host=nowhere.test", "port=80"),
                         ["brio::gaierror -2: getaddrinfo for 'nowhere.test' failed: "
                          "Name or service not known"])


class GoneTest(unittest.TestCase):
    def test_no_resolver_at_all(self):
        done = subprocess.run([PEER, "resolve", "host=only4.test"], capture_output=True, text=True,
                              timeout=PATIENCE)
        self.assertEqual(done.stdout.rstrip(), oracle("only4.test"))
        self.assertIn("brio::gaierror -3", done.stdout)


if __name__ == "__main__":
    if not DNSMASQ:
        skip("dnsmasq is not installed")
    if sys.argv[-1] != "inside":
        enter()
    sys.argv.pop()
    PEER = os.path.abspath(sys.argv.pop(1))
    with tempfile.TemporaryDirectory(prefix="brio-dns-") as name:
        prepare(pathlib.Path(name))
        unittest.main(verbosity=2)
