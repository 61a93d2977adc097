"""What asyncio's protocols are told over TLS, and in which order: the source of what
test_asyncio_order.cpp expects.

    python3.13 asyncio_order.py

Each case is a heading and what one side's protocol was told. Needs the openssl command.
"""

import asyncio
import pathlib
import socket
import ssl
import subprocess
import tempfile


class Recorder(asyncio.Protocol):
    def __init__(self, name):
        self.name = name
        self.lines = []
        self.on_data = lambda data: None
        self.lost = asyncio.get_running_loop().create_future()
        self.made = asyncio.get_running_loop().create_future()

    def say(self, *words):
        self.lines.append(" ".join(map(str, words)))

    def connection_made(self, transport):
        self.transport = transport
        self.say("made")
        self.made.set_result(None)

    def data_received(self, data):
        self.say("data", data)
        self.on_data(data)

    def eof_received(self):
        self.say("eof")

    def connection_lost(self, error):
        self.say("lost", type(error).__name__ if error else "none")
        self.lost.set_result(None)


def show(case, *recorders):
    for recorder in recorders:
        print(f"{case}, {recorder.name}: " + "; ".join(recorder.lines))


async def by_hand(sock, context, last_words, polite):
    """A server without asyncio's TLS: shakes hands, sends, and hangs up."""
    loop = asyncio.get_running_loop()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_side=True)
    while True:
        try:
            tls.do_handshake()
            break
        except ssl.SSLWantReadError:
            await loop.sock_sendall(sock, outgoing.read())
            incoming.write(await loop.sock_recv(sock, 65536))
    tls.write(last_words)
    if polite:
        try:
            tls.unwrap()
        except ssl.SSLWantReadError:
            pass
    await loop.sock_sendall(sock, outgoing.read())
    sock.close()


async def accepted(listener):
    sock, _ = await asyncio.get_running_loop().sock_accept(listener)
    sock.setblocking(False)
    return sock


async def main(sc, cc):
    loop = asyncio.get_running_loop()

    for case, polite in (("truncated", False), ("close_notify and end", True)):
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        port = listener.getsockname()[1]

        async def serve():
            await by_hand(await accepted(listener), sc, b"half an answer", polite)

        serving = asyncio.create_task(serve())
        client = Recorder("client")
        await loop.create_connection(lambda: client, "127.0.0.1", port, ssl=cc,
                                     server_hostname="localhost")
        await client.lost
        await serving
        show(case, client)

    async def pair():
        server = Recorder("server")
        at = await loop.create_server(lambda: server, "127.0.0.1", 0, ssl=sc)
        client = Recorder("client")
        await loop.create_connection(lambda: client, "127.0.0.1", at.sockets[0].getsockname()[1],
                                     ssl=cc, server_hostname="localhost")
        await server.made
        at.close()
        return client, server

    client, server = await pair()
    server.on_data = lambda data: server.transport.write(b"answer")
    client.on_data = lambda data: client.transport.close()
    client.transport.write(b"question")
    await client.lost
    await server.lost
    show("client closes", client, server)

    client, server = await pair()
    server.on_data = lambda data: (server.transport.write(b"bye"), server.transport.close())
    client.transport.write(b"question")
    await client.lost
    await server.lost
    show("server closes", client, server)

    client, server = await pair()
    client.transport.write(b"x" * 100)
    client.transport.abort()
    client.say("aborted")
    await client.lost
    await server.lost
    show("abort", client)

    # start_tls: plain protocols, then others on the same connection.
    async def upgrade(server_context):
        plain_server = Recorder("plain server")
        at = await loop.create_server(lambda: plain_server, "127.0.0.1", 0)
        plain_client = Recorder("plain client")
        transport, _ = await loop.create_connection(lambda: plain_client, "127.0.0.1",
                                                    at.sockets[0].getsockname()[1])
        await plain_server.made
        at.close()
        client, server = Recorder("client"), Recorder("server")
        plain_server.on_data = lambda data: plain_server.transport.write(b"go ahead")
        heard = loop.create_future()
        plain_client.on_data = heard.set_result
        transport.write(b"starttls")
        await heard
        if server_context is None:
            plain_server.transport.close()
            upgrading = None
        else:
            upgrading = asyncio.create_task(loop.start_tls(
                plain_server.transport, server, server_context, server_side=True))
        try:
            tls = await loop.start_tls(transport, client, cc, server_hostname="localhost")
        except (OSError, ssl.SSLError) as error:
            client.say("start_tls", type(error).__name__)
            await client.lost
            return plain_client, plain_server, client
        server.transport = await upgrading
        server.on_data = lambda data: server.transport.write(b"secret answer")
        client.on_data = lambda data: tls.close()
        client.say("upgraded")
        tls.write(b"secret")
        await client.lost
        await server.lost
        return plain_client, plain_server, client, server

    show("start_tls", *await upgrade(sc))
    show("start_tls, the peer hangs up", *await upgrade(None))


with tempfile.TemporaryDirectory() as folder:
    certificate, key = pathlib.Path(folder, "c"), pathlib.Path(folder, "k")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key,
                    "-out", certificate, "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost"], check=True, stderr=subprocess.DEVNULL)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(certificate, key)
    client_context = ssl.create_default_context(cafile=certificate)
    asyncio.run(main(server_context, client_context))
