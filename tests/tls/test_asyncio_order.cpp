// What protocols are told over TLS, and in which order. What is expected here was printed by
// CPython 3.13.0 (OpenSSL 3.0.19) running asyncio_order.py in this folder, where each case has the
// same name.
#include "support.hpp"

#include <doctest/doctest.h>

using namespace brio;
using namespace brio::tests;

namespace {

// One side's protocol with a trace of its own: only each side's order is certain.
struct Side {
  std::string name;
  Trace trace;
  std::shared_ptr<RecordingProtocol> protocol;

  explicit Side(std::string side) : name(std::move(side)) {
    protocol = std::make_shared<RecordingProtocol>(trace);
  }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;
  [[nodiscard]] std::string told() const {
    std::string lines = trace.str();
    for (char& c : lines) {
      if (c == '\n') c = ';';
    }
    return name + ": " + lines;
  }
};

int port_of_socket(const net::Socket& listener) { return listener.getsockname().port(); }

// A server without the layer: shakes hands, sends, and hangs up.
Coro<> by_hand(net::Socket& listener, bool polite) {
  auto [sock, peer] = co_await sock_accept(listener);
  const auto object = serving()->wrap();
  while (!object->do_handshake()) {
    co_await sock_sendall(sock, object->take_outgoing());
    object->feed(co_await sock_recv(sock, 65536));
  }
  (void)object->write("half an answer");
  if (polite) (void)object->unwrap();
  co_await sock_sendall(sock, object->take_outgoing());
}

// A client and a server's side that have shaken hands.
Coro<> connect(Side& client, Side& server) {
  auto at = co_await create_server(always(server.protocol), "127.0.0.1", 0, {.ssl = serving()});
  (void)co_await create_connection(always(client.protocol), "127.0.0.1", port_of(at),
                                   {.ssl = trusting(), .server_hostname = "localhost"});
  co_await until([&] { return server.protocol->transport != nullptr; });
  at->close();
}

}  // namespace

TEST_CASE("asyncio's order: truncated; close_notify and end" * counts_transfers()) {
  for (const bool polite : {false, true}) {
    CAPTURE(polite);
    std::string told;
    run([&]() -> Coro<> {
      Side client("client");
      net::Socket listener = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
      listener.listen();
      auto task = create_task(by_hand(listener, polite));
      const auto [transport, protocol] =
          co_await create_connection(always(client.protocol), "127.0.0.1", port_of_socket(listener),
                                     {.ssl = trusting(), .server_hostname = "localhost"});
      co_await client.protocol->lost;
      co_await task;
      told = client.told();
    });
    CHECK(told == "client: made;data b'half an answer';eof;lost none;");
  }
}

TEST_CASE("asyncio's order: client closes" * counts_transfers()) {
  std::string told;
  run([&]() -> Coro<> {
    Side client("client");
    Side server("server");
    co_await connect(client, server);
    server.protocol->on_data = [&](std::string_view) {
      server.protocol->transport->write("answer");
    };
    client.protocol->on_data = [&](std::string_view) { client.protocol->transport->close(); };
    client.protocol->transport->write("question");
    co_await client.protocol->lost;
    co_await server.protocol->lost;
    told = client.told() + " " + server.told();
  });
  CHECK(told ==
        "client: made;data b'answer';eof;lost none; "
        "server: made;data b'question';eof;lost none;");
}

TEST_CASE("asyncio's order: server closes" * counts_transfers()) {
  std::string told;
  run([&]() -> Coro<> {
    Side client("client");
    Side server("server");
    co_await connect(client, server);
    server.protocol->on_data = [&](std::string_view) {
      server.protocol->transport->write("bye");
      server.protocol->transport->close();
    };
    client.protocol->transport->write("question");
    co_await client.protocol->lost;
    co_await server.protocol->lost;
    told = client.told() + " " + server.told();
  });
  CHECK(told ==
        "client: made;data b'bye';eof;lost none; "
        "server: made;data b'question';eof;lost none;");
}

TEST_CASE("asyncio's order: abort" * counts_transfers()) {
  std::string told;
  run([&]() -> Coro<> {
    Side client("client");
    Side server("server");
    co_await connect(client, server);
    client.protocol->transport->write(std::string(100, 'x'));
    client.protocol->transport->abort();
    client.trace("aborted");
    co_await client.protocol->lost;
    co_await server.protocol->lost;
    told = client.told();
  });
  CHECK(told == "client: made;aborted;lost none;");
}

TEST_CASE("asyncio's order: start_tls; start_tls, the peer hangs up" * counts_transfers()) {
  for (const bool hangs_up : {false, true}) {
    CAPTURE(hangs_up);
    std::string told;
    run([&]() -> Coro<> {
      Side plain_client("plain client");
      Side plain_server("plain server");
      Side client("client");
      Side server("server");
      auto at = co_await create_server(always(plain_server.protocol), "127.0.0.1", 0);
      const auto [transport, made] =
          co_await create_connection(always(plain_client.protocol), "127.0.0.1", port_of(at));
      co_await until([&] { return plain_server.protocol->transport != nullptr; });
      at->close();
      plain_server.protocol->on_data = [&](std::string_view) {
        plain_server.protocol->transport->write("go ahead");
      };
      transport->write("starttls");
      co_await until([&] { return plain_client.protocol->received == "go ahead"; });
      Task<std::shared_ptr<Transport>> upgrading;
      if (hangs_up) {
        plain_server.protocol->transport->close();
      } else {
        upgrading = create_task(start_tls(plain_server.protocol->transport, server.protocol,
                                          serving(), {.server_side = true}));
      }
      auto outcome = co_await as_outcome(
          start_tls(transport, client.protocol, trusting(), {.server_hostname = "localhost"}));
      if (!outcome) {
        client.trace("start_tls", outcome.error());
        co_await client.protocol->lost;
        told = plain_client.told() + " " + plain_server.told() + " " + client.told();
        co_return;
      }
      const auto tls = std::move(outcome).value();
      const auto tls_server = co_await upgrading;
      server.protocol->on_data = [&](std::string_view) { tls_server->write("secret answer"); };
      client.protocol->on_data = [&](std::string_view) { tls->close(); };
      client.trace("upgraded");
      tls->write("secret");
      co_await client.protocol->lost;
      co_await server.protocol->lost;
      told = plain_client.told() + " " + plain_server.told() + " " + client.told() + " " +
             server.told();
    });
    if (hangs_up) {
      CHECK(told ==
            "plain client: made;data b'go ahead'; "
            "plain server: made;data b'starttls';lost none; "
            "client: start_tls ConnectionResetError;lost ConnectionResetError;");
    } else {
      CHECK(told ==
            "plain client: made;data b'go ahead'; plain server: made;data b'starttls'; "
            "client: upgraded;data b'secret answer';eof;lost none; "
            "server: data b'secret';eof;lost none;");
    }
  }
}
