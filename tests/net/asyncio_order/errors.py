"""What becomes of an exception that a protocol throws."""

import asyncio

from support import Boom, Side, Trace, case, drain, ends, ticks, trap, until


async def after_throwing(side, peer):
    peer.send(b"one")
    await until(lambda: side.received == b"one" or side.lost.done())
    peer.close()
    await side.lost
    await ticks(3)
    return side,


@case("connection_made throws")
async def _(kind):
    side = Side()
    trap(side)
    side.throws("made")
    peer = await ends(kind, side)
    side.say("connected", side.transport.is_closing())
    return await after_throwing(side, peer)


@case("data_received throws")
async def _(kind):
    side = Side()
    trap(side)
    side.throws("data")
    return await after_throwing(side, await ends(kind, side))


@case("data_received throws an OSError")
async def _(kind):
    side = Side()
    trap(side)
    side.throws("data", BrokenPipeError(32, "made up"))
    return await after_throwing(side, await ends(kind, side))


@case("data_received throws a CancelledError")
async def _(kind):
    side = Side()
    trap(side)
    side.throws("data", asyncio.CancelledError())
    return await after_throwing(side, await ends(kind, side))


@case("data_received throws after close")
async def _(kind):
    side = Side()
    trap(side)

    def throw(data):
        side.transport.close()
        raise Boom("data")
    side.on_data = throw
    return await after_throwing(side, await ends(kind, side))


@case("data_received throws, with writes pending")
async def _(kind):
    side = Side()
    trap(side)
    side.throws("data")
    peer = await ends(kind, side)
    side.flood()
    return await after_throwing(side, peer)


@case("eof_received throws")
async def _(kind):
    side = Side()
    trap(side)
    side.throws("end")
    return await after_throwing(side, await ends(kind, side))


@case("pause_writing throws")
async def _(kind):
    side = Side()
    trap(side)
    side.throws("pause")
    peer = await ends(kind, side)
    sent = side.flood()
    side.say("flooded")
    side.transport.write_eof()
    side.say("all arrived", await drain(peer) == sent)
    side.transport.close()
    await side.lost
    return side,


@case("resume_writing throws")
async def _(kind):
    side = Side()
    trap(side)
    side.throws("resume")
    peer = await ends(kind, side)
    sent = side.flood()
    side.transport.write_eof()
    side.say("all arrived", await drain(peer) == sent)
    side.transport.close()
    await side.lost
    return side,


@case("connection_lost throws")
async def _(kind):
    side = Side()
    trap(side)
    side.throws("lost")
    peer = await ends(kind, side)
    side.transport.close()
    side.soon("after")
    await side.lost
    await ticks(3)
    side.say("arrived", await drain(peer))
    return side,


@case("connection_lost throws after the last of the buffer")
async def _(kind):
    side = Side()
    trap(side)
    side.throws("lost")
    peer = await ends(kind, side)
    sent = side.flood()
    side.transport.close()
    side.say("all arrived", await drain(peer) == sent)
    await ticks(3)
    return side,


class Buffered(Trace, asyncio.BufferedProtocol):
    def __init__(self, where):
        super().__init__("side")
        self.where = where
        self.memory = bytearray(100)
        self.lost = asyncio.get_running_loop().create_future()

    def maybe_throw(self, where):
        self.say(where)
        if where == self.where:
            raise Boom(where)

    def get_buffer(self, sizehint):
        self.maybe_throw("get_buffer")
        return memoryview(self.memory)[:0] if self.where == "empty" else self.memory

    def buffer_updated(self, nbytes):
        self.maybe_throw("buffer_updated")

    def eof_received(self):
        self.maybe_throw("eof")

    def connection_lost(self, error):
        self.say("lost", error)
        self.lost.set_result(None)


for where in ("get_buffer", "empty", "buffer_updated", "eof"):
    @case(f"a BufferedProtocol, {where}")
    async def _(kind, where=where):
        side = Buffered(where)
        trap(side)
        peer = await ends(kind, side)
        peer.send(b"one")
        await until(lambda: side.lines)
        peer.close()
        await side.lost
        await ticks(3)
        return side,
