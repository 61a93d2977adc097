"""Datagram endpoints."""

import asyncio
import os
import socket

from support import Boom, Trace, case, ticks, trap, until


class Endpoint(Trace, asyncio.DatagramProtocol):
    def __init__(self, name="endpoint"):
        super().__init__(name)
        self.lost = asyncio.get_running_loop().create_future()
        self.errors = self.count = 0
        self.on_error = self.on_data = lambda: None

    def connection_made(self, transport):
        self.transport = transport
        self.say("made")

    def datagram_received(self, data, address):
        self.count += 1
        self.say("datagram", data)
        self.on_data()

    def error_received(self, error):
        self.errors += 1
        self.say("error", error)
        self.on_error()

    def pause_writing(self):
        self.say("pause")

    def resume_writing(self):
        self.say("resume")

    def connection_lost(self, error):
        self.say("lost", error)
        self.lost.set_result(None)

    def soon(self, *words):
        asyncio.get_running_loop().call_soon(self.say, *words)


async def endpoint(**options):
    return (await asyncio.get_running_loop().create_datagram_endpoint(Endpoint, **options))[1]


def closed_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()


async def unix_endpoint():
    """An endpoint whose peer does not read, and the peer."""
    name = f"\0brio-order-{os.getpid()}"
    peer, ours = (socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2))
    peer.bind(name + "-peer")
    ours.bind(name)
    ours.connect(peer.getsockname())
    peer.connect(ours.getsockname())
    peer.setblocking(False)
    return await endpoint(sock=ours), peer


def fill(protocol, count=5):
    """Sends until so many datagrams are queued."""
    sent = 0
    while protocol.transport.get_write_buffer_size() < count * 1000:
        protocol.transport.sendto(b"d" * 1000)
        sent += 1
    return sent


async def take(peer, count):
    for _ in range(count):
        await asyncio.get_running_loop().sock_recv(peer, 2000)


@case("datagrams: nobody listens", ("udp",))
async def _(kind):
    e = await endpoint(remote_addr=closed_port())
    for errors in (1, 2):
        e.transport.sendto(b"x")
        await until(lambda: e.errors == errors)
        e.say("closing", e.transport.is_closing())
    e.transport.close()
    await e.lost
    return e,


@case("datagrams: nobody listens, not connected", ("udp",))
async def _(kind):
    e = await endpoint(local_addr=("127.0.0.1", 0))
    for _ in range(2):
        e.transport.sendto(b"x", closed_port())
        await ticks(5)
    e.transport.sendto(b"myself", e.transport.get_extra_info("sockname"))
    await until(lambda: e.count)
    e.transport.close()
    await e.lost
    return e,


@case("datagrams: the peer has gone", ("unix",))
async def _(kind):
    e, peer = await unix_endpoint()
    peer.close()
    e.transport.sendto(b"x")
    e.say("sent", e.transport.is_closing())
    e.transport.close()
    await e.lost
    return e,


@case("datagrams: too large", ("udp",))
async def _(kind):
    e = await endpoint(remote_addr=closed_port())
    e.transport.sendto(b"x" * 70_000)
    e.say("sent", e.transport.get_write_buffer_size(), e.transport.is_closing())
    e.transport.close()
    await e.lost
    return e,


@case("datagrams: another address than the peer's", ("udp",))
async def _(kind):
    e = await endpoint(remote_addr=closed_port())
    try:
        e.transport.sendto(b"x", ("127.0.0.2", 9))
    except ValueError as error:
        e.say(error)
    e.say("closing", e.transport.is_closing())
    e.transport.close()
    await e.lost
    return e,


@case("datagrams: close, and sends after it", ("udp",))
async def _(kind):
    e = await endpoint(remote_addr=closed_port())
    e.transport.close()
    e.soon("soon")
    e.transport.close()
    e.transport.sendto(b"x")
    e.say("closing", e.transport.is_closing())
    await e.lost
    e.transport.sendto(b"x")
    e.transport.close()
    await ticks(3)
    return e,


@case("datagrams: abort", ("udp",))
async def _(kind):
    e = await endpoint(local_addr=("127.0.0.1", 0))
    e.transport.abort()
    e.soon("soon")
    e.transport.abort()
    await e.lost
    await ticks(3)
    return e,


@case("datagrams: pause, resume", ("unix",))
async def _(kind):
    e, peer = await unix_endpoint()
    e.transport.set_write_buffer_limits(high=3000, low=1000)
    sent = fill(e)
    e.say("filled")
    await take(peer, sent)
    await ticks(3)
    e.transport.close()
    await e.lost
    return e,


@case("datagrams: close with some queued", ("unix",))
async def _(kind):
    e, peer = await unix_endpoint()
    e.transport.set_write_buffer_limits(high=3000, low=1000)
    sent = fill(e)
    e.transport.close()
    await ticks(5)
    e.say("queued", e.transport.get_write_buffer_size() > 0)
    await take(peer, sent)
    await e.lost
    return e,


@case("datagrams: abort with some queued", ("unix",))
async def _(kind):
    e, peer = await unix_endpoint()
    e.transport.set_write_buffer_limits(high=3000, low=1000)
    fill(e)
    e.soon("before")
    e.transport.abort()
    e.soon("after")
    e.say("aborted")
    await e.lost
    await ticks(3)
    return e,


@case("datagrams: the peer goes with some queued", ("unix",))
async def _(kind):
    e, peer = await unix_endpoint()
    e.transport.set_write_buffer_limits(high=3000, low=1000)
    fill(e, 4)
    peer.close()
    await until(lambda: "resume" in e.lines)
    e.say("closing", e.transport.is_closing())
    e.transport.close()
    await e.lost
    return e,


@case("datagrams: the peer goes with some queued, closed before", ("unix",))
async def _(kind):
    e, peer = await unix_endpoint()
    e.transport.set_write_buffer_limits(high=3000, low=1000)
    fill(e, 4)
    e.transport.close()
    peer.close()
    await e.lost
    await ticks(3)
    return e,


@case("datagrams: datagram_received throws", ("unix",))
async def _(kind):
    e, peer = await unix_endpoint()
    trap(e)

    def throw():
        e.on_data = lambda: None
        raise Boom("data")
    e.on_data = throw
    peer.send(b"one")
    peer.send(b"")
    await until(lambda: e.count == 2)
    e.transport.close()
    await e.lost
    return e,


@case("datagrams: error_received throws", ("unix",))
async def _(kind):
    e, peer = await unix_endpoint()
    trap(e)

    def throw():
        raise Boom("error")
    e.on_error = throw
    peer.close()
    try:
        e.transport.sendto(b"x")
    except Boom as error:
        e.say("sendto", error)
    e.say("closing", e.transport.is_closing())
    e.transport.close()
    await e.lost
    return e,
