"""Web servers for the tests of `brio get`: Python's own, and one that misbehaves on purpose.

All listen on a free port of 127.0.0.1 and are stopped by leaving their `with` block.
"""

import contextlib
import functools
import hashlib
import http.server
import re
import socket
import socketserver
import threading


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request, client_address):
        pass  # a client that goes away is no news here


@contextlib.contextmanager
def serving(handler, context=None):
    """Runs a server with this handler class; gives its base URL."""
    server = Server(("127.0.0.1", 0), handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def files(directory, context=None):
    """Python's http.server on a folder: HTTP/1.0, no ranges."""
    return serving(functools.partial(QuietFiles, directory=str(directory)), context)


def content(size, seed="x"):
    """`size` bytes that depend on the seed and do not repeat soon."""
    block = b"".join(hashlib.sha256(f"{seed}{i}".encode()).digest() for i in range(2048))
    return (block * (size // len(block) + 1))[:size]


class Script(http.server.BaseHTTPRequestHandler):
    """Answers by `routes`: path -> function(handler). `seen` collects (path, headers)."""

    protocol_version = "HTTP/1.1"
    routes = {}
    seen = []
    lock = threading.Lock()

    def log_message(self, *args):
        pass

    def do_GET(self):
        with self.lock:
            self.seen.append((self.path, dict(self.headers)))
        route = self.routes.get(self.path.split("?")[0])
        if route:
            route(self)
        else:
            self.answer(404, b"nothing here")

    def answer(self, status, body=b"", **headers):
        """A whole answer; `headers` with _ for -."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if "Content_Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drop(self):
        """Ends the connection at once."""
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def wait_for_client(self):
        """Keeps the connection until the other side has gone."""
        self.wfile.flush()
        with contextlib.suppress(OSError):
            while self.connection.recv(4096):
                pass
        self.close_connection = True


@contextlib.contextmanager
def script(routes):
    """A Script server; gives (base URL, the list of what was asked)."""
    seen = []
    handler = type("Scripted", (Script,), {"routes": routes, "seen": seen})
    with serving(handler) as url:
        yield url, seen


class Ranges:
    """A file with an ETag and ranges that breaks off after `breaks` bytes, one number a request."""

    def __init__(self, body, etag='"v1"', breaks=(), stall=False):
        self.body = body
        self.etag = etag
        self.breaks = list(breaks)
        self.stall = stall  # keep the connection instead of closing it
        self.broken = threading.Event()

    def __call__(self, handler):
        match = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(match[1]) if match else 0
        if match and handler.headers.get("If-Range") not in (None, self.etag):
            start, match = 0, None
        size = len(self.body)
        if match and start >= size:
            return handler.answer(416, Content_Range=f"bytes */{size}", ETag=self.etag)
        handler.send_response(206 if match else 200)
        handler.send_header("ETag", self.etag)
        handler.send_header("Accept-Ranges", "bytes")
        if match:
            handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        handler.send_header("Content-Length", str(size - start))
        handler.end_headers()
        if not self.breaks:
            return handler.wfile.write(self.body[start:])
        handler.wfile.write(self.body[start:start + self.breaks.pop(0)])
        handler.wfile.flush()
        self.broken.set()
        return handler.wait_for_client() if self.stall else handler.drop()
