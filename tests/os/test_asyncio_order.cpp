// What protocols are told over pipes, and in which order. What is expected here was printed by
// CPython 3.13.0 running asyncio_order.py in this folder, where each case has the same name.
#include "../net/asyncio_order.hpp"
#include "support.hpp"

#include <fcntl.h>

using namespace brio::tests;
using namespace brio::tests::order;
using brio::Coro;
using brio::os::Descriptor;

namespace {

// A transport that reads; the end that it reads from.
Coro<Descriptor> reading(SidePtr side) {
  auto [r, w] = Descriptor::pipe();
  (void)co_await brio::connect_read_pipe(always(side), std::move(r));
  co_return std::move(w);
}

// A transport that writes; the end that it writes to.
Coro<Descriptor> writing(SidePtr side) {
  auto [r, w] = Descriptor::pipe();
  (void)co_await brio::connect_write_pipe(always(side), std::move(w));
  fcntl(r.fileno(), F_SETFL, O_NONBLOCK);
  co_return std::move(r);
}

void put(const Descriptor& pipe, std::string_view data) {
  REQUIRE(::write(pipe.fileno(), data.data(), data.size()) == static_cast<ssize_t>(data.size()));
}

// Reads to the end; how much it was.
Coro<std::size_t> drain(Descriptor& pipe) {
  std::size_t total = 0;
  std::string piece(65536, '\0');
  ssize_t count = 0;
  do {
    co_await until([&] {
      count = ::read(pipe.fileno(), piece.data(), piece.size());
      return count >= 0;
    });
    total += static_cast<std::size_t>(count);
  } while (count > 0);
  co_return total;
}

template <class Body>
void expect_told(Body body, const std::string& expected) {
  const NothingLeft nothing_left;
  std::string lines;
  brio::run([&]() -> Coro<> {
    const SidePtr side = make_side();
    co_await body(side);
    lines = told(side);
  });
  CHECK(lines == expected);
}

}  // namespace

TEST_CASE("asyncio's order: the writer's close") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        side->on_eof = [&] { side->soon("soon"); };
        side->keep_open = true;
        Descriptor w = co_await reading(side);
        put(w, "last words");
        w.close();
        co_await side->lost;
        side->say("protocol", side->transport->get_protocol() ? "some" : "none");
      },
      "side: made; data b'last words'; eof; lost none; soon; protocol none");
}

TEST_CASE("asyncio's order: the writer's close while paused") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        Descriptor w = co_await reading(side);
        side->transport->pause_reading();
        put(w, "last words");
        w.close();
        co_await ticks(5);
        side->say("resume");
        side->transport->resume_reading();
        co_await side->lost;
      },
      "side: made; resume; data b'last words'; eof; lost none");
}

TEST_CASE("asyncio's order: a read pipe's close, with data waiting") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        const Descriptor w = co_await reading(side);
        put(w, "unread");
        side->soon("before");
        side->transport->close();
        side->soon("after");
        side->transport->close();
        side->say("closing", side->transport->is_closing());
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; closing True; before; lost none; after");
}

TEST_CASE("asyncio's order: a read pipe's close in data_received") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        Descriptor w = co_await reading(side);
        side->on_data = [&](std::string_view) {
          side->transport->close();
          w.close();
        };
        put(w, "one");
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; data b'one'; lost none");
}

TEST_CASE("asyncio's order: data_received throws") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        trap(side);
        side->on_data = [](std::string_view) { throw Boom("data"); };
        Descriptor w = co_await reading(side);
        put(w, "one");
        co_await until([&] { return side->has("HANDLER Exception in callback Boom(data)"); });
        w.close();
        co_await side->lost;
      },
      "side: made; data b'one'; HANDLER Exception in callback Boom(data); eof; lost none");
}

TEST_CASE("asyncio's order: eof_received throws") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        trap(side);
        side->on_eof = throws("end");
        Descriptor w = co_await reading(side);
        w.close();
        co_await side->lost;
      },
      "side: made; eof; HANDLER Exception in callback Boom(end); lost none");
}

TEST_CASE("asyncio's order: connection_lost throws") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        trap(side);
        side->on_lost = throws("lost");
        const Descriptor w = co_await reading(side);
        side->transport->close();
        co_await side->lost;
        co_await ticks(3);
        side->say("pipe", !side->transport->get_extra_info<int>("pipe").has_value());
      },
      "side: made; lost none; HANDLER Exception in callback Boom(lost); pipe True");
}

TEST_CASE("asyncio's order: the reader's close") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        Descriptor r = co_await writing(side);
        r.close();
        co_await side->lost;
        side->transport->write("late");
        co_await ticks(3);
      },
      "side: made; lost none");
}

TEST_CASE("asyncio's order: the reader's close, with writes pending") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        Descriptor r = co_await writing(side);
        side->flood();
        r.close();
        co_await side->lost;
        side->say("buffered", side->transport->get_write_buffer_size());
        co_await ticks(3);
      },
      "side: made; pause; lost BrokenPipeError; buffered 0");
}

TEST_CASE("asyncio's order: the reader's close, with writes pending, closed before") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        Descriptor r = co_await writing(side);
        side->flood();
        side->transport->close();
        r.close();
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; pause; lost BrokenPipeError");
}

TEST_CASE("asyncio's order: a write after the reader's close") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        Descriptor r = co_await writing(side);
        r.close();
        side->transport->write("x");
        side->say("written", side->transport->is_closing());
        side->transport->write("x");
        side->soon("soon");
        co_await side->lost;
        co_await ticks(3);
      },
      "side: made; written True; lost BrokenPipeError; soon");
}

TEST_CASE("asyncio's order: a write pipe's close") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        Descriptor r = co_await writing(side);
        side->soon("before");
        side->transport->close();
        side->soon("after");
        side->transport->close();
        side->transport->write_eof();
        side->transport->write("late");
        co_await side->lost;
        const std::size_t got = co_await drain(r);
        side->say("arrived", got);
        co_await ticks(3);
      },
      "side: made; before; lost none; after; arrived 0");
}

TEST_CASE("asyncio's order: a write pipe's close with writes pending") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        Descriptor r = co_await writing(side);
        const std::size_t sent = side->flood();
        side->transport->close();
        side->soon("soon");
        co_await ticks(5);
        side->say("lost", side->times_lost);
        const std::size_t got = co_await drain(r);
        co_await side->lost;
        side->say("all arrived", got == sent);
      },
      "side: made; pause; soon; lost 0; resume; lost none; all arrived True");
}

TEST_CASE("asyncio's order: a write pipe's write_eof with writes pending, then abort") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        Descriptor r = co_await writing(side);
        const std::size_t sent = side->flood();
        side->transport->write_eof();
        co_await ticks(3);
        side->say("closing", side->transport->is_closing(), "lost", side->times_lost);
        side->transport->abort();
        side->soon("soon");
        co_await side->lost;
        co_await ticks(3);
        const std::size_t got = co_await drain(r);
        side->say("all arrived", got == sent);
      },
      "side: made; pause; closing True lost 0; lost none; soon; all arrived False");
}

TEST_CASE("asyncio's order: a write pipe's abort with writes pending") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        Descriptor r = co_await writing(side);
        const std::size_t sent = side->flood();
        side->soon("before");
        side->transport->abort();
        side->say("aborted", side->transport->get_write_buffer_size());
        side->soon("after");
        co_await side->lost;
        co_await ticks(3);
        const std::size_t got = co_await drain(r);
        side->say("all arrived", got == sent);
      },
      "side: made; pause; aborted 0; before; lost none; after; all arrived False");
}

TEST_CASE("asyncio's order: pause, resume, close") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        Descriptor r = co_await writing(side);
        const std::size_t sent = side->flood();
        side->say("flooded");
        side->on_resume = [&] { side->soon("soon"); };
        const auto reader = brio::create_task(drain(r));
        co_await until([&] { return side->has("soon"); });
        side->transport->close();
        const std::size_t got = co_await reader;
        co_await side->lost;
        side->say("all arrived", got == sent);
      },
      "side: made; pause; flooded; resume; soon; lost none; all arrived True");
}

TEST_CASE("asyncio's order: pause_writing and resume_writing throw") {
  expect_told(
      [](SidePtr side) -> Coro<> {
        trap(side);
        side->on_pause = throws("pause");
        side->on_resume = throws("resume");
        Descriptor r = co_await writing(side);
        const std::size_t sent = side->flood();
        side->transport->close();
        const std::size_t got = co_await drain(r);
        co_await side->lost;
        side->say("all arrived", got == sent);
      },
      "side: made; pause; HANDLER protocol.pause_writing() failed Boom(pause); resume; "
      "HANDLER protocol.resume_writing() failed Boom(resume); lost none; all arrived True");
}
