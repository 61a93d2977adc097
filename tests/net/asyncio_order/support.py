"""What the cases share: sides that tell what they hear, and how they are connected."""

import asyncio
import os
import socket
import struct

PIECE = b"x" * 100_000


class Boom(Exception):
    pass


def text(word):
    if word is None:
        return "none"
    if isinstance(word, BaseException):
        return f"Boom({word})" if isinstance(word, Boom) else type(word).__name__
    return str(word)


class Trace:
    """The lines of one side. Bytes that came in pieces are one line."""

    def __init__(self, name):
        self.name = name
        self.lines = []

    def say(self, *words):
        self.lines.append(" ".join(map(text, words)))

    def told(self):
        merged = []
        for line in self.lines:
            if line.startswith("data b'") and merged and merged[-1].startswith("data b'"):
                merged[-1] = merged[-1][:-1] + line[len("data b'"):]
            else:
                merged.append(line)
        return f"{self.name}: " + "; ".join(merged)


class Side(Trace, asyncio.Protocol):
    def __init__(self, name="side"):
        super().__init__(name)
        loop = asyncio.get_running_loop()
        self.made, self.ended, self.lost = (loop.create_future() for _ in range(3))
        self.transport = None
        self.received = b""
        self.keep_open = False
        self.trace_data = True
        self.times_lost = 0
        self.on_made = self.on_end = self.on_pause = self.on_resume = self.on_lost = lambda: None
        self.on_data = lambda data: None

    def connection_made(self, transport):
        self.transport = transport
        self.say("made")
        self.made.set_result(None)
        self.on_made()

    def data_received(self, data):
        self.received += data
        if self.trace_data:
            self.say("data", data)
        self.on_data(data)

    def eof_received(self):
        self.say("eof")
        if not self.ended.done():
            self.ended.set_result(None)
        self.on_end()
        return self.keep_open

    def pause_writing(self):
        self.say("pause")
        self.on_pause()

    def resume_writing(self):
        self.say("resume")
        self.on_resume()

    def connection_lost(self, error):
        self.say("lost", error)
        self.times_lost += 1
        if not self.lost.done():
            self.lost.set_result(None)
        self.on_lost()

    def soon(self, *words):
        asyncio.get_running_loop().call_soon(self.say, *words)

    def flood(self, more=200_000):
        """Writes until so much is buffered; how much was written."""
        written = 0
        while self.transport.get_write_buffer_size() < more:
            self.transport.write(PIECE)
            written += len(PIECE)
        return written

    def throws(self, where, error=None):
        def throw(*_):
            raise error or Boom(where)
        setattr(self, "on_" + where, throw)


def trap(trace):
    """The loop's exception handler tells `trace`."""
    def handler(loop, context):
        message = context["message"]
        if message.startswith("Exception in callback"):
            message = "Exception in callback"
        trace.say("HANDLER", message, context.get("exception"))
    asyncio.get_running_loop().set_exception_handler(handler)


async def ticks(count):
    for _ in range(count):
        await asyncio.sleep(0)


async def until(done):
    while not done():
        await asyncio.sleep(0.0001)


async def connected(kind):
    if kind == "unix":
        ours, peer = socket.socketpair()
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        ours = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
        listener.close()
    peer.setblocking(False)
    return ours, peer


async def ends(kind, side, waiting=b""):
    """A transport with `side` on it; gives the other end."""
    ours, peer = await connected(kind)
    if waiting:
        peer.send(waiting)
    side.peer = peer  # open as long as the test goes
    await asyncio.get_running_loop().create_connection(lambda: side, sock=ours)
    return peer


async def serve(kind, factory):
    loop = asyncio.get_running_loop()
    if kind == "tcp":
        return await loop.create_server(factory, "127.0.0.1", 0)
    return await loop.create_unix_server(factory, f"\0brio-order-{os.getpid()}")


async def connect(server, factory):
    loop = asyncio.get_running_loop()
    address = server.sockets[0].getsockname()
    if isinstance(address, tuple):
        return await loop.create_connection(factory, *address)
    return await loop.create_unix_connection(factory, address)


async def pair(kind):
    """Two protocols with a connection between them."""
    client, server = Side("client"), Side("server")
    at = await serve(kind, lambda: server)
    await connect(at, lambda: client)
    await server.made
    at.close()
    return client, server


async def drain(peer):
    """Reads to the end; how much it was."""
    total = 0
    try:
        while data := await asyncio.get_running_loop().sock_recv(peer, 65536):
            total += len(data)
    except ConnectionError:
        pass
    return total


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


CASES = []


def case(name, kinds=("tcp", "unix")):
    def add(function):
        CASES.append((name, kinds, function))
    return add
