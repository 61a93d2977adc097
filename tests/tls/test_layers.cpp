// TLS in TLS, and the timeouts of a layer.
#include "support.hpp"

#include <doctest/doctest.h>

using namespace brio;
using namespace brio::tests;
using namespace std::chrono_literals;

namespace {

const TestCertificate& proxy_certificate() {
  static const TestCertificate made =
      make_certificate({.common_name = "proxy", .alt_names = "DNS:proxy.example"});
  return made;
}

// Both directions of a tunnel, until either ends.
Coro<> forward(StreamReader from, StreamWriter to) {
  while (true) {
    std::string data = co_await from.read(65536);
    if (data.empty()) break;
    to.write(std::move(data));
    co_await to.drain();
  }
  to.close();
}

// A proxy that is spoken to in TLS: a line with the port, an answer, then bytes as they come.
Coro<> tunnel(StreamReader r, StreamWriter w) {
  const int port = std::stoi(co_await r.readline());
  auto [r2, w2] = co_await open_connection("127.0.0.1", port);
  w.write("ok\n");
  auto there = create_task(forward(r, w2));
  co_await forward(r2, w);
  (void)co_await as_outcome(AnyFuture(there));
}

struct Tunnel {
  std::shared_ptr<Server> target;
  std::shared_ptr<Server> proxy;
};

Coro<Tunnel> make_tunnel(ContextPtr inner) {
  Tunnel made;
  made.target = co_await start_server(echo, "127.0.0.1", 0, {.ssl = std::move(inner)});
  made.proxy = co_await start_server(tunnel, "127.0.0.1", 0, {.ssl = serving(proxy_certificate())});
  co_return made;
}

Coro<std::pair<StreamReader, StreamWriter>> through(const Tunnel& tunnel) {
  auto pair = co_await open_connection(
      "127.0.0.1", port_of(tunnel.proxy),
      {.ssl = trusting(proxy_certificate()), .server_hostname = "proxy.example"});
  pair.second.write(std::to_string(port_of(tunnel.target)) + "\n");
  (void)co_await pair.first.readline();
  co_return pair;
}

// Runs both sides of TLS on a socket by hand; gives the server's object after the handshake.
Coro<std::unique_ptr<tls::SSLObject>> shake_by_hand(net::Socket& sock, ContextPtr context) {
  auto object = context->wrap();
  while (!object->do_handshake()) {
    co_await sock_sendall(sock, object->take_outgoing());
    object->feed(co_await sock_recv(sock, 65536));
  }
  co_await sock_sendall(sock, object->take_outgoing());
  co_return object;
}

}  // namespace

TEST_CASE("tls in tls: a client through a proxy that is itself spoken to in TLS") {
  Trace ev;
  bool same = false;
  testing::run_test([&]() -> Coro<> {
    const Tunnel tunnel = co_await make_tunnel(serving());
    auto [r, w] = co_await through(tunnel);
    co_await w.start_tls(trusting(), {.server_hostname = "localhost"});
    ev(object_of(w).getpeercert()->subject.c_str(),
       w.get_extra_info<net::SocketAddress>("peername")->port() == port_of(tunnel.proxy));
    std::string sent;
    for (int i = 0; sent.size() < 1'000'000; ++i) sent += std::to_string(i) + ",";
    const auto send = [](StreamWriter writer, const std::string& all) -> Coro<> {
      for (std::size_t at = 0; at < all.size(); at += 70000) {
        writer.write(std::string_view(all).substr(at, 70000));
        co_await writer.drain();
      }
    };
    auto sending = create_task(send(w, sent));
    const std::string got = co_await r.readexactly(sent.size());
    co_await sending;
    same = got == sent;
    w.close();
    co_await w.wait_closed();
    ev("closed", *w.get_extra_info<bool>("truncated"));
    tunnel.proxy->close();
    tunnel.target->close();
    co_await tunnel.proxy->wait_closed();
    co_await tunnel.target->wait_closed();
  });
  CHECK(same);
  CHECK(ev.str() == "CN=localhost True\nclosed False\n");
}

TEST_CASE("tls in tls: the inner certificate is checked like any other") {
  std::string text;
  testing::run_test(
      [&]() -> Coro<> {
        const Tunnel tunnel = co_await make_tunnel(serving());
        auto [r, w] = co_await through(tunnel);
        const auto outcome = co_await as_outcome(
            w.start_tls(trusting(proxy_certificate()), {.server_hostname = "proxy.example"}));
        text = describe(outcome.error());
        tunnel.proxy->close();
        tunnel.target->close();
        co_await tunnel.proxy->wait_closed();
        co_await tunnel.target->wait_closed();
      },
      {.debug = false, .reports_allowed = true});
  CHECK(text.starts_with("TLS handshake with proxy.example (127.0.0.1:"));
  CHECK(text.ends_with(
      ") failed: certificate verify failed: self-signed certificate (CN=localhost)"));
}

TEST_CASE("tls in tls: three layers, a server's side each, and all of them closed") {
  Trace ev;
  testing::run_test([&]() -> Coro<> {
    const auto context = serving();
    const auto handler = [context](StreamReader r, StreamWriter w) -> Coro<> {
      for (int i = 0; i < 2; ++i) {
        w.write(co_await r.readline());
        co_await w.start_tls(context);
      }
      co_await echo(r, w);
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0, {.ssl = context});
    const auto client = trusting();
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server),
                                           {.ssl = client, .server_hostname = "localhost"});
    for (int i = 0; i < 2; ++i) {
      w.write("deeper\n");
      ev(co_await r.readline());
      co_await w.start_tls(client, {.server_hostname = "localhost"});
    }
    w.write("bottom\n");
    ev(co_await r.readline());
    w.close();
    co_await w.wait_closed();
    server->close();
    co_await server->wait_closed();
    ev("all gone");
  });
  CHECK(ev.str() == "b'deeper\\n'\nb'deeper\\n'\nb'bottom\\n'\nall gone\n");
}

TEST_CASE("tls in tls: what has arrived is read after the end, however late") {
  // The outer end comes while the inner protocol reads nothing: by close_notify, and by a plain
  // end.
  for (const bool polite : {true, false}) {
    CAPTURE(polite);
    Trace ev;
    testing::run_test([&]() -> Coro<> {
      auto [a, b] = net::Socket::pair();
      const auto serve = [](net::Socket& sock, bool says_goodbye, Future<> go) -> Coro<> {
        const auto outer = co_await shake_by_hand(sock, serving());
        const auto inner = serving()->wrap();
        char plain[20000];
        while (true) {
          while (const auto count = outer->read(plain, sizeof plain)) {
            inner->feed(std::string_view(plain, *count));
          }
          if (inner->do_handshake()) break;
          (void)outer->write(inner->take_outgoing());
          co_await sock_sendall(sock, outer->take_outgoing());
          outer->feed(co_await sock_recv(sock, 65536));
        }
        co_await go;
        (void)inner->write("last words");
        (void)inner->unwrap();
        (void)outer->write(inner->take_outgoing());
        if (says_goodbye) (void)outer->unwrap();
        co_await sock_sendall(sock, outer->take_outgoing());
        sock.shutdown(SHUT_WR);
      };
      const Future<> go = create_future();
      auto serving_task = create_task(serve(b, polite, go));
      auto quiet = std::make_shared<RecordingProtocol>(ev, "outer");
      auto [transport, protocol] = co_await create_connection(
          always(quiet), std::move(a), {.ssl = trusting(), .server_hostname = "localhost"});
      auto inner = std::make_shared<RecordingProtocol>(ev, "inner");
      auto top = co_await start_tls(transport, inner, trusting(), {.server_hostname = "localhost"});
      top->pause_reading();
      go.set_result();
      co_await serving_task;
      co_await ticks(20);
      ev("paused");
      top->resume_reading();
      co_await inner->lost;
    });
    CHECK(ev.str() == "outer made\npaused\ninner data b'last words'\ninner eof\ninner lost none\n");
  }
}

TEST_CASE("tls timeouts: a silent peer, by default after 60 s, on a client and in start_tls") {
  Trace ev;
  testing::run_test(
      [&]() -> Coro<> {
        EventLoop& loop = get_running_loop();
        const auto seconds_since = [&loop](TimePoint begin) {
          return static_cast<int>(
              std::chrono::duration_cast<std::chrono::seconds>(loop.time() - begin).count());
        };
        for (const std::optional<Duration> given :
             {std::optional<Duration>(), std::optional<Duration>(7s)}) {
          auto [a, b] = net::Socket::pair();
          TimePoint begin = loop.time();
          const auto outcome = co_await as_outcome(open_connection(
              std::move(a),
              {.ssl = trusting(), .server_hostname = "localhost", .ssl_handshake_timeout = given}));
          ev("open_connection", outcome.error(), seconds_since(begin),
             describe(outcome.error()).c_str());

          auto [c, d] = net::Socket::pair();
          auto [r, w] = co_await open_connection(std::move(c));
          begin = loop.time();
          const auto upgrade = co_await as_outcome(w.start_tls(
              trusting(), {.server_hostname = "localhost", .ssl_handshake_timeout = given}));
          ev("start_tls", upgrade.error(), seconds_since(begin));
        }
      },
      {.debug = false, .reports_allowed = true});
  CHECK(ev.str() ==
        "open_connection ConnectionAbortedError 60 TLS handshake with localhost is taking longer "
        "than 60 seconds: aborting the connection\n"
        "start_tls ConnectionAbortedError 60\n"
        "open_connection ConnectionAbortedError 7 TLS handshake with localhost is taking longer "
        "than 7 seconds: aborting the connection\n"
        "start_tls ConnectionAbortedError 7\n");
}

TEST_CASE("tls timeouts: a server drops who connects and says nothing") {
  Trace ev;
  testing::run_test(
      [&]() -> Coro<> {
        for (const std::optional<Duration> given :
             {std::optional<Duration>(), std::optional<Duration>(5s)}) {
          auto server = co_await start_server(echo, "127.0.0.1", 0,
                                              {.ssl = serving(), .ssl_handshake_timeout = given});
          auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
          const TimePoint begin = get_running_loop().time();
          const auto outcome = co_await as_outcome(r.read());
          ev(static_cast<int>(
              std::chrono::duration_cast<std::chrono::seconds>(get_running_loop().time() - begin)
                  .count()));
          w.close();
          server->close();
          co_await server->wait_closed();
        }
      },
      {.reports_allowed = true});
  CHECK(ev.str() == "60\n5\n");
}

TEST_CASE("tls timeouts: a peer that answers no close_notify, by default after 30 s") {
  Trace ev;
  testing::run_test(
      [&]() -> Coro<> {
        for (const std::optional<Duration> given :
             {std::optional<Duration>(), std::optional<Duration>(4s)}) {
          auto [a, b] = net::Socket::pair();
          auto shaking = create_task(shake_by_hand(b, serving()));
          auto client = std::make_shared<RecordingProtocol>(ev);
          const auto [transport, protocol] = co_await create_connection(
              always(client), std::move(a),
              {.ssl = trusting(), .server_hostname = "localhost", .ssl_shutdown_timeout = given});
          (void)co_await shaking;
          const TimePoint begin = get_running_loop().time();
          transport->close();
          co_await client->lost;
          ev(static_cast<int>(
              std::chrono::duration_cast<std::chrono::seconds>(get_running_loop().time() - begin)
                  .count()));
        }
        // And a server's.
        auto server_side = std::make_shared<RecordingProtocol>(ev, "server");
        auto server = co_await create_server(always(server_side), "127.0.0.1", 0,
                                             {.ssl = serving(), .ssl_shutdown_timeout = 9s});
        net::Socket sock(AF_INET);
        co_await sock_connect(sock, "127.0.0.1", port_of(server));
        const auto object = trusting()->wrap("localhost");
        while (!object->do_handshake()) {
          co_await sock_sendall(sock, object->take_outgoing());
          object->feed(co_await sock_recv(sock, 65536));
        }
        co_await sock_sendall(sock, object->take_outgoing());
        co_await until([&] { return server_side->transport != nullptr; });
        const TimePoint begin = get_running_loop().time();
        server_side->transport->close();
        co_await server_side->lost;
        ev(get_running_loop().time() - begin == Duration(9s));
        server->close();
      },
      {.reports_allowed = true});
  CHECK(ev.str() ==
        "made\nlost TimeoutError\n30\nmade\nlost TimeoutError\n4\n"
        "server made\nserver lost TimeoutError\nTrue\n");
}

TEST_CASE("tls: plain text that waits when TLS begins does not pass for encrypted") {
  // Injected by whoever stands between: it becomes the first bytes of the handshake, and that
  // fails.
  std::string text;
  testing::run_test(
      [&]() -> Coro<> {
        auto [a, b] = net::Socket::pair();
        auto [r, w] = co_await open_connection(std::move(a));
        co_await sock_sendall(b, "go ahead\ninjected: fetch the password\n");
        (void)co_await r.readline();
        const auto outcome =
            co_await as_outcome(w.start_tls(trusting(), {.server_hostname = "localhost"}));
        text = outcome ? "no error" : describe(outcome.error());
      },
      {.debug = false, .reports_allowed = true});
  CHECK(text ==
        "TLS handshake with localhost failed: wrong version number (the peer speaks no TLS on "
        "this port, or only after start_tls)");
}
