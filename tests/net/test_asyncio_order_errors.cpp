// What becomes of an exception that a protocol throws, as CPython's asyncio_order prints it.
#include "asyncio_order.hpp"

using namespace brio;
using namespace brio::tests;
using namespace brio::tests::order;

namespace {

Coro<> after_throwing(SidePtr side) {
  (void)side->peer.send("one");
  co_await until([&] { return side->received == "one" || side->lost.done(); });
  side->peer.close();
  co_await side->lost;
  co_await ticks(3);
}

std::function<void(std::string_view)> throws_with_data(const char* where) {
  return [where](std::string_view) { throw Boom(where); };
}

}  // namespace

TEST_CASE("asyncio's order: connection_made throws") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        trap(side);
        side->on_made = throws("made");
        co_await ends(kind, side);
        side->say("connected", side->transport->is_closing());
        co_await after_throwing(side);
      },
      "side: made; HANDLER Exception in callback Boom(made); connected False; data b'one'; eof; "
      "lost none");
}

TEST_CASE("asyncio's order: data_received throws") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        trap(side);
        side->on_data = throws_with_data("data");
        co_await ends(kind, side);
        co_await after_throwing(side);
      },
      "side: made; data b'one'; HANDLER Fatal error: protocol.data_received() call failed. "
      "Boom(data); lost Boom(data)");
}

TEST_CASE("asyncio's order: data_received throws an OSError") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        trap(side);
        side->on_data = [](std::string_view) { throw BrokenPipeError(EPIPE, "made up"); };
        co_await ends(kind, side);
        co_await after_throwing(side);
      },
      "side: made; data b'one'; lost BrokenPipeError");
}

TEST_CASE("asyncio's order: data_received throws a CancelledError") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        trap(side);
        side->on_data = [](std::string_view) { throw CancelledError(); };
        co_await ends(kind, side);
        co_await after_throwing(side);
      },
      "side: made; data b'one'; HANDLER Fatal error: protocol.data_received() call failed. "
      "CancelledError; lost CancelledError");
}

TEST_CASE("asyncio's order: data_received throws after close") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        trap(side);
        side->on_data = [&](std::string_view) {
          side->transport->close();
          throw Boom("data");
        };
        co_await ends(kind, side);
        co_await after_throwing(side);
      },
      "side: made; data b'one'; HANDLER Fatal error: protocol.data_received() call failed. "
      "Boom(data); lost none");
}

TEST_CASE("asyncio's order: data_received throws, with writes pending" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        trap(side);
        side->on_data = throws_with_data("data");
        co_await ends(kind, side);
        side->flood();
        co_await after_throwing(side);
      },
      "side: made; pause; data b'one'; HANDLER Fatal error: protocol.data_received() call failed. "
      "Boom(data); lost Boom(data)");
}

TEST_CASE("asyncio's order: eof_received throws") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        trap(side);
        side->on_eof = throws("end");
        co_await ends(kind, side);
        co_await after_throwing(side);
      },
      "side: made; data b'one'; eof; HANDLER Fatal error: protocol.eof_received() call failed. "
      "Boom(end); lost Boom(end)");
}

TEST_CASE("asyncio's order: pause_writing throws" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        trap(side);
        side->on_pause = throws("pause");
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->say("flooded");
        side->transport->write_eof();
        const std::size_t got = co_await drain(side->peer);
        side->say("all arrived", got == sent);
        side->transport->close();
        co_await side->lost;
      },
      "side: made; pause; HANDLER protocol.pause_writing() failed Boom(pause); flooded; resume; "
      "all arrived True; lost none");
}

TEST_CASE("asyncio's order: resume_writing throws" * counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        trap(side);
        side->on_resume = throws("resume");
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->transport->write_eof();
        const std::size_t got = co_await drain(side->peer);
        side->say("all arrived", got == sent);
        side->transport->close();
        co_await side->lost;
      },
      "side: made; pause; resume; HANDLER protocol.resume_writing() failed Boom(resume); all "
      "arrived True; lost none");
}

TEST_CASE("asyncio's order: connection_lost throws") {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        trap(side);
        side->on_lost = throws("lost");
        co_await ends(kind, side);
        side->transport->close();
        side->soon("after");
        co_await side->lost;
        co_await ticks(3);
        const std::size_t got = co_await drain(side->peer);
        side->say("arrived", got);
      },
      "side: made; lost none; HANDLER Exception in callback Boom(lost); after; arrived 0");
}

TEST_CASE("asyncio's order: connection_lost throws after the last of the buffer" *
          counts_transfers()) {
  alone(
      both,
      [](Kind kind, SidePtr side) -> Coro<> {
        trap(side);
        side->on_lost = throws("lost");
        co_await ends(kind, side);
        const std::size_t sent = side->flood();
        side->transport->close();
        const std::size_t got = co_await drain(side->peer);
        side->say("all arrived", got == sent);
        co_await ticks(3);
      },
      "side: made; pause; resume; lost none; HANDLER Exception in callback Boom(lost); all arrived "
      "True");
}

namespace {

class Buffered : public Told, public BufferedProtocol {
public:
  explicit Buffered(std::string throws_in) : Told("side"), where_(std::move(throws_in)) {}

  std::span<char> get_buffer(std::ptrdiff_t) override {
    tell("get_buffer");
    return {memory_, where_ == "empty" ? 0 : sizeof memory_};
  }
  void buffer_updated(std::size_t) override { tell("buffer_updated"); }
  bool eof_received() override {
    tell("eof");
    return false;
  }
  void connection_lost(std::exception_ptr exc) override {
    say("lost", exc);
    lost.set_result();
  }

  Future<> lost = create_future();

private:
  void tell(const char* where) {
    say(where);
    if (where == where_) throw Boom(where);
  }

  std::string where_;
  char memory_[100];
};

std::string told_by_buffered(Kind kind, const std::string& where) {
  std::string lines;
  run([&]() -> Coro<> {
    const auto side = std::make_shared<Buffered>(where);
    trap(side);
    auto [ours, peer] = co_await connected(kind);
    (void)co_await create_connection(always(side), std::move(ours));
    (void)peer.send("one");
    co_await until([&] { return side->has("get_buffer"); });
    peer.close();
    co_await side->lost;
    co_await ticks(3);
    lines = told(side);
  });
  return lines;
}

}  // namespace

TEST_CASE("asyncio's order: a BufferedProtocol, get_buffer, empty, buffer_updated, eof" *
          counts_transfers()) {
  for (const Kind kind : both) {
    CHECK(told_by_buffered(kind, "get_buffer") ==
          "side: get_buffer; HANDLER Fatal error: protocol.get_buffer() call failed. "
          "Boom(get_buffer); lost Boom(get_buffer)");
    CHECK(told_by_buffered(kind, "empty") ==
          "side: get_buffer; HANDLER Fatal error: protocol.get_buffer() call failed. "
          "RuntimeError; lost RuntimeError");
    CHECK(told_by_buffered(kind, "buffer_updated") ==
          "side: get_buffer; buffer_updated; HANDLER Fatal error: protocol.buffer_updated() call "
          "failed. Boom(buffer_updated); lost Boom(buffer_updated)");
    CHECK(told_by_buffered(kind, "eof") ==
          "side: get_buffer; buffer_updated; get_buffer; eof; HANDLER Fatal error: "
          "protocol.eof_received() call failed. Boom(eof); lost Boom(eof)");
  }
}
