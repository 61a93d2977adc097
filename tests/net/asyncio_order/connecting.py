"""Connects that are cancelled or fail."""

import asyncio
import os
import socket

from support import Boom, Side, case, connect, serve, ticks


def factory_of(side):
    def factory():
        side.say("factory")
        return side
    return factory


async def outcome(side, task):
    task.add_done_callback(lambda done: side.say("callback"))
    try:
        await task
        side.say("connected")
    except BaseException as error:
        side.say(error)
    await ticks(3)
    return side,


@case("connect: made, then connected", ("unix",))
async def _(kind):
    side = Side()
    side.on_made = lambda: side.soon("soon")
    ours, side.peer = socket.socketpair()
    task = asyncio.create_task(
        asyncio.get_running_loop().create_connection(factory_of(side), sock=ours))
    return await outcome(side, task)


@case("connect: cancelled before the first step")
async def _(kind):
    side = Side()
    at = await serve(kind, lambda: Side())
    task = asyncio.create_task(connect(at, factory_of(side)))
    task.cancel()
    await outcome(side, task)
    at.close()
    return side,


@case("connect: cancelled while the kernel connects", ("tcp",))
async def _(kind):
    side = Side()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        with socket.create_connection(listener.getsockname()):  # the queue is full now
            before = len(os.listdir("/proc/self/fd"))
            task = asyncio.create_task(asyncio.get_running_loop().create_connection(
                factory_of(side), *listener.getsockname()))
            await asyncio.sleep(0.01)
            side.say("sockets", len(os.listdir("/proc/self/fd")) - before)
            task.cancel()
            side.say("cancelled")
            await outcome(side, task)
            side.say("sockets", len(os.listdir("/proc/self/fd")) - before)
    return side,


for steps in (1, 2, 3):
    @case(f"connect: cancelled after {steps} of its steps", ("unix",))
    async def _(kind, steps=steps):
        side = Side()
        ours, side.peer = socket.socketpair()
        side.peer.send(b"waiting")
        task = asyncio.create_task(
            asyncio.get_running_loop().create_connection(factory_of(side), sock=ours))
        await ticks(steps)
        side.say("cancel", task.cancel())
        return await outcome(side, task)


@case("connect: cancelled in connection_made", ("unix",))
async def _(kind):
    side = Side()
    ours, side.peer = socket.socketpair()
    task = asyncio.create_task(
        asyncio.get_running_loop().create_connection(factory_of(side), sock=ours))
    side.on_made = lambda: side.say("cancel", task.cancel())
    return await outcome(side, task)


@case("connect: the factory throws")
async def _(kind):
    side = Side()
    at = await serve(kind, lambda: Side())

    def factory():
        raise Boom("factory")
    await outcome(side, asyncio.create_task(connect(at, factory)))
    at.close()
    return side,


@case("connect: nobody listens")
async def _(kind):
    side = Side()
    at = await serve(kind, lambda: Side())
    address = at.sockets[0].getsockname()
    at.close()
    loop = asyncio.get_running_loop()
    if kind == "tcp":
        task = asyncio.create_task(loop.create_connection(factory_of(side), *address))
    else:
        task = asyncio.create_task(loop.create_unix_connection(factory_of(side), address))
    return await outcome(side, task)
