// The order of events at servers with live clients and at streams' ends, as CPython's asyncio_order
// prints it.
#include "asyncio_order.hpp"

using namespace brio;
using namespace brio::tests;
using namespace brio::tests::order;

namespace {

// A stream over one end, and the other end.
struct Stream {
  StreamReader reader;
  StreamWriter writer;
  net::Socket peer;
};

Coro<Stream> stream(Kind kind) {
  auto [ours, peer] = co_await connected(kind);
  auto [reader, writer] = co_await open_connection(std::move(ours));
  co_return Stream{std::move(reader), std::move(writer), std::move(peer)};
}

void flood(const StreamWriter& writer) {
  while (writer.transport()->get_write_buffer_size() < 8'000'000) {
    writer.write(std::string(Side::piece, 'x'));
  }
}

}  // namespace

// ---- streams

TEST_CASE("asyncio's order: streams: wait_closed after close") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto ev = std::make_shared<Told>("writer");
        const auto [reader, writer, peer] = co_await stream(kind);
        writer.close();
        ev->say("closed");
        co_await gather(waiting(ev, "wait_closed", writer.wait_closed()), ticker(ev, 4),
                        waiting(ev, "read", reader.read()));
        co_await waiting(ev, "again", writer.wait_closed());
        co_await waiting(ev, "drain", writer.drain());
        co_return told(ev);
      },
      "writer: closed; wait_closed; read; tick 1; tick 2; tick 3; tick 4; again; "
      "drain ConnectionResetError");
}

TEST_CASE("asyncio's order: streams: wait_closed and drain, aborted" * counts_transfers()) {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto ev = std::make_shared<Told>("writer");
        const auto [reader, writer, peer] = co_await stream(kind);
        flood(writer);
        const auto waits =
            gather(waiting(ev, "wait_closed", writer.wait_closed()),
                   waiting(ev, "drain", writer.drain()), waiting(ev, "read", reader.read()));
        co_await ticks(2);
        writer.transport()->abort();
        ev->say("aborted");
        co_await ticker(ev, 4);
        co_await waits;
        co_return told(ev);
      },
      "writer: aborted; tick 1; read; wait_closed; drain; tick 2; tick 3; tick 4");
}

TEST_CASE("asyncio's order: streams: wait_closed, drain and read, reset" * counts_transfers()) {
  expect(
      tcp_only,
      [](Kind kind) -> Coro<std::string> {
        const auto ev = std::make_shared<Told>("writer");
        auto [reader, writer, peer] = co_await stream(kind);
        flood(writer);
        const auto waits =
            gather(waiting(ev, "wait_closed", writer.wait_closed()),
                   waiting(ev, "drain", writer.drain()), waiting(ev, "read", reader.read()));
        co_await ticks(2);
        reset(peer);
        co_await waits;
        co_await waiting(ev, "again", writer.wait_closed());
        co_await waiting(ev, "drain", writer.drain());
        co_await waiting(ev, "read", reader.read());
        co_return told(ev);
      },
      "writer: read ConnectionResetError; wait_closed ConnectionResetError; "
      "drain ConnectionResetError; again ConnectionResetError; drain ConnectionResetError; "
      "read ConnectionResetError");
}

// ---- servers

TEST_CASE("asyncio's order: Server.close with a live client") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto [client, server, at] = co_await served(kind);
        at->close();
        at->close();
        server->say("serving", at->is_serving(), at->sockets().size());
        const auto wait = create_task(waiting(server, "wait_closed", at->wait_closed()));
        co_await ticks(3);
        client->transport->write("still there?");
        server->on_data = [s = server.get()](std::string_view) {
          if (s->received == "still there?") s->transport->write("yes");
        };
        co_await until([c = client] { return c->received == "yes"; });
        client->transport->close();
        server->on_lost = [s = server.get()] { s->soon("soon"); };
        co_await wait;
        co_await client->lost;
        co_await waiting(server, "again", at->wait_closed());
        co_return told(client, server);
      },
      "client: made; data b'yes'; lost none | server: made; serving False 0; "
      "data b'still there?'; eof; lost none; soon; wait_closed; again");
}

TEST_CASE("asyncio's order: Server.close in the last client's connection_lost") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto [client, server, at] = co_await served(kind);
        server->on_lost = [s = server.get(), a = at.get()] {
          a->close();
          s->soon("soon");
        };
        const auto wait = create_task(waiting(server, "wait_closed", at->wait_closed()));
        co_await ticks(3);
        client->transport->close();
        co_await wait;
        co_return told(client, server);
      },
      "client: made; lost none | server: made; eof; lost none; soon; wait_closed");
}

TEST_CASE("asyncio's order: Server.close in connection_made") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto client = make_side("client");
        const auto server = make_side("server");
        const auto at = co_await serve(kind, always(server));
        server->on_made = [a = at.get()] { a->close(); };
        (void)co_await connect(address_of(at), always(client));
        co_await until([&] { return server->transport != nullptr; });
        const auto wait = create_task(waiting(server, "wait_closed", at->wait_closed()));
        co_await ticks(3);
        client->transport->close();
        co_await wait;
        co_return told(client, server);
      },
      "client: made; lost none | server: made; eof; lost none; wait_closed");
}

TEST_CASE("asyncio's order: Server.wait_closed before close, nobody there") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto ev = std::make_shared<Told>("server");
        const auto at = co_await serve(kind, [] { return make_side(); });
        const auto wait = create_task(waiting(ev, "wait_closed", at->wait_closed()));
        co_await ticks(3);
        ev->say("close");
        at->close();
        co_await ticker(ev, 2);
        co_await wait;
        co_return told(ev);
      },
      "server: close; wait_closed; tick 1; tick 2");
}

TEST_CASE("asyncio's order: Server.close_clients") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto [client, server, at] = co_await served(kind);
        at->close();
        at->close_clients();
        server->say("closing", server->transport->is_closing());
        const auto wait = create_task(waiting(server, "wait_closed", at->wait_closed()));
        server->soon("soon");
        co_await wait;
        co_await client->lost;
        co_return told(client, server);
      },
      "client: made; eof; lost none | server: made; closing True; lost none; wait_closed; soon");
}

TEST_CASE("asyncio's order: Server.close_clients with data pending" * counts_transfers()) {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto [client, server, at] = co_await served(kind);
        client->trace_data = false;
        client->transport->pause_reading();
        const std::size_t sent = server->flood();
        at->close();
        at->close_clients();
        const auto wait = create_task(waiting(server, "wait_closed", at->wait_closed()));
        co_await ticks(5);
        server->say("lost", server->times_lost);
        client->transport->resume_reading();
        co_await wait;
        co_await client->lost;
        client->say("all arrived", client->received.size() == sent);
        co_return told(client, server);
      },
      "client: made; eof; lost none; all arrived True | "
      "server: made; pause; lost 0; resume; lost none; wait_closed");
}

TEST_CASE("asyncio's order: Server.abort_clients with data pending" * counts_transfers()) {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto [client, server, at] = co_await served(kind);
        client->trace_data = false;
        client->transport->pause_reading();
        const std::size_t sent = server->flood();
        at->close();
        at->abort_clients();
        server->say("aborted", server->transport->get_write_buffer_size());
        const auto wait = create_task(waiting(server, "wait_closed", at->wait_closed()));
        server->soon("soon");
        co_await wait;
        client->transport->resume_reading();
        co_await client->lost;
        client->say("all arrived", client->received.size() == sent);
        co_return told(client, server);
      },
      "client: made; eof; lost none; all arrived False | "
      "server: made; pause; aborted 0; lost none; wait_closed; soon");
}

TEST_CASE("asyncio's order: connection_lost throws, Server.wait_closed ends") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto [client, server, at] = co_await served(kind);
        trap(server);
        server->on_lost = throws("lost");
        at->close();
        const auto wait = create_task(waiting(server, "wait_closed", at->wait_closed()));
        client->transport->close();
        co_await wait;
        co_return told(client, server);
      },
      "client: made; lost none | server: made; eof; lost none; "
      "HANDLER Exception in callback Boom(lost); wait_closed");
}

TEST_CASE("asyncio's order: a server's connection_made throws") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto client = make_side("client");
        const auto server = make_side("server");
        trap(server);
        server->on_made = throws("made");
        const auto at = co_await serve(kind, always(server));
        (void)co_await connect(address_of(at), always(client));
        client->transport->write("hello");
        co_await until([&] { return server->received == "hello"; });
        client->transport->close();
        at->close();
        co_await at->wait_closed();
        co_return told(client, server);
      },
      "client: made; lost none | server: made; HANDLER Exception in callback Boom(made); "
      "data b'hello'; eof; lost none");
}
