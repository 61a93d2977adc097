"""Half-closed and paused connections."""

import socket

from support import Side, case, drain, ends, pair, ticks, until


# ---- half-close


@case("half-close by the client, the server stays")
async def _(kind):
    client, server = await pair(kind)
    server.keep_open = True
    server.on_end = lambda: server.transport.write(b"after your end")
    client.transport.write(b"question")
    client.transport.write_eof()
    await until(lambda: client.received == b"after your end")
    server.say("closing", server.transport.is_closing())
    server.transport.close()
    await client.lost
    await server.lost
    return client, server


@case("half-close by the client, the server goes")
async def _(kind):
    client, server = await pair(kind)
    server.on_data = lambda data: server.transport.write(b"answer")
    client.transport.write(b"question")
    client.transport.write_eof()
    await client.lost
    await server.lost
    return client, server


@case("half-close by the server, the client stays")
async def _(kind):
    client, server = await pair(kind)
    client.keep_open = True
    client.on_end = lambda: client.transport.write(b"after your end")
    server.transport.write(b"greeting")
    server.transport.write_eof()
    await until(lambda: server.received == b"after your end")
    client.say("closing", client.transport.is_closing())
    client.transport.close()
    await client.lost
    await server.lost
    return client, server


@case("half-close by both, one after the other")
async def _(kind):
    client, server = await pair(kind)
    client.keep_open = server.keep_open = True
    client.transport.write_eof()
    await server.ended
    server.transport.write(b"last words")
    server.transport.write_eof()
    await client.ended
    await ticks(5)
    for side in client, server:
        side.say("closing", side.transport.is_closing())
        side.transport.close()
        await side.lost
    return client, server


@case("half-close by both at once")
async def _(kind):
    client, server = await pair(kind)
    for side in client, server:
        side.transport.write(b"bye")
        side.transport.write_eof()
    await client.lost
    await server.lost
    return client, server


@case("write_eof twice, then writes")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.transport.write_eof()
    side.transport.write_eof()
    for call in (lambda: side.transport.write(b"x"), lambda: side.transport.writelines([b"x"])):
        try:
            call()
        except RuntimeError as error:
            side.say(*error.args)
    side.say("closing", side.transport.is_closing())
    peer.send(b"answer")
    await until(lambda: side.received == b"answer")
    peer.close()
    await side.lost
    return side,


@case("write_eof after close")
async def _(kind):
    side = Side()
    await ends(kind, side)
    side.transport.close()
    side.transport.write_eof()
    side.transport.write(b"late")
    side.say("written")
    await side.lost
    return side,


@case("write_eof with pending writes")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    sent = side.flood()
    side.transport.write_eof()
    side.say("pending", side.transport.get_write_buffer_size() > 0)
    got = await drain(peer)
    side.say("all arrived", got == sent, "then the end")
    peer.send(b"answer")
    await until(lambda: side.received == b"answer")
    side.transport.close()
    await side.lost
    return side,


@case("write_eof with pending writes, then close")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    sent = side.flood()
    side.transport.write_eof()
    side.transport.close()
    side.soon("soon")
    await ticks(5)
    got = await drain(peer)
    await side.lost
    side.say("all arrived", got == sent)
    return side,


@case("eof with our writes pending, we go")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    sent = side.flood()
    peer.shutdown(socket.SHUT_WR)
    await side.ended
    await ticks(3)
    side.say("lost", side.times_lost, "pending", side.transport.get_write_buffer_size() > 0)
    got = await drain(peer)
    await side.lost
    side.say("all arrived", got == sent)
    return side,


@case("eof with our writes pending, we stay")
async def _(kind):
    side = Side()
    side.keep_open = True
    peer = await ends(kind, side)
    sent = side.flood()
    peer.shutdown(socket.SHUT_WR)
    await side.ended
    side.say("closing", side.transport.is_closing())
    side.transport.write(b"more")
    side.on_resume = side.transport.close
    got = await drain(peer)
    await side.lost
    side.say("all arrived", got == sent + 4)
    return side,


# ---- reading paused


@case("paused: data and eof meanwhile")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.transport.pause_reading()
    peer.send(b"one")
    peer.send(b"two")
    peer.shutdown(socket.SHUT_WR)
    await ticks(5)
    side.say("reading", side.transport.is_reading())
    side.transport.resume_reading()
    side.say("reading", side.transport.is_reading())
    await side.lost
    return side,


@case("paused in connection_made, with data and eof waiting")
async def _(kind):
    side = Side()
    side.on_made = lambda: side.transport.pause_reading()
    peer = await ends(kind, side, b"waiting")
    peer.shutdown(socket.SHUT_WR)
    await ticks(5)
    side.say("resume")
    side.transport.resume_reading()
    await side.lost
    return side,


@case("paused in data_received, eof meanwhile")
async def _(kind):
    side = Side()
    side.on_data = lambda data: side.transport.pause_reading()
    peer = await ends(kind, side)
    peer.send(b"one")
    await until(lambda: side.received == b"one")
    peer.shutdown(socket.SHUT_WR)
    await ticks(5)
    side.say("resume")
    side.transport.resume_reading()
    await side.lost
    return side,


@case("paused and resumed at once, twice")
async def _(kind):
    side = Side()
    peer = await ends(kind, side, b"one")
    side.transport.pause_reading()
    side.transport.pause_reading()
    side.transport.resume_reading()
    side.transport.resume_reading()
    await until(lambda: side.received == b"one")
    peer.close()
    await side.lost
    return side,


@case("paused, then close")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.transport.pause_reading()
    peer.send(b"unread")
    side.transport.close()
    side.transport.resume_reading()
    side.say("reading", side.transport.is_reading())
    await side.lost
    await ticks(3)
    return side,


@case("paused after an eof that left the transport open")
async def _(kind):
    side = Side()
    side.keep_open = True
    peer = await ends(kind, side)
    peer.shutdown(socket.SHUT_WR)
    await side.ended
    side.transport.pause_reading()
    side.say("reading", side.transport.is_reading())
    side.transport.close()
    await side.lost
    return side,


@case("CPython only: resumed after an eof that left the transport open")
async def _(kind):
    side = Side()
    side.keep_open = True
    peer = await ends(kind, side)
    peer.shutdown(socket.SHUT_WR)
    await side.ended
    side.transport.pause_reading()
    side.transport.resume_reading()
    await until(lambda: len(side.lines) > 2)
    side.transport.close()
    await side.lost
    return side,
