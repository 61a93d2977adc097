// The order of events at datagram endpoints, as CPython's asyncio_order prints it.
#include "asyncio_order.hpp"

#include <brio/net/datagram.hpp>

using namespace brio;
using namespace brio::tests;
using namespace brio::tests::order;

namespace {

class Endpoint : public Told, public DatagramProtocol {
public:
  Endpoint() : Told("endpoint") {}

  void connection_made(std::shared_ptr<DatagramTransport> t) override {
    transport = std::move(t);
    say("made");
  }
  void datagram_received(std::string_view data, const net::SocketAddress&) override {
    ++count;
    say("datagram", std::string(data));
    if (on_data) on_data();
  }
  void error_received(std::exception_ptr exc) override {
    ++errors;
    say("error", exc);
    if (on_error) on_error();
  }
  void pause_writing() override { say("pause"); }
  void resume_writing() override { say("resume"); }
  void connection_lost(std::exception_ptr exc) override {
    say("lost", exc);
    lost.set_result();
  }

  /// Sends until so many datagrams are queued; how many it sent.
  [[nodiscard]] std::size_t fill(std::size_t queued = 5) const {
    std::size_t sent = 0;
    for (; transport->get_write_buffer_size() < queued * 1000; ++sent) {
      transport->sendto(std::string(1000, 'd'));
    }
    return sent;
  }

  std::shared_ptr<DatagramTransport> transport;
  int count = 0;
  int errors = 0;
  std::function<void()> on_data, on_error;
  Future<> lost = create_future();
  net::Socket peer;
};
using EndpointPtr = std::shared_ptr<Endpoint>;

Coro<EndpointPtr> endpoint(DatagramOptions options) {
  co_return (co_await create_datagram_endpoint([] { return std::make_shared<Endpoint>(); },
                                               std::move(options)))
      .second;
}

// Its peer reads only by take().
Coro<EndpointPtr> unix_endpoint() {
  auto [ours, peer] = net::Socket::pair(SOCK_DGRAM);
  auto made = co_await create_datagram_endpoint([] { return std::make_shared<Endpoint>(); },
                                                std::move(ours));
  made.second->peer = std::move(peer);
  made.second->transport->set_write_buffer_limits({.high = 3000, .low = 1000});
  co_return made.second;
}

Coro<> take(EndpointPtr e, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) (void)co_await sock_recv(e->peer, 2000);
}

// A loopback port on which nobody listens.
DatagramAddress closed_port() {
  return net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0), SOCK_DGRAM).getsockname();
}

template <class Body>
void expect_told(Body body, const std::string& expected) {
  std::string lines;
  run([&]() -> Coro<> { lines = told(co_await body()); });
  CHECK(lines == expected);
}

}  // namespace

TEST_CASE("asyncio's order: datagrams: nobody listens") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await endpoint({.remote_addr = closed_port()});
        for (const int errors : {1, 2}) {
          e->transport->sendto("x");
          co_await until([&] { return e->errors == errors; });
          e->say("closing", e->transport->is_closing());
        }
        e->transport->close();
        co_await e->lost;
        co_return e;
      },
      "endpoint: made; error ConnectionRefusedError; closing False; "
      "error ConnectionRefusedError; closing False; lost none");
}

TEST_CASE("asyncio's order: datagrams: nobody listens, not connected") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await endpoint({.local_addr = DatagramAddress("127.0.0.1", 0)});
        for (int i = 0; i < 2; ++i) {
          e->transport->sendto("x", closed_port().address());
          co_await ticks(5);
        }
        e->transport->sendto("myself",
                             *e->transport->get_extra_info<net::SocketAddress>("sockname"));
        co_await until([&] { return e->count == 1; });
        e->transport->close();
        co_await e->lost;
        co_return e;
      },
      "endpoint: made; datagram b'myself'; lost none");
}

TEST_CASE("asyncio's order: datagrams: the peer has gone") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await unix_endpoint();
        e->peer.close();
        e->transport->sendto("x");
        e->say("sent", e->transport->is_closing());
        e->transport->close();
        co_await e->lost;
        co_return e;
      },
      "endpoint: made; error ConnectionRefusedError; sent False; lost none");
}

TEST_CASE("asyncio's order: datagrams: too large") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await endpoint({.remote_addr = closed_port()});
        e->transport->sendto(std::string(70'000, 'x'));
        e->say("sent", e->transport->get_write_buffer_size(), e->transport->is_closing());
        e->transport->close();
        co_await e->lost;
        co_return e;
      },
      "endpoint: made; error OSError; sent 0 False; lost none");
}

TEST_CASE("asyncio's order: datagrams: another address than the peer's") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await endpoint({.remote_addr = closed_port()});
        try {
          e->transport->sendto("x", net::SocketAddress::ip("127.0.0.2", 9));
        } catch (const ValueError&) {
          e->say("ValueError");
        }
        e->say("closing", e->transport->is_closing());
        e->transport->close();
        co_await e->lost;
        co_return e;
      },
      "endpoint: made; ValueError; closing False; lost none");
}

TEST_CASE("asyncio's order: datagrams: close, and sends after it") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await endpoint({.remote_addr = closed_port()});
        e->transport->close();
        e->soon("soon");
        e->transport->close();
        e->transport->sendto("x");
        e->say("closing", e->transport->is_closing());
        co_await e->lost;
        e->transport->sendto("x");
        e->transport->close();
        co_await ticks(3);
        co_return e;
      },
      "endpoint: made; closing True; lost none; soon");
}

TEST_CASE("asyncio's order: datagrams: abort") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await endpoint({.local_addr = DatagramAddress("127.0.0.1", 0)});
        e->transport->abort();
        e->soon("soon");
        e->transport->abort();
        co_await e->lost;
        co_await ticks(3);
        co_return e;
      },
      "endpoint: made; lost none; soon");
}

TEST_CASE("asyncio's order: datagrams: pause, resume") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await unix_endpoint();
        const std::size_t sent = e->fill();
        e->say("filled");
        co_await take(e, sent);
        co_await ticks(3);
        e->transport->close();
        co_await e->lost;
        co_return e;
      },
      "endpoint: made; pause; filled; resume; lost none");
}

TEST_CASE("asyncio's order: datagrams: close with some queued") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await unix_endpoint();
        const std::size_t sent = e->fill();
        e->transport->close();
        co_await ticks(5);
        e->say("queued", e->transport->get_write_buffer_size() > 0);
        co_await take(e, sent);
        co_await e->lost;
        co_return e;
      },
      "endpoint: made; pause; queued True; resume; lost none");
}

TEST_CASE("asyncio's order: datagrams: abort with some queued") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await unix_endpoint();
        (void)e->fill();
        e->soon("before");
        e->transport->abort();
        e->soon("after");
        e->say("aborted");
        co_await e->lost;
        co_await ticks(3);
        co_return e;
      },
      "endpoint: made; pause; aborted; before; lost none; after");
}

TEST_CASE("asyncio's order: datagrams: the peer goes with some queued") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await unix_endpoint();
        (void)e->fill(4);
        e->peer.close();
        co_await until([&] { return e->has("resume"); });
        e->say("closing", e->transport->is_closing());
        e->transport->close();
        co_await e->lost;
        co_return e;
      },
      "endpoint: made; pause; error ConnectionRefusedError; error OSError; error OSError; "
      "error OSError; resume; closing False; lost none");
}

TEST_CASE("asyncio's order: datagrams: the peer goes with some queued, closed before") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await unix_endpoint();
        (void)e->fill(4);
        e->transport->close();
        e->peer.close();
        co_await e->lost;
        co_await ticks(3);
        co_return e;
      },
      "endpoint: made; pause; error ConnectionRefusedError; error OSError; error OSError; "
      "error OSError; resume; lost none");
}

TEST_CASE("asyncio's order: datagrams: datagram_received throws") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await unix_endpoint();
        trap(e);
        e->on_data = [&] {
          if (e->count == 1) throw Boom("data");
        };
        (void)e->peer.send("one");
        (void)e->peer.send("");
        co_await until([&] { return e->count == 2; });
        e->transport->close();
        co_await e->lost;
        co_return e;
      },
      "endpoint: made; datagram b'one'; HANDLER Exception in callback Boom(data); "
      "datagram b''; lost none");
}

TEST_CASE("asyncio's order: datagrams: error_received throws") {
  expect_told(
      []() -> Coro<EndpointPtr> {
        const auto e = co_await unix_endpoint();
        trap(e);
        e->on_error = throws("error");
        e->peer.close();
        try {
          e->transport->sendto("x");
        } catch (const Boom&) {
          e->say("sendto", std::current_exception());
        }
        e->say("closing", e->transport->is_closing());
        e->transport->close();
        co_await e->lost;
        co_return e;
      },
      "endpoint: made; error ConnectionRefusedError; sendto Boom(error); closing False; lost none");
}
