"""What asyncio's protocols are told over pipes, and in which order: the source of what
test_asyncio_order.cpp in this folder expects.

    python3.13 asyncio_order.py

A line for each case: its name and what the protocol was told.
"""

import asyncio
import os


class Boom(Exception):
    pass


def text(word):
    if word is None:
        return "none"
    if isinstance(word, BaseException):
        return f"Boom({word})" if isinstance(word, Boom) else type(word).__name__
    return str(word)


class Side(asyncio.Protocol):
    def __init__(self):
        self.lines = []
        self.lost = asyncio.get_running_loop().create_future()
        self.keep_open = False
        self.times_lost = 0
        self.on_made = self.on_end = self.on_pause = self.on_resume = self.on_lost = lambda: None
        self.on_data = lambda data: None

    def say(self, *words):
        self.lines.append(" ".join(map(text, words)))

    def soon(self, word):
        asyncio.get_running_loop().call_soon(self.say, word)

    def connection_made(self, transport):
        self.transport = transport
        self.say("made")
        self.on_made()

    def data_received(self, data):
        self.say("data", data)
        self.on_data(data)

    def eof_received(self):
        self.say("eof")
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
        self.lost.set_result(None)
        self.on_lost()

    def flood(self, more=200_000):
        written = 0
        while self.transport.get_write_buffer_size() < more:
            self.transport.write(b"x" * 100_000)
            written += 100_000
        return written

    def throws(self, where):
        def throw(*_):
            raise Boom(where)
        setattr(self, "on_" + where, throw)


def trap(side):
    def handler(loop, context):
        message = context["message"]
        if message.startswith("Exception in callback"):
            message = "Exception in callback"
        side.say("HANDLER", message, context.get("exception"))
    asyncio.get_running_loop().set_exception_handler(handler)


async def ticks(count):
    for _ in range(count):
        await asyncio.sleep(0)


async def until(done):
    while not done():
        await asyncio.sleep(0.0001)


async def reading(side):
    """A transport that reads; the descriptor that it reads from."""
    r, w = os.pipe()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: side, os.fdopen(r, "rb", 0))
    return w


async def writing(side):
    """A transport that writes; the descriptor that it writes to."""
    r, w = os.pipe()
    loop = asyncio.get_running_loop()
    await loop.connect_write_pipe(lambda: side, os.fdopen(w, "wb", 0))
    os.set_blocking(r, False)
    return r


async def drain(fd):
    """Reads to the end; how much it was."""
    total = 0
    while True:
        try:
            piece = os.read(fd, 65536)
        except BlockingIOError:
            await asyncio.sleep(0.0001)
            continue
        if not piece:
            os.close(fd)
            return total
        total += len(piece)


CASES = []


def case(name):
    def add(function):
        CASES.append((name, function))
        return function
    return add


@case("the writer's close")
async def _(side):
    side.on_end = lambda: side.soon("soon")
    side.keep_open = True
    w = await reading(side)
    os.write(w, b"last words")
    os.close(w)
    await side.lost
    side.say("protocol", side.transport.get_protocol())


@case("the writer's close while paused")
async def _(side):
    w = await reading(side)
    side.transport.pause_reading()
    os.write(w, b"last words")
    os.close(w)
    await ticks(5)
    side.say("resume")
    side.transport.resume_reading()
    await side.lost


@case("a read pipe's close, with data waiting")
async def _(side):
    w = await reading(side)
    os.write(w, b"unread")
    side.soon("before")
    side.transport.close()
    side.soon("after")
    side.transport.close()
    side.say("closing", side.transport.is_closing())
    await side.lost
    await ticks(3)


@case("a read pipe's close in data_received")
async def _(side):
    w = await reading(side)
    side.on_data = lambda data: (side.transport.close(), os.close(w))
    os.write(w, b"one")
    await side.lost
    await ticks(3)


@case("data_received throws")
async def _(side):
    trap(side)
    side.throws("data")
    w = await reading(side)
    os.write(w, b"one")
    await until(lambda: len(side.lines) > 2)
    os.close(w)
    await side.lost


@case("eof_received throws")
async def _(side):
    trap(side)
    side.throws("end")
    os.close(await reading(side))
    await side.lost


@case("connection_lost throws")
async def _(side):
    trap(side)
    side.throws("lost")
    await reading(side)
    side.transport.close()
    await side.lost
    await ticks(3)
    side.say("pipe", side.transport.get_extra_info("pipe").closed)


@case("the reader's close")
async def _(side):
    os.close(await writing(side))
    await side.lost
    side.transport.write(b"late")
    await ticks(3)


@case("the reader's close, with writes pending")
async def _(side):
    r = await writing(side)
    side.flood()
    os.close(r)
    await side.lost
    side.say("buffered", side.transport.get_write_buffer_size())
    await ticks(3)


@case("the reader's close, with writes pending, closed before")
async def _(side):
    r = await writing(side)
    side.flood()
    side.transport.close()
    os.close(r)
    await side.lost
    await ticks(3)


@case("a write after the reader's close")
async def _(side):
    os.close(await writing(side))
    side.transport.write(b"x")
    side.say("written", side.transport.is_closing())
    side.transport.write(b"x")
    side.soon("soon")
    await side.lost
    await ticks(3)


@case("a write pipe's close")
async def _(side):
    r = await writing(side)
    side.soon("before")
    side.transport.close()
    side.soon("after")
    side.transport.close()
    side.transport.write_eof()
    side.transport.write(b"late")
    await side.lost
    side.say("arrived", await drain(r))
    await ticks(3)


@case("a write pipe's close with writes pending")
async def _(side):
    r = await writing(side)
    sent = side.flood()
    side.transport.close()
    side.soon("soon")
    await ticks(5)
    side.say("lost", side.times_lost)
    got = await drain(r)
    await side.lost
    side.say("all arrived", got == sent)


@case("a write pipe's write_eof with writes pending, then abort")
async def _(side):
    r = await writing(side)
    sent = side.flood()
    side.transport.write_eof()
    await ticks(3)
    side.say("closing", side.transport.is_closing(), "lost", side.times_lost)
    side.transport.abort()
    side.soon("soon")
    await side.lost
    await ticks(3)
    side.say("all arrived", await drain(r) == sent)


@case("a write pipe's abort with writes pending")
async def _(side):
    r = await writing(side)
    sent = side.flood()
    side.soon("before")
    side.transport.abort()
    side.say("aborted", side.transport.get_write_buffer_size())
    side.soon("after")
    await side.lost
    await ticks(3)
    side.say("all arrived", await drain(r) == sent)


@case("pause, resume, close")
async def _(side):
    r = await writing(side)
    sent = side.flood()
    side.say("flooded")
    side.on_resume = lambda: side.soon("soon")
    reader = asyncio.create_task(drain(r))
    await until(lambda: "soon" in side.lines)
    side.transport.close()
    got = await reader
    await side.lost
    side.say("all arrived", got == sent)


@case("pause_writing and resume_writing throw")
async def _(side):
    trap(side)
    side.throws("pause")
    side.throws("resume")
    r = await writing(side)
    sent = side.flood()
    side.transport.close()
    got = await drain(r)
    await side.lost
    side.say("all arrived", got == sent)


def main():
    for name, function in CASES:
        async def run():
            side = Side()
            await asyncio.wait_for(function(side), 20)
            return side
        print(f"{name}  side: " + "; ".join(asyncio.run(run()).lines), flush=True)


main()
