// TLS on the loop: connections, servers, upgrades, and how they end.
#include "../net/reset_relay.hpp"
#include "../net/support.hpp"
#include "certificates.hpp"

#include <brio/tls/context.hpp>
#include <brio/tls/object.hpp>

using namespace brio;
using namespace std::chrono_literals;
using brio::tests::caught;
using brio::tests::localhost_certificate;
using brio::tests::RecordingProtocol;
using brio::tests::ticks;
using brio::tests::Trace;
using brio::tests::until;

namespace {

std::shared_ptr<tls::SSLContext> server_context() {
  auto context = tls::create_default_context(tls::Role::server);
  context->load_cert_chain_pem(localhost_certificate().certificate, localhost_certificate().key);
  return context;
}

std::shared_ptr<tls::SSLContext> client_context() {
  return tls::create_default_context(tls::Role::client,
                                     {.cadata = localhost_certificate().certificate});
}

int port_of(const std::shared_ptr<Server>& server) {
  return server->sockets()[0].getsockname().port();
}

Coro<> echo(StreamReader r, StreamWriter w) {
  while (true) {
    std::string data = co_await r.read(100000);
    if (data.empty()) break;
    w.write(std::move(data));
    co_await w.drain();
  }
  w.close();
}

}  // namespace

TEST_CASE("tls streams: an echo, and what was agreed") {
  Trace ev;
  run([&]() -> Coro<> {
    auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = server_context()});
    auto [r, w] = co_await open_connection(
        "127.0.0.1", port_of(server), {.ssl = client_context(), .server_hostname = "localhost"});
    w.write("hello\n");
    ev(co_await r.readline());
    ev(w.get_extra_info("sslcontext").has_value());
    ev(w.get_extra_info<tls::Certificate>("peercert")->subject.c_str());
    ev(w.get_extra_info<tls::Cipher>("cipher")->protocol.c_str());
    ev((*w.get_extra_info<const tls::SSLObject*>("ssl_object"))->version().c_str());
    ev(w.get_extra_info<net::SocketAddress>("peername")->port() == port_of(server));
    ev(w.can_write_eof());
    w.close();
    co_await w.wait_closed();
    ev("closed", w.get_extra_info("truncated").has_value());
    server->close();
    co_await server->wait_closed();
  });
  CHECK(ev.str() ==
        "b'hello\\n'\nTrue\nCN=localhost\nTLSv1.3\nTLSv1.3\nTrue\nFalse\nclosed True\n");
}

TEST_CASE("tls streams: megabytes both ways through drain") {
  bool same = false;
  run([&]() -> Coro<> {
    auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = server_context()});
    auto [r, w] = co_await open_connection(
        "127.0.0.1", port_of(server), {.ssl = client_context(), .server_hostname = "127.0.0.1"});
    std::string sent;
    for (int i = 0; sent.size() < 5'000'000; ++i) sent += std::to_string(i) + ",";
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
    server->close();
  });
  CHECK(same);
}

TEST_CASE("tls streams: a certificate that is not trusted, or names another host, is refused") {
  Trace ev;
  std::string text;
  run(
      [&]() -> Coro<> {
        tests::trap(ev);
        auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = server_context()});
        auto outcome = co_await as_outcome(open_connection(
            "127.0.0.1", port_of(server),
            {.ssl = tls::create_default_context(), .server_hostname = "localhost"}));
        ev(outcome.error());
        text = describe(outcome.error());
        outcome = co_await as_outcome(
            open_connection("127.0.0.1", port_of(server),
                            {.ssl = client_context(), .server_hostname = "example.org"}));
        ev(outcome.error());
        text += "\n" + describe(outcome.error());
        // The host itself is the name to check, where none is given.
        auto [r, w] =
            co_await open_connection("127.0.0.1", port_of(server), {.ssl = client_context()});
        ev("connected");
        w.close();
        server->close();
        co_await server->wait_closed();
      },
      {.debug = false});
  CHECK(ev.str() == "SSLCertVerificationError\nSSLCertVerificationError\nconnected\n");
  // The texts in full are in test_errors.cpp.
  CHECK(text.find("certificate verify failed: self-signed certificate") != std::string::npos);
  CHECK(text.find("certificate is not valid for 'example.org' (it names localhost, 127.0.0.1)") !=
        std::string::npos);
}

TEST_CASE("tls streams: a server learns from the client's alert why it was refused") {
  std::string text;
  run(
      [&]() -> Coro<> {
        get_running_loop().set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
          text = context.message + ": " + describe(context.exception);
        });
        auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = server_context()});
        const auto outcome = co_await as_outcome(open_connection(
            "127.0.0.1", port_of(server),
            {.ssl = tls::create_default_context(), .server_hostname = "localhost"}));
        (void)outcome;
        co_await until([&] { return !text.empty(); });
        server->close();
      },
      {.debug = true});
  CHECK(text.starts_with("Error on transport creation for incoming connection: TLS handshake"));
  CHECK(text.find("tlsv1 alert unknown ca (the peer refused our certificate") != std::string::npos);
}

TEST_CASE("tls streams: options that make no sense are refused at once") {
  Trace ev;
  run([&]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    for (ConnectionOptions options :
         {ConnectionOptions{.server_hostname = "x"}, ConnectionOptions{.ssl_handshake_timeout = 1s},
          ConnectionOptions{.ssl_shutdown_timeout = 1s},
          ConnectionOptions{.ssl = client_context(), .ssl_handshake_timeout = 0s},
          ConnectionOptions{.ssl = server_context()}}) {
      const auto outcome = co_await as_outcome(open_connection("127.0.0.1", 1, options));
      ev(outcome.error());
    }
    const auto outcome =
        co_await as_outcome(open_connection(std::move(a), {.ssl = client_context()}));
    ev(outcome.error());
  });
  // The fourth and fifth are found after the connection: nobody listens on port 1.
  CHECK(ev.str() ==
        "ValueError\nValueError\nValueError\nConnectionRefusedError\n"
        "ConnectionRefusedError\nValueError\n");
}

TEST_CASE("tls streams: start_tls on both sides, nothing lost (scenario 723)") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto sc = server_context();
    const auto cc = client_context();
    const auto handler = [&](StreamReader r, StreamWriter w) -> Coro<> {
      ev("server plain", co_await r.readline());
      w.write("go ahead\n");
      co_await w.start_tls(sc);
      ev("server secure", co_await r.readline());
      w.write("bye\n");
      co_await w.drain();
      w.close();
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
    w.write("starttls\n");
    ev("client plain", co_await r.readline());
    ev("encrypted", w.get_extra_info("sslcontext").has_value());
    co_await w.start_tls(cc, {.server_hostname = "localhost"});
    ev("encrypted", w.get_extra_info("sslcontext").has_value());
    w.write("secret\n");
    const std::string line = co_await r.readline();
    ev("client secure", line, co_await r.read());
    w.close();
    server->close();
  });
  CHECK(ev.str() ==
        "server plain b'starttls\\n'\nclient plain b'go ahead\\n'\nencrypted False\n"
        "encrypted True\nserver secure b'secret\\n'\nclient secure b'bye\\n' b''\n");
}

TEST_CASE("tls streams: TLS begun in the packet of the last plain line is not lost") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto sc = server_context();
    const auto handler = [&](StreamReader r, StreamWriter w) -> Coro<> {
      ev("plain", co_await r.readline());
      co_await w.start_tls(sc);
      w.write(co_await r.readline());
      w.close();
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    // A client by hand, so that its hello rides behind the line.
    net::Socket sock(AF_INET);
    co_await sock_connect(sock, "127.0.0.1", port_of(server));
    const auto object = client_context()->wrap("localhost");
    (void)object->do_handshake();
    co_await sock_sendall(sock, "starttls\n" + object->take_outgoing());
    while (!object->do_handshake()) object->feed(co_await sock_recv(sock, 65536));
    (void)object->write("secret\n");
    co_await sock_sendall(sock, object->take_outgoing());
    char answer[100];
    std::optional<std::size_t> count;
    while (!(count = object->read(answer, sizeof answer))) {
      object->feed(co_await sock_recv(sock, 65536));
    }
    ev("answer", std::string(answer, *count));
    server->close();
  });
  CHECK(ev.str() == "plain b'starttls\\n'\nanswer b'secret\\n'\n");
}

TEST_CASE("tls streams: TLS in TLS") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto sc = server_context();
    const auto cc = client_context();
    const auto handler = [&](StreamReader r, StreamWriter w) -> Coro<> {
      ev("outer", co_await r.readline());
      w.write("ok\n");
      co_await w.start_tls(sc);
      w.write(co_await r.readline());
      w.close();
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0, {.ssl = sc});
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server),
                                           {.ssl = cc, .server_hostname = "localhost"});
    w.write("begin\n");
    (void)co_await r.readline();
    co_await w.start_tls(cc, {.server_hostname = "localhost"});
    w.write("inner\n");
    const std::string line = co_await r.readline();
    ev(line, co_await r.read());
    w.close();
    co_await w.wait_closed();
    server->close();
  });
  CHECK(ev.str() == "outer b'begin\\n'\nb'inner\\n' b''\n");
}

TEST_CASE("tls transports: the order of events on both sides") {
  Trace ev;
  run([&]() -> Coro<> {
    auto sp = std::make_shared<RecordingProtocol>(ev, "server");
    auto cp = std::make_shared<RecordingProtocol>(ev, "client");
    sp->on_data = [&](std::string_view) { sp->transport->write("answer"); };
    cp->on_data = [&](std::string_view) { cp->transport->close(); };
    auto server =
        co_await create_server(tests::always(sp), "127.0.0.1", 0, {.ssl = server_context()});
    // The server's side is done first, or last: TLS 1.3 leaves that to the network. So only the
    // order of each side is looked at.
    Trace client_ev;
    auto client = std::make_shared<RecordingProtocol>(client_ev, "client");
    client->on_data = [&](std::string_view) { client->transport->close(); };
    auto [transport, protocol] =
        co_await create_connection(tests::always(client), "127.0.0.1", port_of(server),
                                   {.ssl = client_context(), .server_hostname = "localhost"});
    client_ev("connected");
    transport->write("question");
    co_await client->lost;
    co_await sp->lost;
    ev(client_ev.str().c_str());
    server->close();
  });
  CHECK(ev.str() ==
        "server made\nserver data b'question'\nserver eof\nserver lost none\n"
        "client made\nconnected\nclient data b'answer'\nclient eof\nclient lost none\n\n");
}

TEST_CASE("tls transports: a connection that ends without close_notify") {
  for (const bool suppress : {true, false}) {
    CAPTURE(suppress);
    Trace ev;
    std::string text;
    run([&]() -> Coro<> {
      // A server by hand that shakes hands, sends a little and hangs up.
      net::Socket listener = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
      listener.listen();
      const auto rude = [](net::Socket& at, std::shared_ptr<tls::SSLContext> context) -> Coro<> {
        auto [sock, peer] = co_await sock_accept(at);
        const auto object = context->wrap();
        while (!object->do_handshake()) {
          co_await sock_sendall(sock, object->take_outgoing());
          object->feed(co_await sock_recv(sock, 65536));
        }
        (void)object->write("half an answer");
        co_await sock_sendall(sock, object->take_outgoing());
      };
      auto serving = create_task(rude(listener, server_context()));
      const auto context = client_context();
      context->set_suppress_ragged_eofs(suppress);
      auto client = std::make_shared<RecordingProtocol>(ev);
      const auto [transport, protocol] = co_await create_connection(
          tests::always(client), "127.0.0.1", listener.getsockname().port(),
          {.ssl = context, .server_hostname = "localhost"});
      co_await client->lost;
      co_await serving;
      ev("truncated", *transport->get_extra_info<bool>("truncated"));
    });
    if (suppress) {
      CHECK(ev.str() == "made\ndata b'half an answer'\neof\nlost none\ntruncated True\n");
    } else {
      CHECK(ev.str() == "made\ndata b'half an answer'\nlost SSLEOFError\ntruncated True\n");
    }
  }
}

TEST_CASE("tls transports: a peer that speaks no TLS, and one that hangs up in the handshake") {
  Trace ev;
  run([&]() -> Coro<> {
    for (const char* answer : {"HTTP/1.1 400 Bad Request\r\n\r\n", ""}) {
      const auto handler = [answer](StreamReader r, StreamWriter w) -> Coro<> {
        (void)co_await r.read(1);
        w.write(answer);
        w.close();
      };
      auto server = co_await start_server(handler, "127.0.0.1", 0);
      const auto outcome = co_await as_outcome(open_connection(
          "127.0.0.1", port_of(server), {.ssl = client_context(), .server_hostname = "localhost"}));
      ev(outcome.error());
      server->close();
    }
  });
  CHECK(ev.str().starts_with("SSLError\nConnectionRes"));
}

TEST_CASE("tls transports: paused reading holds back, resumed reading delivers") {
  Trace ev;
  run([&]() -> Coro<> {
    Trace server_ev;
    auto sp = std::make_shared<RecordingProtocol>(server_ev, "server");
    auto server =
        co_await create_server(tests::always(sp), "127.0.0.1", 0, {.ssl = server_context()});
    Trace quiet;
    auto client = std::make_shared<RecordingProtocol>(quiet);
    auto [transport, protocol] =
        co_await create_connection(tests::always(client), "127.0.0.1", port_of(server),
                                   {.ssl = client_context(), .server_hostname = "localhost"});
    co_await until([&] { return sp->transport != nullptr; });
    transport->pause_reading();
    transport->pause_reading();
    ev("reading", transport->is_reading());
    sp->transport->write("one");
    co_await ticks(20);
    ev(client->received);
    transport->resume_reading();
    co_await until([&] { return client->received == "one"; });
    ev(client->received);
    transport->abort();
    co_await client->lost;
    ev("aborted", transport->is_closing());
    co_await sp->lost;
    ev(server_ev.str().c_str());
    server->close();
  });
  CHECK(ev.str() ==
        "reading False\nb''\nb'one'\naborted True\n"
        "server made\nserver eof\nserver lost none\n\n");
}

TEST_CASE("tls transports: water marks at 512 KiB, and a flood is paused and resumed") {
  Trace ev;
  std::size_t got = 0;
  run([&]() -> Coro<> {
    Trace quiet;
    auto sp = std::make_shared<RecordingProtocol>(quiet);
    sp->trace_data = false;
    sp->on_made = [&] { sp->transport->pause_reading(); };
    sp->on_data = [&](std::string_view data) { got += data.size(); };
    auto server =
        co_await create_server(tests::always(sp), "127.0.0.1", 0, {.ssl = server_context()});
    Trace client_ev;
    auto client = std::make_shared<RecordingProtocol>(client_ev);
    bool paused = false;
    client->on_pause = [&] { paused = true; };
    client->on_resume = [&] { paused = false; };
    auto [transport, protocol] =
        co_await create_connection(tests::always(client), "127.0.0.1", port_of(server),
                                   {.ssl = client_context(), .server_hostname = "localhost"});
    const WriteBufferLimits limits = transport->get_write_buffer_limits();
    ev("limits", limits.low, limits.high);
    co_await until([&] { return sp->transport != nullptr; });
    std::size_t sent = 0;
    while (!paused) {
      transport->write(std::string(50000, 'x'));
      sent += 50000;
      co_await ticks(1);
    }
    ev("paused", transport->get_write_buffer_size() >= limits.high);
    sp->transport->resume_reading();
    co_await until([&] { return got == sent; });
    ev("resumed", !paused);
    transport->close();
    co_await client->lost;
    ev(client_ev.str().c_str());
    server->close();
  });
  CHECK(ev.str() ==
        "limits 131072 524288\npaused True\nresumed True\n"
        "made\npause\nresume\neof\nlost none\n\n");
}

TEST_CASE("tls transports: what was written before close arrives, also by megabytes") {
  std::size_t got = 0;
  run([&]() -> Coro<> {
    const auto handler = [](StreamReader, StreamWriter w) {
      w.write(std::string(3'000'000, 'x'));
      w.close();
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0, {.ssl = server_context()});
    auto [r, w] = co_await open_connection(
        "127.0.0.1", port_of(server), {.ssl = client_context(), .server_hostname = "localhost"});
    got = (co_await r.read()).size();
    server->close();
  });
  CHECK(got == 3'000'000);
}

TEST_CASE("tls transports: an error thrown by data_received is reported and ends the connection") {
  Trace ev;
  run([&]() -> Coro<> {
    tests::trap(ev);
    Trace quiet;
    auto sp = std::make_shared<RecordingProtocol>(quiet);
    auto server =
        co_await create_server(tests::always(sp), "127.0.0.1", 0, {.ssl = server_context()});
    auto client = std::make_shared<RecordingProtocol>(ev);
    client->trace_data = false;
    client->on_data = [](std::string_view) { throw tests::Boom("data"); };
    auto [transport, protocol] =
        co_await create_connection(tests::always(client), "127.0.0.1", port_of(server),
                                   {.ssl = client_context(), .server_hostname = "localhost"});
    co_await until([&] { return sp->transport != nullptr; });
    sp->transport->write("x");
    co_await client->lost;
    ev("closing", transport->is_closing());
    server->close();
    co_await server->wait_closed();
  });
  CHECK(ev.str() ==
        "made\nHANDLER Fatal error on SSL protocol Boom(data)\nlost Boom(data)\nclosing True\n");
}

TEST_CASE("tls transports: a cancelled connect in the handshake closes its socket") {
  Trace ev;
  run([&]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    auto task = create_task(
        open_connection(std::move(a), {.ssl = client_context(), .server_hostname = "localhost"}));
    co_await ticks(5);
    (void)co_await sock_recv(b, 65536);  // the client's hello
    task.cancel();
    ev((co_await as_outcome(AnyFuture(task))).error());
    ev(co_await sock_recv(b, 65536));
  });
  CHECK(ev.str() == "CancelledError\nb''\n");
}

TEST_CASE("tls transports: a BufferedProtocol reads into its own memory") {
  class Collector : public BufferedProtocol {
  public:
    std::span<char> get_buffer(std::ptrdiff_t) override { return memory; }
    void buffer_updated(std::size_t count) override { all.append(memory, count); }
    void connection_lost(std::exception_ptr) override { lost.set_result(); }
    char memory[1000];
    std::string all;
    Future<> lost = create_future();
  };
  std::string all;
  run([&]() -> Coro<> {
    const auto handler = [](StreamReader, StreamWriter w) {
      w.write(std::string(100'000, 'b'));
      w.close();
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0, {.ssl = server_context()});
    auto [transport, protocol] = co_await create_connection(
        [] { return std::make_shared<Collector>(); }, "127.0.0.1", port_of(server),
        {.ssl = client_context(), .server_hostname = "localhost"});
    co_await protocol->lost;
    all = protocol->all;
    server->close();
  });
  CHECK(all == std::string(100'000, 'b'));
}

TEST_CASE("tls servers: close_clients tells the end, and so does a cancelled serve_forever") {
  for (const bool by_cancellation : {false, true}) {
    run([&]() -> Coro<> {
      const auto talk = [](StreamReader r, StreamWriter w) -> Coro<> {
        w.write(std::string(2'000'000, 'x'));
        co_await r.read();
        w.close();
      };
      auto server = co_await start_server(talk, "127.0.0.1", 0, {.ssl = server_context()});
      auto forever = create_task(server->serve_forever());
      auto [r, w] = co_await open_connection(
          "127.0.0.1", port_of(server), {.ssl = client_context(), .server_hostname = "localhost"});
      std::string got = co_await r.readexactly(1000);
      if (by_cancellation) {
        forever.cancel();
      } else {
        server->close_clients();
      }
      got += co_await r.read();
      CHECK(got.size() == 2'000'000);
      CHECK(!*w.get_extra_info<bool>("truncated"));
      w.close();
      server->close();
      co_await server->wait_closed();
      (void)co_await as_outcome(forever);
    });
  }
}

TEST_CASE("tls servers: a client that is cut off in an upload nobody reads leaves nothing behind") {
  for (const bool by_handler : {true, false}) {
    run([&]() -> Coro<> {
      Event full;
      Event go_on;
      const auto handler = [&](StreamReader r, StreamWriter w) -> Coro<> {
        (void)co_await r.readexactly(1);
        full.set();
        co_await go_on.wait();
        if (by_handler) w.close();
        co_await w.wait_closed();
      };
      auto server = co_await start_server(handler, "127.0.0.1", 0, {.ssl = server_context()});
      net::Socket sock(AF_INET);
      co_await sock_connect(sock, "127.0.0.1", port_of(server));
      const auto object = client_context()->wrap("localhost");
      while (!object->do_handshake()) {
        co_await sock_sendall(sock, object->take_outgoing());
        object->feed(co_await sock_recv(sock, 65536));
      }
      (void)object->write(std::string(400'000, 'x'));
      co_await sock_sendall(sock, object->take_outgoing());
      sock.shutdown(SHUT_WR);
      co_await full.wait();
      co_await sleep(1s);
      go_on.set();
      server->close();
      if (!by_handler) server->close_clients();
      co_await wait_for(server->wait_closed(), 10s);
    });
  }
}

TEST_CASE("tls: the loop may end with TLS connections open") {
  Trace ev;
  run([&]() -> Coro<> {
    auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = server_context()});
    auto [r, w] = co_await open_connection(
        "127.0.0.1", port_of(server), {.ssl = client_context(), .server_hostname = "localhost"});
    w.write("hello");
    ev(co_await r.readexactly(5));
  });
  CHECK(ev.str() == "b'hello'\n");
}

TEST_CASE("tls: a peer that resets everywhere in a handshake and an exchange") {
  // Each byte of each record would take a minute under a sanitizer.
  run(tests::reset_everywhere({.ssl = server_context()},
                              {.ssl = client_context(), .server_hostname = "localhost"}, 9));
}
