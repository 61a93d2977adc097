// The order of events at half-closed and paused connections, as CPython's asyncio_order prints it.
#include "asyncio_order.hpp"

using namespace brio;
using namespace brio::tests;
using namespace brio::tests::order;

// ---- half-close

TEST_CASE("asyncio's order: half-close by the client, the server stays") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto [client, server, at] = co_await order::pair(kind);
        server->keep_open = true;
        server->on_eof = [s = server.get()] { s->transport->write("after your end"); };
        client->transport->write("question");
        client->transport->write_eof();
        co_await until([c = client] { return c->received == "after your end"; });
        server->say("closing", server->transport->is_closing());
        server->transport->close();
        co_await client->lost;
        co_await server->lost;
        co_return told(client, server);
      },
      "client: made; data b'after your end'; eof; lost none | "
      "server: made; data b'question'; eof; closing False; lost none");
}

TEST_CASE("asyncio's order: half-close by the client, the server goes") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto [client, server, at] = co_await order::pair(kind);
        server->on_data = [s = server.get()](std::string_view) {
          if (s->received == "question") s->transport->write("answer");
        };
        client->transport->write("question");
        client->transport->write_eof();
        co_await client->lost;
        co_await server->lost;
        co_return told(client, server);
      },
      "client: made; data b'answer'; eof; lost none | "
      "server: made; data b'question'; eof; lost none");
}

TEST_CASE("asyncio's order: half-close by the server, the client stays") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto [client, server, at] = co_await order::pair(kind);
        client->keep_open = true;
        client->on_eof = [c = client.get()] { c->transport->write("after your end"); };
        server->transport->write("greeting");
        server->transport->write_eof();
        co_await until([s = server] { return s->received == "after your end"; });
        client->say("closing", client->transport->is_closing());
        client->transport->close();
        co_await client->lost;
        co_await server->lost;
        co_return told(client, server);
      },
      "client: made; data b'greeting'; eof; closing False; lost none | "
      "server: made; data b'after your end'; eof; lost none");
}

TEST_CASE("asyncio's order: half-close by both, one after the other") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto [client, server, at] = co_await order::pair(kind);
        client->keep_open = server->keep_open = true;
        client->transport->write_eof();
        co_await server->eof;
        server->transport->write("last words");
        server->transport->write_eof();
        co_await client->eof;
        co_await ticks(5);
        for (const SidePtr& side : {client, server}) {
          side->say("closing", side->transport->is_closing());
          side->transport->close();
          co_await side->lost;
        }
        co_return told(client, server);
      },
      "client: made; data b'last words'; eof; closing False; lost none | "
      "server: made; eof; closing False; lost none");
}

TEST_CASE("asyncio's order: half-close by both at once") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto [client, server, at] = co_await order::pair(kind);
        for (const SidePtr& side : {client, server}) {
          side->transport->write("bye");
          side->transport->write_eof();
        }
        co_await client->lost;
        co_await server->lost;
        co_return told(client, server);
      },
      "client: made; data b'bye'; eof; lost none | server: made; data b'bye'; eof; lost none");
}

TEST_CASE("asyncio's order: write_eof twice, then writes") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->write_eof();
        side->transport->write_eof();
        for (const bool lines : {false, true}) {
          try {
            if (lines) {
              side->transport->writelines({"x"});
            } else {
              side->transport->write("x");
            }
          } catch (const RuntimeError& error) {
            side->say(error.what());
          }
        }
        side->say("closing", side->transport->is_closing());
        (void)side->peer.send("answer");
        co_await until([&] { return side->received == "answer"; });
        side->peer.close();
        co_await side->lost;
      },
      "side: made; Cannot call write() after write_eof(); "
      "Cannot call writelines() after write_eof(); closing False; data b'answer'; eof; lost none");
}

TEST_CASE("asyncio's order: write_eof after close") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->close();
        side->transport->write_eof();
        side->transport->write("late");
        side->say("written");
        co_await side->lost;
      },
      "side: made; written; lost none");
}

TEST_CASE("asyncio's order: write_eof with pending writes" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->transport->write_eof();
        side->say("pending", side->transport->get_write_buffer_size() > 0);
        const std::size_t got = co_await drain(side->peer);
        side->say("all arrived", got == sent, "then the end");
        (void)side->peer.send("answer");
        co_await until([&] { return side->received == "answer"; });
        side->transport->close();
        co_await side->lost;
      },
      "side: made; pause; pending True; resume; all arrived True then the end; data b'answer'; "
      "lost none");
}

TEST_CASE("asyncio's order: write_eof with pending writes, then close" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->transport->write_eof();
        side->transport->close();
        side->soon("soon");
        co_await ticks(5);
        const std::size_t got = co_await drain(side->peer);
        co_await side->lost;
        side->say("all arrived", got == sent);
      },
      "side: made; pause; soon; resume; lost none; all arrived True");
}

TEST_CASE("asyncio's order: eof with our writes pending, we go" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->peer.shutdown(SHUT_WR);
        co_await side->eof;
        co_await ticks(3);
        side->say("lost", side->times_lost, "pending",
                  side->transport->get_write_buffer_size() > 0);
        const std::size_t got = co_await drain(side->peer);
        co_await side->lost;
        side->say("all arrived", got == sent);
      },
      "side: made; pause; eof; lost 0 pending True; resume; lost none; all arrived True");
}

TEST_CASE("asyncio's order: eof with our writes pending, we stay" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        side->keep_open = true;
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->peer.shutdown(SHUT_WR);
        co_await side->eof;
        side->say("closing", side->transport->is_closing());
        side->transport->write("more");
        side->on_resume = [&] { side->transport->close(); };
        const std::size_t got = co_await drain(side->peer);
        co_await side->lost;
        side->say("all arrived", got == sent + 4);
      },
      "side: made; pause; eof; closing False; resume; lost none; all arrived True");
}

// ---- reading paused

TEST_CASE("asyncio's order: paused: data and eof meanwhile") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->pause_reading();
        (void)side->peer.send("one");
        (void)side->peer.send("two");
        side->peer.shutdown(SHUT_WR);
        co_await ticks(5);
        side->say("reading", side->transport->is_reading());
        side->transport->resume_reading();
        side->say("reading", side->transport->is_reading());
        co_await side->lost;
      },
      "side: made; reading False; reading True; data b'onetwo'; eof; lost none");
}

TEST_CASE("asyncio's order: paused in connection_made, with data and eof waiting") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        side->on_made = [&] { side->transport->pause_reading(); };
        co_await ends(kind, side, "waiting");
        side->peer.shutdown(SHUT_WR);
        co_await ticks(5);
        side->say("resume");
        side->transport->resume_reading();
        co_await side->lost;
      },
      "side: made; resume; data b'waiting'; eof; lost none");
}

TEST_CASE("asyncio's order: paused in data_received, eof meanwhile" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        side->on_data = [&](std::string_view) { side->transport->pause_reading(); };
        co_await ends(kind, side);
        (void)side->peer.send("one");
        co_await until([&] { return side->received == "one"; });
        side->peer.shutdown(SHUT_WR);
        co_await ticks(5);
        side->say("resume");
        side->transport->resume_reading();
        co_await side->lost;
      },
      "side: made; data b'one'; resume; eof; lost none");
}

TEST_CASE("asyncio's order: paused and resumed at once, twice") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side, "one");
        side->transport->pause_reading();
        side->transport->pause_reading();
        side->transport->resume_reading();
        side->transport->resume_reading();
        co_await until([&] { return side->received == "one"; });
        side->peer.close();
        co_await side->lost;
      },
      "side: made; data b'one'; eof; lost none");
}

TEST_CASE("asyncio's order: paused, then close") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->pause_reading();
        (void)side->peer.send("unread");
        side->transport->close();
        side->transport->resume_reading();
        side->say("reading", side->transport->is_reading());
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; reading False; lost none");
}

TEST_CASE("asyncio's order: paused after an eof that left the transport open") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        side->keep_open = true;
        co_await ends(kind, side);
        side->peer.shutdown(SHUT_WR);
        co_await side->eof;
        side->transport->pause_reading();
        side->say("reading", side->transport->is_reading());
        side->transport->close();
        co_await side->lost;
      },
      "side: made; eof; reading False; lost none");
}

// CPython: "side: made; eof; eof; lost none" (docs/differences.md).
TEST_CASE("asyncio's order: resumed after an eof that left the transport open") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        side->keep_open = true;
        co_await ends(kind, side);
        side->peer.shutdown(SHUT_WR);
        co_await side->eof;
        side->transport->pause_reading();
        side->transport->resume_reading();
        co_await ticks(5);
        side->transport->close();
        co_await side->lost;
      },
      "side: made; eof; lost none");
}
