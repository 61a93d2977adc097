"""When connection_lost comes, and with what."""

import asyncio
import socket

from support import Side, case, drain, ends, reset, ticks


@case("close")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.soon("before")
    side.transport.close()
    side.say("closing", side.transport.is_closing())
    side.soon("after")
    await side.lost
    side.say("protocol", side.transport.get_protocol())
    side.say("arrived", await drain(peer))
    return side,


@case("close twice, then abort")
async def _(kind):
    side = Side()
    await ends(kind, side)
    side.transport.close()
    side.transport.close()
    side.transport.abort()
    side.soon("after")
    await side.lost
    side.transport.close()
    side.transport.abort()
    await ticks(3)
    return side,


@case("abort twice, then close")
async def _(kind):
    side = Side()
    await ends(kind, side)
    side.transport.abort()
    side.transport.abort()
    side.transport.close()
    side.soon("after")
    await side.lost
    await ticks(3)
    return side,


@case("close with data buffered, then abort")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    sent = side.flood()
    side.transport.close()
    await ticks(3)
    side.say("lost", side.times_lost)
    side.transport.abort()
    side.soon("after")
    await side.lost
    await ticks(3)
    side.say("all arrived", await drain(peer) == sent)
    return side,


@case("close in connection_made, with data waiting")
async def _(kind):
    side = Side()
    side.on_made = lambda: (side.soon("before"), side.transport.close(), side.soon("after"))
    await ends(kind, side, b"waiting")
    side.say("connected")
    await ticks(3)
    return side,


@case("close in data_received, with more and the end waiting")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.on_data = lambda data: (side.transport.close(), peer.close())
    peer.send(b"one")
    await side.lost
    await ticks(3)
    return side,


@case("close in eof_received, which wants to stay")
async def _(kind):
    side = Side()
    side.keep_open = True
    side.on_end = lambda: (side.transport.close(), side.soon("soon"))
    peer = await ends(kind, side)
    peer.close()
    await side.lost
    await ticks(3)
    return side,


@case("abort in eof_received")
async def _(kind):
    side = Side()
    side.on_end = lambda: (side.transport.abort(), side.soon("soon"))
    peer = await ends(kind, side)
    peer.close()
    await side.lost
    await ticks(3)
    return side,


@case("close and abort in connection_lost")
async def _(kind):
    side = Side()
    side.on_lost = lambda: (side.transport.close(), side.transport.abort(),
                            side.transport.write(b"late"), side.soon("soon"))
    await ends(kind, side)
    side.transport.close()
    await side.lost
    await ticks(3)
    return side,


@case("the peer's close")
async def _(kind):
    side = Side()
    side.on_end = lambda: side.soon("soon")
    peer = await ends(kind, side)
    peer.send(b"last words")
    peer.close()
    await side.lost
    side.transport.write(b"late")
    await ticks(3)
    return side,


@case("the peer's close, with our writes unread and pending")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.flood()
    peer.close()
    await side.lost
    side.say("buffered", side.transport.get_write_buffer_size())
    await ticks(3)
    return side,


@case("the peer's close while paused, and we write on")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.transport.pause_reading()
    peer.close()
    while not side.transport.is_closing():
        side.transport.write(b"x")
        await asyncio.sleep(0)
    side.soon("soon")
    await side.lost
    await ticks(3)
    return side,


@case("reset", ("tcp",))
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    reset(peer)
    await side.lost
    side.transport.write(b"late")
    side.transport.abort()
    await ticks(3)
    return side,


@case("reset behind data", ("tcp",))
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    peer.send(b"last words")
    reset(peer)
    await side.lost
    await ticks(3)
    return side,


@case("reset with our writes pending", ("tcp",))
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.flood()
    reset(peer)
    await side.lost
    side.say("buffered", side.transport.get_write_buffer_size())
    await ticks(3)
    return side,


@case("reset with our writes pending, closed before", ("tcp",))
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.flood()
    side.transport.close()
    reset(peer)
    await side.lost
    await ticks(3)
    return side,


@case("reset while paused", ("tcp",))
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.transport.pause_reading()
    reset(peer)
    await ticks(5)
    side.say("resume")
    side.transport.resume_reading()
    await side.lost
    await ticks(3)
    return side,


@case("reset while paused, with our writes pending", ("tcp",))
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.transport.pause_reading()
    side.flood()
    reset(peer)
    await side.lost
    await ticks(3)
    return side,


@case("reset after our write_eof", ("tcp",))
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.transport.write_eof()
    reset(peer)
    await side.lost
    await ticks(3)
    return side,


@case("reset after an eof that left the transport open, and we write on", ("tcp",))
async def _(kind):
    side = Side()
    side.keep_open = True
    peer = await ends(kind, side)
    peer.shutdown(socket.SHUT_WR)
    await side.ended
    reset(peer)
    await ticks(5)
    side.say("lost", side.times_lost)
    while not side.transport.is_closing():
        side.transport.write(b"x")
        await asyncio.sleep(0)
    await side.lost
    await ticks(3)
    return side,
