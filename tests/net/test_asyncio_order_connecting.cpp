// The order of events at connects that are cancelled or fail, as CPython's asyncio_order prints it.
#include "asyncio_order.hpp"

#include <filesystem>

using namespace brio;
using namespace brio::tests;
using namespace brio::tests::order;

namespace {

using Connecting = Task<std::pair<std::shared_ptr<Transport>, SidePtr>>;

auto factory_of(const SidePtr& side) {
  return [side] {
    side->say("factory");
    return side;
  };
}

// Connects one end of a socket pair; the other is side->peer.
Connecting connect_ready(const SidePtr& side) {
  auto [ours, peer] = net::Socket::pair();
  (void)peer.send("waiting");
  side->peer = std::move(peer);
  return create_task(create_connection(factory_of(side), std::move(ours)));
}

Coro<std::string> outcome(SidePtr side, Connecting task) {
  task.add_done_callback([side](const AnyFuture&) { side->say("callback"); });
  const auto ended = co_await as_outcome(AnyFuture(task));
  if (ended) {
    side->say("connected");
  } else {
    side->say(ended.error());
  }
  co_await ticks(3);
  const std::string lines = told(side);
  if (ended) {
    side->transport->abort();
    co_await side->lost;
  }
  co_return lines;
}

int open_descriptors() {
  return static_cast<int>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

}  // namespace

TEST_CASE("asyncio's order: connect: made, then connected") {
  expect(
      unix_only,
      [](Kind) -> Coro<std::string> {
        const auto side = make_side();
        side->on_made = [&] { side->soon("soon"); };
        auto [ours, peer] = net::Socket::pair();
        side->peer = std::move(peer);
        co_return co_await outcome(
            side, create_task(create_connection(factory_of(side), std::move(ours))));
      },
      "side: factory; made; soon; callback; connected");
}

TEST_CASE("asyncio's order: connect: cancelled before the first step") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto side = make_side();
        const auto at = co_await serve(kind, [] { return make_side(); });
        const auto task = create_task(connect(address_of(at), factory_of(side)));
        task.cancel();
        const std::string lines = co_await outcome(side, task);
        at->close();
        co_return lines;
      },
      "side: callback; CancelledError");
}

TEST_CASE("asyncio's order: connect: cancelled while the kernel connects") {
  expect(
      tcp_only,
      [](Kind) -> Coro<std::string> {
        const auto side = make_side();
        net::Socket listener = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
        listener.listen(0);
        net::Socket first(AF_INET);  // with it the queue is full
        co_await sock_connect(first, listener.getsockname());
        const int before = open_descriptors();
        const auto task = create_task(
            create_connection(factory_of(side), "127.0.0.1", listener.getsockname().port()));
        co_await until([&] { return open_descriptors() > before; });
        co_await ticks(5);
        side->say("sockets", open_descriptors() - before);
        task.cancel();
        side->say("cancelled");
        (void)co_await outcome(side, task);
        side->say("sockets", open_descriptors() - before);
        co_return told(side);
      },
      "side: sockets 1; cancelled; callback; CancelledError; sockets 0");
}

TEST_CASE("asyncio's order: connect: cancelled after 1, 2, 3 of its steps" * counts_transfers()) {
  const auto cancelled_after = [](int steps) {
    std::string lines;
    run([&]() -> Coro<> {
      const auto side = make_side();
      const auto task = connect_ready(side);
      co_await ticks(steps);
      side->say("cancel", task.cancel());
      lines = co_await outcome(side, task);
    });
    return lines;
  };
  CHECK(cancelled_after(1) ==
        "side: factory; cancel True; made; lost none; callback; CancelledError");
  CHECK(cancelled_after(2) ==
        "side: factory; made; cancel True; lost none; callback; CancelledError");
  CHECK(cancelled_after(3) ==
        "side: factory; made; cancel False; connected; data b'waiting'; callback");
}

TEST_CASE("asyncio's order: connect: cancelled in connection_made") {
  expect(
      unix_only,
      [](Kind) -> Coro<std::string> {
        const auto side = make_side();
        const auto task = connect_ready(side);
        side->on_made = [&] { side->say("cancel", task.cancel()); };
        co_return co_await outcome(side, task);
      },
      "side: factory; made; cancel True; lost none; callback; CancelledError");
}

TEST_CASE("asyncio's order: connect: the factory throws") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto side = make_side();
        const auto at = co_await serve(kind, [] { return make_side(); });
        const auto factory = []() -> SidePtr { throw Boom("factory"); };
        const std::string lines =
            co_await outcome(side, create_task(connect(address_of(at), factory)));
        at->close();
        co_return lines;
      },
      "side: callback; Boom(factory)");
}

TEST_CASE("asyncio's order: connect: nobody listens") {
  expect(
      both,
      [](Kind kind) -> Coro<std::string> {
        const auto side = make_side();
        const auto at = co_await serve(kind, [] { return make_side(); });
        const net::SocketAddress address = address_of(at);
        at->close();
        co_return co_await outcome(side, create_task(connect(address, factory_of(side))));
      },
      "side: callback; ConnectionRefusedError");
}
