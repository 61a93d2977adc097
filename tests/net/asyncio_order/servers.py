"""Streams' ends, and servers with live clients."""

import asyncio

from support import (PIECE, Side, Trace, case, connect, connected, drain, reset, serve, ticks,
                     trap, until)


# ---- streams


async def ticker(trace, count):
    for number in range(1, count + 1):
        await asyncio.sleep(0)
        trace.say("tick", number)


async def waiting(trace, name, what):
    try:
        await what
        trace.say(name)
    except Exception as error:
        trace.say(name, error)


@case("streams: wait_closed after close")
async def _(kind):
    trace = Trace("writer")
    ours, peer = await connected(kind)
    reader, writer = await asyncio.open_connection(sock=ours)
    writer.close()
    trace.say("closed")
    await asyncio.gather(waiting(trace, "wait_closed", writer.wait_closed()), ticker(trace, 4),
                         waiting(trace, "read", reader.read()))
    await waiting(trace, "again", writer.wait_closed())
    await waiting(trace, "drain", writer.drain())
    return trace,


@case("streams: wait_closed and drain, aborted")
async def _(kind):
    trace = Trace("writer")
    ours, peer = await connected(kind)
    reader, writer = await asyncio.open_connection(sock=ours)
    while writer.transport.get_write_buffer_size() < 200_000:
        writer.write(PIECE)
    waits = asyncio.gather(waiting(trace, "wait_closed", writer.wait_closed()),
                           waiting(trace, "drain", writer.drain()),
                           waiting(trace, "read", reader.read()))
    await ticks(2)
    writer.transport.abort()
    trace.say("aborted")
    await ticker(trace, 4)
    await waits
    return trace,


@case("streams: wait_closed, drain and read, reset", ("tcp",))
async def _(kind):
    trace = Trace("writer")
    ours, peer = await connected(kind)
    reader, writer = await asyncio.open_connection(sock=ours)
    while writer.transport.get_write_buffer_size() < 200_000:
        writer.write(PIECE)
    waits = asyncio.gather(waiting(trace, "wait_closed", writer.wait_closed()),
                           waiting(trace, "drain", writer.drain()),
                           waiting(trace, "read", reader.read()))
    await ticks(2)
    reset(peer)
    await waits
    await waiting(trace, "again", writer.wait_closed())
    await waiting(trace, "drain", writer.drain())
    await waiting(trace, "read", reader.read())
    return trace,


# ---- servers


async def served(kind):
    """A server that goes on, with one client."""
    client, server = Side("client"), Side("server")
    at = await serve(kind, lambda: server)
    await connect(at, lambda: client)
    await server.made
    return at, client, server


@case("Server.close with a live client")
async def _(kind):
    at, client, server = await served(kind)
    at.close()
    at.close()
    server.say("serving", at.is_serving(), len(at.sockets))
    wait = asyncio.create_task(waiting(server, "wait_closed", at.wait_closed()))
    await ticks(3)
    client.transport.write(b"still there?")
    server.on_data = lambda data: server.transport.write(b"yes")
    await until(lambda: client.received)
    client.transport.close()
    server.on_lost = lambda: server.soon("soon")
    await wait
    await client.lost
    await waiting(server, "again", at.wait_closed())
    return client, server


@case("Server.close in the last client's connection_lost")
async def _(kind):
    at, client, server = await served(kind)
    server.on_lost = lambda: (at.close(), server.soon("soon"))
    wait = asyncio.create_task(waiting(server, "wait_closed", at.wait_closed()))
    await ticks(3)
    client.transport.close()
    await wait
    return client, server


@case("Server.close in connection_made")
async def _(kind):
    client, server = Side("client"), Side("server")
    at = await serve(kind, lambda: server)
    server.on_made = at.close
    await connect(at, lambda: client)
    await server.made
    wait = asyncio.create_task(waiting(server, "wait_closed", at.wait_closed()))
    await ticks(3)
    client.transport.close()
    await wait
    return client, server


@case("Server.wait_closed before close, nobody there")
async def _(kind):
    trace = Trace("server")
    at = await serve(kind, lambda: Side("nobody"))
    wait = asyncio.create_task(waiting(trace, "wait_closed", at.wait_closed()))
    await ticks(3)
    trace.say("close")
    at.close()
    await ticker(trace, 2)
    await wait
    return trace,


@case("Server.close_clients")
async def _(kind):
    at, client, server = await served(kind)
    at.close()
    at.close_clients()
    server.say("closing", server.transport.is_closing())
    wait = asyncio.create_task(waiting(server, "wait_closed", at.wait_closed()))
    server.soon("soon")
    await wait
    await client.lost
    return client, server


@case("Server.close_clients with data pending")
async def _(kind):
    at, client, server = await served(kind)
    client.trace_data = False
    client.transport.pause_reading()
    sent = server.flood()
    at.close()
    at.close_clients()
    wait = asyncio.create_task(waiting(server, "wait_closed", at.wait_closed()))
    await ticks(5)
    server.say("lost", server.times_lost)
    client.transport.resume_reading()
    await wait
    await client.lost
    client.say("all arrived", len(client.received) == sent)
    return client, server


@case("Server.abort_clients with data pending")
async def _(kind):
    at, client, server = await served(kind)
    client.trace_data = False
    client.transport.pause_reading()
    sent = server.flood()
    at.close()
    at.abort_clients()
    server.say("aborted", server.transport.get_write_buffer_size())
    wait = asyncio.create_task(waiting(server, "wait_closed", at.wait_closed()))
    server.soon("soon")
    await wait
    client.transport.resume_reading()
    await client.lost
    client.say("all arrived", len(client.received) == sent)
    return client, server


@case("connection_lost throws, Server.wait_closed ends")
async def _(kind):
    at, client, server = await served(kind)
    trap(server)
    server.throws("lost")
    at.close()
    wait = asyncio.create_task(waiting(server, "wait_closed", at.wait_closed()))
    client.transport.close()
    await wait
    return client, server


@case("a server's connection_made throws")
async def _(kind):
    client, server = Side("client"), Side("server")
    trap(server)
    server.throws("made")
    at = await serve(kind, lambda: server)
    await connect(at, lambda: client)
    client.transport.write(b"hello")
    await until(lambda: server.received)
    client.transport.close()
    at.close()
    await at.wait_closed()
    return client, server
