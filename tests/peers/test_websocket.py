#!/usr/bin/env python3
"""WebSockets with Python's `websockets` and `aiohttp` on the other side, both ways.

    test_websocket.py <brio_peer_websocket>

Skips itself (status 77) where neither is installed.
"""

import asyncio
import os
import subprocess
import sys
import unittest

try:
    import websockets
except ImportError:
    websockets = None
try:
    import aiohttp
    import aiohttp.web
except ImportError:
    aiohttp = None

OURS = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else None

TEXT = "κόσμε " * 5000
SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20]
MESSAGES = [TEXT, "", "x"] + [bytes(range(256)) * (n // 256) + b"y" * (n % 256) for n in SIZES]


class Server:
    """Our echo server."""

    def __enter__(self):
        self.process = subprocess.Popen([OURS, "server", "127.0.0.1", "0"], stdout=subprocess.PIPE)
        self.url = f"ws://127.0.0.1:{int(self.process.stdout.readline())}/"
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()


async def our_echo(url):
    """Runs our client until the server closes; gives the code that it saw."""
    process = await asyncio.create_subprocess_exec(OURS, "echo", url, stdout=subprocess.PIPE)
    out, _ = await process.communicate()
    return int(out)


@unittest.skipUnless(websockets, "websockets is not installed")
class TestWebsockets(unittest.IsolatedAsyncioTestCase):
    async def test_server_echoes_plain_and_compressed(self):
        with Server() as server:
            for compression in [None, "deflate"]:
                async with websockets.connect(server.url, compression=compression) as ws:
                    # Where the extensions are differs between versions of websockets.
                    at = ws if hasattr(ws, "extensions") else ws.protocol
                    names = [extension.name for extension in at.extensions]
                    self.assertEqual(names, ["permessage-deflate"] if compression else [])
                    for message in MESSAGES:
                        await ws.send(message)
                        self.assertEqual(await ws.recv(), message)
                    await ws.send([b"in ", b"frag", b"", b"ments"])
                    self.assertEqual(await ws.recv(), b"in fragments")
                    await (await ws.ping(b"?"))
                self.assertEqual(ws.close_code, 1000)

    async def test_every_window(self):
        from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

        with Server() as server:
            for bits in range(9, 16):
                for forget in [False, True]:
                    factory = ClientPerMessageDeflateFactory(
                        server_max_window_bits=bits, client_max_window_bits=bits,
                        server_no_context_takeover=forget, client_no_context_takeover=forget)
                    async with websockets.connect(server.url, extensions=[factory],
                                                  max_size=None) as ws:
                        for message in MESSAGES[:7] * 2:
                            await ws.send(message)
                            self.assertEqual(await ws.recv(), message)

    async def test_subprotocols(self):
        with Server() as server:
            async with websockets.connect(server.url, subprotocols=["other", "chat"]) as ws:
                self.assertEqual(ws.subprotocol, "chat")

    async def test_server_refuses_what_is_too_large(self):
        with Server() as server:
            ws = await websockets.connect(server.url, compression=None, max_size=None)
            with self.assertRaises(websockets.ConnectionClosed):
                await ws.send(b"x" * (33 << 20))
                await ws.recv()
            self.assertEqual(ws.close_code, 1009)

    async def test_client_echoes(self):
        for compression in [None, "deflate"]:
            seen = []

            async def talk(ws):
                for message in MESSAGES:
                    await ws.send(message)
                    seen.append(await ws.recv() == message)
                await (await ws.ping(b"?"))
                await ws.close(4321, "κόσμε")

            async with websockets.serve(talk, "127.0.0.1", 0, compression=compression) as server:
                port = server.sockets[0].getsockname()[1]
                self.assertEqual(await our_echo(f"ws://127.0.0.1:{port}/"), 4321)
            self.assertEqual(seen, [True] * len(MESSAGES))


@unittest.skipUnless(aiohttp, "aiohttp is not installed")
class TestAiohttp(unittest.IsolatedAsyncioTestCase):
    async def test_server_echoes(self):
        with Server() as server:
            async with aiohttp.ClientSession() as session:
                for compress in [0, 15, 9]:
                    url = server.url.replace("ws:", "http:")
                    async with session.ws_connect(url, compress=compress) as ws:
                        self.assertEqual(bool(ws.compress), bool(compress))
                        for message in MESSAGES:
                            if isinstance(message, str):
                                await ws.send_str(message)
                            else:
                                await ws.send_bytes(message)
                            self.assertEqual((await ws.receive()).data, message)

    async def test_client_echoes(self):
        seen = []

        async def talk(request):
            ws = aiohttp.web.WebSocketResponse()
            await ws.prepare(request)
            for message in MESSAGES:
                if isinstance(message, str):
                    await ws.send_str(message)
                else:
                    await ws.send_bytes(message)
                seen.append((await ws.receive()).data == message)
            await ws.close(code=4321, message=b"done")
            return ws

        app = aiohttp.web.Application()
        app.router.add_get("/", talk)
        runner = aiohttp.web.AppRunner(app)
        await runner.setup()
        site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        self.assertEqual(await our_echo(f"ws://127.0.0.1:{port}/"), 4321)
        await runner.cleanup()
        self.assertEqual(seen, [True] * len(MESSAGES))


if __name__ == "__main__":
    if OURS is None:
        sys.exit("usage: test_websocket.py <brio_peer_websocket>")
    if websockets is None and aiohttp is None:
        print("neither websockets nor aiohttp is installed: skipped")
        sys.exit(77)
    unittest.main(verbosity=2)
