#include "support.hpp"

#include <brio/net/datagram.hpp>

#include <filesystem>
#include <fstream>
#include <netinet/in.h>
#include <unistd.h>

using namespace brio;
using brio::tests::Boom;
using brio::tests::ticks;
using brio::tests::Trace;
using brio::tests::until;

namespace {

class Recorder : public DatagramProtocol {
public:
  Recorder(Trace& trace, std::string its_name) : ev(trace), name(std::move(its_name)) {}
  void connection_made(std::shared_ptr<DatagramTransport> t) override { transport = std::move(t); }
  void datagram_received(std::string_view data, const net::SocketAddress& addr) override {
    ev(name.c_str(), std::string(data));
    ++count;
    last = addr;
    if (on_data) on_data(data, addr);
  }
  void error_received(std::exception_ptr exc) override {
    ev(name.c_str(), "error", exc);
    ++errors;
  }
  void pause_writing() override { ev(name.c_str(), "pause"); }
  void resume_writing() override {
    ev(name.c_str(), "resume");
    resumed = true;
  }
  void connection_lost(std::exception_ptr exc) override {
    ev(name.c_str(), "lost", exc);
    lost.set_result();
  }
  Trace& ev;
  std::string name;
  std::shared_ptr<DatagramTransport> transport;
  net::SocketAddress last;
  int count = 0;
  int errors = 0;
  bool resumed = false;
  std::function<void(std::string_view, const net::SocketAddress&)> on_data;
  Future<> lost = create_future();
};

auto recorder(Trace& ev, const char* name) {
  return [&ev, name] { return std::make_shared<Recorder>(ev, name); };
}

}  // namespace

TEST_CASE("datagrams: two endpoints, empty ones too, wrong addresses refused (scenario 717)") {
  Trace ev;
  run([&]() -> Coro<> {
    auto [s, sp] = co_await create_datagram_endpoint(
        recorder(ev, "server"), {.local_addr = DatagramAddress("127.0.0.1", 0)});
    sp->on_data = [&transport = s](std::string_view data, const net::SocketAddress& addr) {
      if (!data.empty()) transport->sendto(std::string(data.rbegin(), data.rend()), addr);
    };
    auto [c, cp] = co_await create_datagram_endpoint(
        recorder(ev, "client"), {.remote_addr = s->get_extra_info<net::SocketAddress>("sockname")});
    int messages = 0;
    for (const char* message : {"abc", "", "defg"}) {
      c->sendto(message);
      ++messages;
      co_await until([&, &server = sp, &client = cp] {
        return server->count == messages && client->count >= messages / 2;
      });
      co_await until([&, &client = cp] { return client->count == (messages + 1) / 2; });
    }
    try {
      c->sendto("x", net::SocketAddress::ip("127.0.0.1", 9));
    } catch (const ValueError&) {
      ev("other address ValueError");
    }
    ev("peer", c->get_extra_info<net::SocketAddress>("peername") ==
                   s->get_extra_info<net::SocketAddress>("sockname"));
    c->close();
    co_await cp->lost;
    s->close();
    co_await sp->lost;
  });
  CHECK(ev.str() ==
        "server b'abc'\nclient b'cba'\nserver b''\nserver b'defg'\nclient b'gfed'\n"
        "other address ValueError\npeer True\nclient lost none\nserver lost none\n");
}

TEST_CASE("datagrams: an unreachable peer is an error_received, and the endpoint stays") {
  Trace ev;
  run([&]() -> Coro<> {
    // A port that was just free.
    const net::SocketAddress nobody =
        net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0), SOCK_DGRAM).getsockname();
    auto [c, cp] =
        co_await create_datagram_endpoint(recorder(ev, "client"), {.remote_addr = nobody});
    c->sendto("into the void");
    co_await until([&, &client = cp] { return client->errors > 0; });
    ev("closing", c->is_closing());
    c->abort();
    co_await cp->lost;
    c->sendto("too late");
  });
  CHECK(ev.str() == "client error ConnectionRefusedError\nclosing False\nclient lost none\n");
}

TEST_CASE("datagrams: a socket left at the path is replaced, anything else is in the way") {
  Trace ev;
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("brio-datagrams-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const auto at = [&](const char* name) {
    return net::SocketAddress::unix_path((folder / name).string());
  };
  run([&]() -> Coro<> {
    for (int i = 0; i < 2; ++i) {
      auto [t, p] =
          co_await create_datagram_endpoint(recorder(ev, "ours"), {.local_addr = at("socket")});
      t->close();
      co_await p->lost;
      ev("stays", std::filesystem::exists(folder / "socket"));
    }
    std::ofstream(folder / "file") << "text";
    const auto refused = co_await as_outcome(
        create_datagram_endpoint(recorder(ev, "ours"), {.local_addr = at("file")}));
    ev(refused.error());
  });
  std::filesystem::remove_all(folder);
  CHECK(ev.str() == "ours lost none\nstays True\nours lost none\nstays True\nOSError\n");
}

TEST_CASE("datagrams: what a full socket does not take is queued, in order, with flow control") {
  Trace ev;
  int got = 0;
  bool ordered = true;
  run([&]() -> Coro<> {
    // Unix datagram sockets block when the receiver's queue is full, and lose nothing.
    auto [a, b] = net::Socket::pair(SOCK_DGRAM);
    auto [t, p] = co_await create_datagram_endpoint(recorder(ev, "sender"), std::move(b));
    const std::string filler(1000, 'x');
    int sent = 0;
    while (t->get_write_buffer_size() <= t->get_write_buffer_limits().high) {
      t->sendto(std::to_string(sent++) + ";" + filler);
    }
    ev("header counted", t->get_write_buffer_size() % 1000 != 0);
    t->close();
    ev("closing", t->is_closing());
    while (got < sent) {
      const std::string datagram = co_await sock_recv(a, 2000);
      ordered = ordered && datagram.starts_with(std::to_string(got) + ";");
      ++got;
    }
    co_await p->lost;
    ev("all", got == sent);
  });
  CHECK(ordered);
  CHECK(ev.str() ==
        "sender pause\nheader counted True\nclosing True\nsender resume\nsender lost none\n"
        "all True\n");
}

TEST_CASE("datagrams: options that do not fit") {
  Trace ev;
  run([&]() -> Coro<> {
    ev((co_await as_outcome(create_datagram_endpoint(recorder(ev, "x"), DatagramOptions{})))
           .error());
    ev((co_await as_outcome(create_datagram_endpoint(recorder(ev, "x"),
                                                     {.local_addr = DatagramAddress("127.0.0.1", 0),
                                                      .remote_addr = DatagramAddress("::1", 9)})))
           .error());
    ev((co_await as_outcome(create_datagram_endpoint(
            recorder(ev, "x"), {.local_addr = DatagramAddress("127.0.0.1", 70000)})))
           .error());
    auto [a, b] = net::Socket::pair();
    ev((co_await as_outcome(create_datagram_endpoint(recorder(ev, "x"), std::move(a)))).error());
    // No peer and no address: nowhere to send to.
    auto [t, p] = co_await create_datagram_endpoint(recorder(ev, "lonely"), {.family = AF_INET});
    try {
      t->sendto("x");
    } catch (const ValueError&) {
      ev("ValueError");
    }
    t->close();
    co_await p->lost;
  });
  CHECK(ev.str() ==
        "ValueError\nValueError\nValueError\nValueError\nValueError\nlonely lost none\n");
}

TEST_CASE("datagrams: what datagram_received throws is reported, and the endpoint stays") {
  Trace ev;
  run([&]() -> Coro<> {
    int reported = 0;
    get_running_loop().set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
      ev(context.exception);
      ++reported;
    });
    auto [a, b] = net::Socket::pair(SOCK_DGRAM);
    auto [t, p] = co_await create_datagram_endpoint(recorder(ev, "p"), std::move(b));
    p->on_data = [](std::string_view data, const net::SocketAddress&) {
      if (data == "bad") throw Boom("datagram");
    };
    (void)a.send("bad");
    (void)a.send("good");
    co_await until([&, &protocol = p] { return protocol->count == 2; });
    t->close();
    co_await p->lost;
  });
  CHECK(ev.str() == "p b'bad'\nBoom(datagram)\np b'good'\np lost none\n");
}

TEST_CASE("datagrams: an endpoint without any address says what is missing") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto refused = co_await as_outcome(create_datagram_endpoint(recorder(ev, "p"), {}));
    REQUIRE(refused.error_as<ValueError>());
    ev(refused.error_as<ValueError>()->what());
  });
  CHECK(ev.str() == "unexpected address family\n");
}
