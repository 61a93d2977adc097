"""`brio get`: what it shows and reports: test_get_reports.py <the brio command>."""

import fcntl
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
