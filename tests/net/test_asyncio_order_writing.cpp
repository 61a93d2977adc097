// The order of events when more is written than the peer takes, as CPython's asyncio_order prints
// it.
#include "asyncio_order.hpp"

using namespace brio;
using namespace brio::tests;
using namespace brio::tests::order;

TEST_CASE("asyncio's order: flood: pause, resume, close" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->say("flooded");
        side->on_resume = [&] { side->transport->close(); };
        side->on_lost = [&] { side->say("closing", side->transport->is_closing()); };
        co_await ticks(5);
        const std::size_t got = co_await drain(side->peer);
        co_await side->lost;
        side->say("all arrived", got == sent);
      },
      "side: made; pause; flooded; resume; lost none; closing True; all arrived True");
}

TEST_CASE("asyncio's order: flood: closed above the high-water mark" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->transport->close();
        side->soon("soon");
        co_await ticks(5);
        side->say("lost", side->times_lost);
        const std::size_t got = co_await drain(side->peer);
        co_await side->lost;
        side->say("all arrived", got == sent);
      },
      "side: made; pause; soon; lost 0; resume; lost none; all arrived True");
}

TEST_CASE("asyncio's order: flood: written on after close" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->transport->close();
        side->transport->write("more");
        const std::size_t got = co_await drain(side->peer);
        co_await side->lost;
        side->say("all arrived", got == sent + 4);
      },
      "side: made; pause; resume; lost none; all arrived True");
}

TEST_CASE("asyncio's order: flood: aborted above the high-water mark" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->soon("before");
        side->transport->abort();
        side->say("aborted", side->transport->get_write_buffer_size(),
                  side->transport->is_closing());
        side->soon("after");
        side->transport->write("late");
        co_await side->lost;
        co_await ticks(3);
        const std::size_t got = co_await drain(side->peer);
        side->say("all arrived", got == sent);
      },
      "side: made; pause; aborted 0 True; before; lost none; after; all arrived False");
}

TEST_CASE("asyncio's order: flood: closed in pause_writing" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->on_pause = [&] { side->transport->close(); };
        const std::size_t sent = side->flood();
        side->say("flooded");
        const std::size_t got = co_await drain(side->peer);
        co_await side->lost;
        side->say("all arrived", got == sent);
      },
      "side: made; pause; flooded; resume; lost none; all arrived True");
}

TEST_CASE("asyncio's order: flood: aborted in pause_writing") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->on_pause = [&] {
          side->transport->abort();
          side->soon("soon");
        };
        while (!side->transport->is_closing())
          side->transport->write(std::string(Side::piece, 'x'));
        side->say("flooded");
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; pause; flooded; lost none; soon");
}

// CPython calls connection_lost from inside abort() there, and a second time (docs/differences.md).
TEST_CASE("asyncio's order: flood: aborted in resume_writing, with data left" *
          counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        trap(side);
        side->transport->set_write_buffer_limits({.high = 300'000, .low = 290'000});
        side->on_resume = [&] {
          side->soon("soon");
          side->transport->abort();
          side->say("aborted");
        };
        side->flood(400'000);
        (void)co_await drain(side->peer);
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; pause; resume; aborted; soon; lost none");
}

// CPython: "…; lost none; HANDLER Exception in callback AttributeError", for the second
// connection_lost.
TEST_CASE("asyncio's order: flood: closed in resume_writing, nothing left" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        trap(side);
        side->transport->set_write_buffer_limits({.high = 0});
        side->on_resume = [&] { side->transport->close(); };
        side->flood(1);
        (void)co_await drain(side->peer);
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; pause; resume; lost none");
}

TEST_CASE("asyncio's order: flood: more in resume_writing" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->set_write_buffer_limits({.high = 1000, .low = 0});
        std::size_t sent = side->flood();
        bool again = true;
        side->on_resume = [&] {
          if (std::exchange(again, false)) {
            sent += side->flood();
          } else {
            side->transport->write_eof();
          }
        };
        const std::size_t got = co_await drain(side->peer);
        side->say("all arrived", got == sent);
        side->transport->close();
        co_await side->lost;
      },
      "side: made; pause; resume; pause; resume; all arrived True; lost none");
}

TEST_CASE("asyncio's order: flood: water marks moved meanwhile" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        co_await ends(kind, side);
        side->transport->set_write_buffer_limits({.high = 10'000'000});
        side->flood();
        side->say("buffered");
        side->transport->set_write_buffer_limits({.high = 50'000});
        side->say("lowered");
        side->transport->set_write_buffer_limits({.high = 10'000'000});
        co_await ticks(3);
        side->say("raised");
        side->transport->write_eof();
        (void)co_await drain(side->peer);
        side->transport->close();
        co_await side->lost;
      },
      "side: made; buffered; pause; lowered; raised; resume; lost none");
}
