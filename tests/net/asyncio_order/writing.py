"""More written than the peer takes."""

from support import PIECE, Side, case, drain, ends, ticks, trap


@case("flood: pause, resume, close")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    sent = side.flood()
    side.say("flooded")
    side.on_resume = side.transport.close
    side.on_lost = lambda: side.say("closing", side.transport.is_closing())
    await ticks(5)
    got = await drain(peer)
    await side.lost
    side.say("all arrived", got == sent)
    return side,


@case("flood: closed above the high-water mark")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    sent = side.flood()
    side.transport.close()
    side.soon("soon")
    await ticks(5)
    side.say("lost", side.times_lost)
    got = await drain(peer)
    await side.lost
    side.say("all arrived", got == sent)
    return side,


@case("flood: written on after close")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    sent = side.flood()
    side.transport.close()
    side.transport.write(b"more")
    got = await drain(peer)
    await side.lost
    side.say("all arrived", got == sent + 4)
    return side,


@case("flood: aborted above the high-water mark")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    sent = side.flood()
    side.soon("before")
    side.transport.abort()
    side.say("aborted", side.transport.get_write_buffer_size(), side.transport.is_closing())
    side.soon("after")
    side.transport.write(b"late")
    await side.lost
    await ticks(3)
    side.say("all arrived", await drain(peer) == sent)
    return side,


@case("flood: closed in pause_writing")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.on_pause = lambda: side.transport.close()
    sent = side.flood()
    side.say("flooded")
    got = await drain(peer)
    await side.lost
    side.say("all arrived", got == sent)
    return side,


@case("flood: aborted in pause_writing")
async def _(kind):
    side = Side()
    await ends(kind, side)
    side.on_pause = lambda: (side.transport.abort(), side.soon("soon"))
    while not side.transport.is_closing():
        side.transport.write(PIECE)
    side.say("flooded")
    await side.lost
    await ticks(3)
    return side,


@case("CPython only: flood: aborted in resume_writing, with data left")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.transport.set_write_buffer_limits(high=300_000, low=290_000)
    trap(side)
    side.on_resume = lambda: (side.soon("soon"), side.transport.abort(), side.say("aborted"))
    side.flood(400_000)
    await drain(peer)
    await side.lost
    await ticks(3)
    return side,


@case("CPython only: flood: closed in resume_writing, nothing left")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    trap(side)
    side.transport.set_write_buffer_limits(high=0)
    side.on_resume = side.transport.close
    side.flood(1)
    await drain(peer)
    await side.lost
    await ticks(3)
    return side,


@case("flood: more in resume_writing")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.transport.set_write_buffer_limits(high=1000, low=0)
    sent = side.flood()

    def again():
        nonlocal sent
        side.on_resume = side.transport.write_eof
        sent += side.flood()
    side.on_resume = again
    got = await drain(peer)
    side.say("all arrived", got == sent)
    side.transport.close()
    await side.lost
    return side,


@case("flood: water marks moved meanwhile")
async def _(kind):
    side = Side()
    peer = await ends(kind, side)
    side.transport.set_write_buffer_limits(high=1_000_000)
    side.flood(100_000)
    side.say("buffered")
    side.transport.set_write_buffer_limits(high=50_000)
    side.say("lowered")
    side.transport.set_write_buffer_limits(high=1_000_000)
    await ticks(3)
    side.say("raised")
    side.transport.write_eof()
    await drain(peer)
    side.transport.close()
    await side.lost
    return side,
