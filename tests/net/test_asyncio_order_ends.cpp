// When connection_lost comes, and with what, as CPython's asyncio_order prints it.
#include "asyncio_order.hpp"

using namespace brio;
using namespace brio::tests;
using namespace brio::tests::order;

TEST_CASE("asyncio's order: close") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->soon("before");
        side->transport->close();
        side->say("closing", side->transport->is_closing());
        side->soon("after");
        co_await side->lost;
        side->say("protocol", side->transport->get_protocol() ? "some" : "none");
        const std::size_t got = co_await drain(side->peer);
        side->say("arrived", got);
      },
      "side: made; closing True; before; lost none; after; protocol none; arrived 0");
}

TEST_CASE("asyncio's order: close twice, then abort") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->close();
        side->transport->close();
        side->transport->abort();
        side->soon("after");
        co_await side->lost;
        side->transport->close();
        side->transport->abort();
        co_await ticks(3);
      },
      "side: made; lost none; after");
}

TEST_CASE("asyncio's order: abort twice, then close") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->abort();
        side->transport->abort();
        side->transport->close();
        side->soon("after");
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; lost none; after");
}

TEST_CASE("asyncio's order: close with data buffered, then abort" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->transport->close();
        co_await ticks(3);
        side->say("lost", side->times_lost);
        side->transport->abort();
        side->soon("after");
        co_await side->lost;
        co_await ticks(3);
        const std::size_t got = co_await drain(side->peer);
        side->say("all arrived", got == sent);
      },
      "side: made; pause; lost 0; lost none; after; all arrived False");
}

TEST_CASE("asyncio's order: close in connection_made, with data waiting") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        side->on_made = [&] {
          side->soon("before");
          side->transport->close();
          side->soon("after");
        };
        co_await ends(kind, side, "waiting");
        side->say("connected");
        co_await ticks(3);
      },
      "side: made; before; lost none; after; connected");
}

TEST_CASE("asyncio's order: close in data_received, with more and the end waiting" *
          counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->on_data = [&](std::string_view) {
          side->transport->close();
          side->peer.close();
        };
        (void)side->peer.send("one");
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; data b'one'; lost none");
}

TEST_CASE("asyncio's order: close in eof_received, which wants to stay") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        side->keep_open = true;
        side->on_eof = [&] {
          side->transport->close();
          side->soon("soon");
        };
        co_await ends(kind, side);
        side->peer.close();
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; eof; lost none; soon");
}

TEST_CASE("asyncio's order: abort in eof_received") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        side->on_eof = [&] {
          side->transport->abort();
          side->soon("soon");
        };
        co_await ends(kind, side);
        side->peer.close();
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; eof; lost none; soon");
}

TEST_CASE("asyncio's order: close and abort in connection_lost") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        side->on_lost = [&] {
          side->transport->close();
          side->transport->abort();
          side->transport->write("late");
          side->soon("soon");
        };
        co_await ends(kind, side);
        side->transport->close();
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; lost none; soon");
}

TEST_CASE("asyncio's order: the peer's close") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        side->on_eof = [&] { side->soon("soon"); };
        co_await ends(kind, side);
        (void)side->peer.send("last words");
        side->peer.close();
        co_await side->lost;
        side->transport->write("late");
        co_await ticks(3);
      },
      "side: made; data b'last words'; eof; soon; lost none");
}

TEST_CASE("asyncio's order: the peer's close, with our writes unread and pending" *
          counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->flood();
        side->peer.close();
        co_await side->lost;
        side->say("buffered", side->transport->get_write_buffer_size());
        co_await ticks(3);
      },
      "side: made; pause; lost ConnectionResetError; buffered 0");
}

TEST_CASE("asyncio's order: the peer's close while paused, and we write on") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->pause_reading();
        side->peer.close();
        while (!side->transport->is_closing()) {
          side->transport->write("x");
          co_await yield_now();
        }
        side->soon("soon");
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; lost BrokenPipeError; soon");
}

// ---- resets

TEST_CASE("asyncio's order: reset") {
  alone(
      tcp_only,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        reset(side->peer);
        co_await side->lost;
        side->transport->write("late");
        side->transport->abort();
        co_await ticks(3);
      },
      "side: made; lost ConnectionResetError");
}

TEST_CASE("asyncio's order: reset behind data") {
  alone(
      tcp_only,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        (void)side->peer.send("last words");
        reset(side->peer);
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; data b'last words'; lost ConnectionResetError");
}

TEST_CASE("asyncio's order: reset with our writes pending" * counts_transfers()) {
  alone(
      tcp_only,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->flood();
        reset(side->peer);
        co_await side->lost;
        side->say("buffered", side->transport->get_write_buffer_size());
        co_await ticks(3);
      },
      "side: made; pause; lost ConnectionResetError; buffered 0");
}

TEST_CASE("asyncio's order: reset with our writes pending, closed before" * counts_transfers()) {
  alone(
      tcp_only,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->flood();
        side->transport->close();
        reset(side->peer);
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; pause; lost ConnectionResetError");
}

TEST_CASE("asyncio's order: reset while paused") {
  alone(
      tcp_only,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->pause_reading();
        reset(side->peer);
        co_await ticks(5);
        side->say("resume");
        side->transport->resume_reading();
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; resume; lost ConnectionResetError");
}

TEST_CASE("asyncio's order: reset while paused, with our writes pending" * counts_transfers()) {
  alone(
      tcp_only,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->pause_reading();
        side->flood();
        reset(side->peer);
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; pause; lost ConnectionResetError");
}

TEST_CASE("asyncio's order: reset after our write_eof") {
  alone(
      tcp_only,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->write_eof();
        reset(side->peer);
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; lost ConnectionResetError");
}

TEST_CASE("asyncio's order: reset after an eof that left the transport open, and we write on") {
  alone(
      tcp_only,
      [](Kind kind, SidePtr side) -> Coro<> {
        side->keep_open = true;
        co_await ends(kind, side);
        side->peer.shutdown(SHUT_WR);
        co_await side->eof;
        reset(side->peer);
        co_await ticks(5);
        side->say("lost", side->times_lost);
        while (!side->transport->is_closing()) {
          side->transport->write("x");
          co_await yield_now();
        }
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; eof; lost 0; lost BrokenPipeError");
}
