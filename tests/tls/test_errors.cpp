// Why a connection failed, told to both sides, with the peer's name.
#include "support.hpp"

#include <doctest/doctest.h>
#include <functional>
#include <regex>
#include <vector>

using namespace brio;
using namespace brio::tests;

namespace {

struct Failure {
  const char* name;
  std::function<void(ContextPtr& server, ContextPtr& client)> arrange;
  const char* hostname;
  const char* client_text;  // "" where the client is not looked at
  const char* server_text;
};

const TestCertificate& authority() {
  static const TestCertificate made = make_certificate({.common_name = "ca", .alt_names = ""});
  return made;
}

const TestCertificate& issued() {
  static const TestCertificate made =
      make_certificate({.issuer = &authority(), .authority = false});
  return made;
}

void serve_with_validity(ContextPtr& server, ContextPtr& client, long from, long until) {
  const TestCertificate own = make_certificate({.valid_from = from, .valid_until = until});
  server = serving(own);
  client = trusting(own);
}

// Ports and times differ from run to run, and OpenSSL 3.2 renamed SSL 3's alerts.
std::string plain(std::string text) {
  text = std::regex_replace(text, std::regex("ssl/tls alert"), "sslv3 alert");
  text = std::regex_replace(text, std::regex(R"(127\.0\.0\.1:\d+)"), "PEER");
  return std::regex_replace(text, std::regex(R"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)"), "TIME");
}

struct Texts {
  std::string client = "no error";
  std::string server = "no error";
};

// Connects and reads: a TLS 1.3 client is told only then what the server did not like.
Coro<> connect_and_read(int port, ContextPtr client, std::string hostname, std::string& text) {
  const auto attempt = [](int at, ContextPtr context, std::string name) -> Coro<> {
    auto [r, w] = co_await open_connection(
        "127.0.0.1", at, {.ssl = std::move(context), .server_hostname = std::move(name)});
    (void)co_await r.read();
    w.close();
  };
  const auto outcome = co_await as_outcome(attempt(port, std::move(client), std::move(hostname)));
  if (!outcome) text = plain(describe(outcome.error()));
}

Texts failure_of(const Failure& failure) {
  Texts texts;
  run(
      [&]() -> Coro<> {
        bool reported = false;
        get_running_loop().set_exception_handler([&](EventLoop&, const ExceptionContext& context) {
          texts.server = plain(describe(context.exception));
          reported = true;
        });
        ContextPtr server_context = serving();
        ContextPtr client = trusting();
        failure.arrange(server_context, client);
        auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = server_context});
        co_await connect_and_read(port_of(server), client, failure.hostname, texts.client);
        co_await until([&] { return reported; });
        server->close();
      },
      {.debug = true});
  return texts;
}

}  // namespace

// An alert that is cut on its way out is dropped with the connection, as in asyncio.
TEST_CASE("tls errors: each names its reason and the peer, on both sides" * counts_transfers()) {
  using tls::TLSVersion;
  using tls::VerifyMode;
  const std::vector<Failure> failures = {
      {"self-signed",
       [](ContextPtr&, ContextPtr& client) { client = tls::create_default_context(); }, "localhost",
       "TLS handshake with localhost (PEER) failed: certificate verify failed: self-signed "
       "certificate (CN=localhost)",
       "TLS handshake with PEER failed: tlsv1 alert unknown ca (the peer refused our certificate: "
       "it trusts nobody who issued it)"},
      {"unknown authority", [](ContextPtr& server, ContextPtr&) { server = serving(issued()); },
       "localhost",
       "TLS handshake with localhost (PEER) failed: certificate verify failed: unable to get local "
       "issuer certificate (CN=localhost, whose issuer CN=ca is not trusted)",
       "TLS handshake with PEER failed: tlsv1 alert unknown ca (the peer refused our certificate: "
       "it trusts nobody who issued it)"},
      {"expired",
       [](ContextPtr& server, ContextPtr& client) {
         serve_with_validity(server, client, -7200, -3600);
       },
       "localhost",
       "TLS handshake with localhost (PEER) failed: certificate verify failed: certificate has "
       "expired (CN=localhost, on TIME UTC)",
       "TLS handshake with PEER failed: sslv3 alert certificate expired (the peer refused our "
       "certificate: it has expired, or is not valid yet)"},
      {"not yet valid",
       [](ContextPtr& server, ContextPtr& client) {
         serve_with_validity(server, client, 3600, 7200);
       },
       "localhost",
       "TLS handshake with localhost (PEER) failed: certificate verify failed: certificate is not "
       "yet valid (CN=localhost, valid from TIME UTC)",
       "TLS handshake with PEER failed: sslv3 alert bad certificate (the peer refused our "
       "certificate: it is not one for this host or purpose)"},
      {"another host's", [](ContextPtr&, ContextPtr&) {}, "example.org",
       "TLS handshake with example.org (PEER) failed: certificate verify failed: hostname "
       "mismatch, certificate is not valid for 'example.org' (it names localhost, 127.0.0.1)",
       "TLS handshake with PEER failed: sslv3 alert bad certificate (the peer refused our "
       "certificate: it is not one for this host or purpose)"},
      {"another address's", [](ContextPtr&, ContextPtr&) {}, "127.0.0.2",
       "TLS handshake with 127.0.0.2 (PEER) failed: certificate verify failed: IP address "
       "mismatch, certificate is not valid for '127.0.0.2' (it names localhost, 127.0.0.1)",
       "TLS handshake with PEER failed: sslv3 alert bad certificate (the peer refused our "
       "certificate: it is not one for this host or purpose)"},
      {"no client certificate, TLS 1.3",
       [](ContextPtr& server, ContextPtr&) { server->set_verify_mode(VerifyMode::required); },
       "localhost",
       "TLS read from localhost (PEER) failed: tlsv13 alert certificate required (the peer "
       "refused: it requires a client certificate)",
       "TLS handshake with PEER failed: peer did not return a certificate (the client showed "
       "none, and one is required)"},
      {"no client certificate, TLS 1.2",
       [](ContextPtr& server, ContextPtr& client) {
         server->set_verify_mode(VerifyMode::required);
         client->set_maximum_version(TLSVersion::v1_2);
       },
       "localhost",
       "TLS handshake with localhost (PEER) failed: sslv3 alert handshake failure (the peer "
       "refused: no cipher in common, or it requires a client certificate)",
       "TLS handshake with PEER failed: peer did not return a certificate (the client showed "
       "none, and one is required)"},
      {"a client certificate of an unknown authority",
       [](ContextPtr& server, ContextPtr& client) {
         server->set_verify_mode(VerifyMode::optional);
         client->load_cert_chain_pem(issued().certificate, issued().key);
       },
       "localhost",
       "TLS read from localhost (PEER) failed: tlsv1 alert unknown ca (the peer refused our "
       "certificate: it trusts nobody who issued it)",
       "TLS handshake with PEER failed: certificate verify failed: unable to get local issuer "
       "certificate (CN=localhost, whose issuer CN=ca is not trusted)"},
      {"a client too old",
       [](ContextPtr& server, ContextPtr& client) {
         server->set_minimum_version(TLSVersion::v1_3);
         client->set_maximum_version(TLSVersion::v1_2);
       },
       "localhost",
       "TLS handshake with localhost (PEER) failed: tlsv1 alert protocol version (the peer "
       "refused: it speaks none of our TLS versions)",
       "TLS handshake with PEER failed: unsupported protocol (the peer speaks none of the TLS "
       "versions allowed here)"},
      {"a server too old",
       [](ContextPtr& server, ContextPtr& client) {
         server->set_maximum_version(TLSVersion::v1_2);
         client->set_minimum_version(TLSVersion::v1_3);
       },
       "localhost",
       "TLS handshake with localhost (PEER) failed: tlsv1 alert protocol version (the peer "
       "refused: it speaks none of our TLS versions)",
       "TLS handshake with PEER failed: unsupported protocol (the peer speaks none of the TLS "
       "versions allowed here)"},
      {"no cipher in common",
       [](ContextPtr& server, ContextPtr& client) {
         client->set_maximum_version(TLSVersion::v1_2);
         client->set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256");
         server->set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384");
       },
       "localhost",
       "TLS handshake with localhost (PEER) failed: sslv3 alert handshake failure (the peer "
       "refused: no cipher in common, or it requires a client certificate)",
       "TLS handshake with PEER failed: no shared cipher (client and server have none in common, "
       "or the server has no certificate)"},
      {"no cipher in common, TLS 1.3",
       [](ContextPtr& server, ContextPtr& client) {
         client->set_minimum_version(TLSVersion::v1_3);
         client->set_ciphersuites("TLS_AES_128_GCM_SHA256");
         server->set_ciphersuites("TLS_AES_256_GCM_SHA384");
       },
       "localhost",
       "TLS handshake with localhost (PEER) failed: sslv3 alert handshake failure (the peer "
       "refused: no cipher in common, or it requires a client certificate)",
       "TLS handshake with PEER failed: no shared cipher (client and server have none in common, "
       "or the server has no certificate)"},
      {"a server without a certificate",
       [](ContextPtr& server, ContextPtr&) {
         server = tls::create_default_context(tls::Role::server);
       },
       "localhost",
       "TLS handshake with localhost (PEER) failed: sslv3 alert handshake failure (the peer "
       "refused: no cipher in common, or it requires a client certificate)",
       "TLS handshake with PEER failed: no shared cipher (client and server have "
       "none in common, or the server has no certificate)"},
      {"a host that is not served",
       [](ContextPtr& server, ContextPtr&) {
         server->set_sni_callback([](std::string_view) { return nullptr; });
       },
       "localhost",
       "TLS handshake with localhost (PEER) failed: tlsv1 unrecognized name (the peer serves no "
       "host of that name)",
       "TLS handshake with PEER failed: unrecognized name 'localhost' (the SNI callback knows no "
       "context for it)"},
  };
  for (const Failure& failure : failures) {
    CAPTURE(failure.name);
    const Texts texts = failure_of(failure);
    CHECK(texts.client == failure.client_text);
    CHECK(texts.server == failure.server_text);
  }
}

TEST_CASE("tls errors: a server that speaks something else is told from one that hangs up") {
  const std::vector<std::pair<std::string, std::string>> answers = {
      {"HTTP/1.1 400 Bad Request\r\n\r\n",
       "TLS handshake with localhost (PEER) failed: wrong version number (the peer answers in "
       "plain HTTP: it speaks no TLS on this port)"},
      {"220 mail.example ESMTP\r\n",
       "TLS handshake with localhost (PEER) failed: wrong version number (the peer speaks no TLS "
       "on this port, or only after start_tls)"},
      {"", "TLS handshake with localhost (PEER) failed: the peer closed the connection"},
  };
  for (const auto& [answer, expected] : answers) {
    CAPTURE(answer);
    std::string text;
    run([&]() -> Coro<> {
      const auto handler = [&](StreamReader r, StreamWriter w) -> Coro<> {
        // All of the hello, so that closing sends no reset.
        const std::string header = co_await r.readexactly(5);
        const auto rest =
            static_cast<unsigned char>(header[3]) << 8 | static_cast<unsigned char>(header[4]);
        (void)co_await r.readexactly(static_cast<std::size_t>(rest));
        w.write(answer);
        w.close();
      };
      auto server = co_await start_server(handler, "127.0.0.1", 0);
      co_await connect_and_read(port_of(server), trusting(), "localhost", text);
      server->close();
    });
    CHECK(text == expected);
  }
}

TEST_CASE("tls errors: a client that speaks plain HTTP to a TLS port") {
  const std::vector<std::pair<std::string, std::string>> requests = {
      {"GET / HTTP/1.1\r\n\r\n",
       "TLS handshake with PEER failed: http request (the client speaks plain HTTP to this TLS "
       "port)"},
      {"CONNECT a:1 HTTP/1.1\r\n\r\n",
       "TLS handshake with PEER failed: https proxy request (the client speaks plain HTTP to this "
       "TLS port, and takes it for a proxy)"},
      {"hello, who is there?\n",
       "TLS handshake with PEER failed: wrong version number (the peer speaks no TLS on this "
       "port, or only after start_tls)"},
  };
  for (const auto& [request, expected] : requests) {
    CAPTURE(request);
    std::string text;
    run(
        [&]() -> Coro<> {
          get_running_loop().set_exception_handler(
              [&](EventLoop&, const ExceptionContext& context) {
                text = plain(describe(context.exception));
              });
          auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = serving()});
          auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
          w.write(request);
          (void)co_await as_outcome(r.read());
          co_await until([&] { return !text.empty(); });
          w.close();
          server->close();
        },
        {.debug = true});
    CHECK(text == expected);
  }
}

TEST_CASE("tls errors: what a peer writes into its certificate reaches no terminal") {
  const TestCertificate own =
      make_certificate({.common_name = "x", .alt_names = "DNS:\x1b[31mred\n.example"});
  std::string text;
  run([&]() -> Coro<> {
    auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = serving(own)});
    co_await connect_and_read(port_of(server), trusting(own), "localhost", text);
    server->close();
  });
  CHECK(text.find("(it names \\x1b[31mred") != std::string::npos);
  CHECK(text.find('\n') == std::string::npos);
}

TEST_CASE("tls errors: a connection over a socket pair has no address to name") {
  std::string text;
  run([&]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    const auto answering = [](net::Socket& sock) -> Coro<> {
      (void)co_await sock_recv(sock, 65536);
      co_await sock_sendall(sock, "no TLS here");
    };
    auto task = create_task(answering(b));
    const auto outcome = co_await as_outcome(
        open_connection(std::move(a), {.ssl = trusting(), .server_hostname = "a.example"}));
    co_await task;
    text = describe(outcome.error());
  });
  CHECK(text ==
        "TLS handshake with a.example failed: wrong version number (the peer speaks no TLS on "
        "this port, or only after start_tls)");
}
