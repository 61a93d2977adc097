// Sessions resumed, tickets, and what must not be resumed; the key log.
#include "support.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>
#include <utility>

using namespace brio;
using namespace brio::tests;
using tls::SSLSession;
using tls::TLSVersion;
using tls::VerifyMode;

namespace {

using Session = std::shared_ptr<const SSLSession>;

struct Visit {
  bool reused = false;
  Session session;
  std::string subject;  // the server's
};

// One exchange with the server; the session as it is at the end.
Coro<Visit> visit(int port, ContextPtr client, Session session = nullptr,
                  std::string hostname = "localhost") {
  auto [r, w] = co_await open_connection(
      "127.0.0.1", port,
      {.ssl = client, .server_hostname = std::move(hostname), .ssl_session = std::move(session)});
  w.write("hello\n");
  (void)co_await r.readline();
  const tls::SSLObject& object = object_of(w);
  Visit result{object.session_reused(), object.session(), object.getpeercert()->subject};
  w.close();
  co_await w.wait_closed();
  co_return result;
}

std::unique_ptr<tls::SSLObject> shaken(tls::SSLObject& server, const ContextPtr& client,
                                       const Session& session = nullptr) {
  auto object = client->wrap("localhost", session.get());
  for (int round = 0; round < 5; ++round) {
    (void)object->do_handshake();
    server.feed(object->take_outgoing());
    (void)server.do_handshake();
    object->feed(server.take_outgoing());
  }
  char none[1];
  (void)object->read(none, 1);  // the tickets
  return object;
}

}  // namespace

TEST_CASE("tls sessions: resumed in TLS 1.3 and 1.2, and what a session tells") {
  for (const TLSVersion version : {TLSVersion::v1_3, TLSVersion::v1_2}) {
    CAPTURE(static_cast<int>(version));
    Trace ev;
    testing::run_test([&]() -> Coro<> {
      auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = serving()});
      const auto client = trusting();
      client->set_maximum_version(version);
      const Visit first = co_await visit(port_of(server), client);
      ev(first.reused, first.session->resumable(), first.session->has_ticket());
      ev(first.session->server_hostname().c_str(), first.session->timeout().count() > 0,
         first.session->ticket_lifetime_hint().count() > 0);
      const Visit second = co_await visit(port_of(server), client, first.session);
      ev(second.reused, second.session->resumable(), second.subject.c_str());
      const Visit third = co_await visit(port_of(server), client, second.session);
      ev(third.reused);
      // Twice the same one is possible too.
      ev((co_await visit(port_of(server), client, first.session)).reused);
      server->close();
      co_await server->wait_closed();
    });
    CHECK(ev.str() == "False True True\nlocalhost True True\nTrue True CN=localhost\nTrue\nTrue\n");
  }
}

TEST_CASE("tls sessions: a TLS 1.3 session arrives after the handshake") {
  const auto client_context = trusting();
  const auto server = serving()->wrap();
  const auto client = client_context->wrap("localhost");
  CHECK(client->session() == nullptr);
  (void)client->do_handshake();
  server->feed(client->take_outgoing());
  (void)server->do_handshake();
  client->feed(server->take_outgoing());
  REQUIRE(client->do_handshake());
  CHECK_FALSE(client->session()->resumable());
  server->feed(client->take_outgoing());
  REQUIRE(server->do_handshake());
  client->feed(server->take_outgoing());
  char none[1];
  CHECK_FALSE(client->read(none, 1).has_value());
  CHECK(client->session()->resumable());
  CHECK(client->session()->time() > 0);
}

TEST_CASE("tls sessions: num_tickets") {
  const auto context = serving();
  CHECK(context->num_tickets() == 2);
  context->set_num_tickets(0);
  CHECK(context->num_tickets() == 0);
  const auto server = context->wrap();
  CHECK_FALSE(shaken(*server, trusting())->session()->resumable());
  context->set_num_tickets(1);
  const auto again = context->wrap();
  CHECK(shaken(*again, trusting())->session()->resumable());
  CHECK_THROWS_AS(trusting()->set_num_tickets(1), ValueError);
}

TEST_CASE("tls sessions: none from another context, for another host, for a server") {
  const auto server_context = serving();
  const auto client = trusting();
  const auto server = server_context->wrap();
  const Session session = shaken(*server, client)->session();
  REQUIRE(session->resumable());
  CHECK_THROWS_AS((void)trusting()->wrap("localhost", session.get()), ValueError);
  CHECK_THROWS_AS((void)server_context->wrap("", session.get()), ValueError);
  try {
    (void)client->wrap("127.0.0.1", session.get());
    FAIL("no error");
  } catch (const ValueError& error) {
    CHECK(std::string(error.what()) == "the session is one with 'localhost', not with '127.0.0.1'");
  }
  // Begun without verification, it does not pass for a verified one.
  client->set_check_hostname(false);
  client->set_verify_mode(VerifyMode::none);
  const auto other = server_context->wrap();
  const Session unverified = shaken(*other, client)->session();
  CHECK_NOTHROW((void)client->wrap("127.0.0.1", unverified.get()));
  client->set_verify_mode(VerifyMode::required);
  CHECK_THROWS_AS((void)client->wrap("localhost", unverified.get()), ValueError);
  client->set_check_hostname(true);
  CHECK_THROWS_AS((void)client->wrap("localhost", unverified.get()), ValueError);
}

TEST_CASE("tls sessions: ssl_session needs ssl") {
  Trace ev;
  testing::run_test([&]() -> Coro<> {
    const auto server = serving()->wrap();
    const Session session = shaken(*server, trusting())->session();
    const auto outcome =
        co_await as_outcome(open_connection("127.0.0.1", 1, {.ssl_session = session}));
    ev(outcome.error());
  });
  CHECK(ev.str() == "ValueError\n");
}

TEST_CASE("tls sessions: over start_tls, and after a reload of the certificate") {
  Trace ev;
  testing::run_test([&]() -> Coro<> {
    const auto context = serving();
    const auto handler = [context](StreamReader r, StreamWriter w) -> Coro<> {
      (void)co_await r.readline();
      w.write("go ahead\n");
      co_await w.start_tls(context);
      co_await echo(r, w);
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    const auto client = trusting();
    Session session;
    for (int i = 0; i < 2; ++i) {
      auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
      w.write("starttls\n");
      (void)co_await r.readline();
      co_await w.start_tls(client, {.server_hostname = "localhost", .ssl_session = session});
      w.write("hello\n");
      (void)co_await r.readline();
      ev(object_of(w).session_reused());
      session = object_of(w).session();
      w.close();
      co_await w.wait_closed();
      const TestCertificate newer = make_certificate();
      context->reload_cert_chain_pem(newer.certificate, newer.key);
    }
    server->close();
    co_await server->wait_closed();
  });
  CHECK(ev.str() == "False\nTrue\n");
}

TEST_CASE("tls sessions: a client's certificate is known again, and not where it was not shown" *
          counts_transfers()) {
  Trace ev;
  testing::run_test(
      [&]() -> Coro<> {
        const TestCertificate authority = make_certificate({.common_name = "ca", .alt_names = ""});
        const TestCertificate mine =
            make_certificate({.common_name = "me", .issuer = &authority, .authority = false});
        const auto context = serving();
        context->load_verify_locations({.cadata = authority.certificate});
        context->set_verify_mode(VerifyMode::required);
        const auto handler = [&ev](StreamReader r, StreamWriter w) -> Coro<> {
          ev("server sees", w.get_extra_info<tls::Certificate>("peercert")->subject.c_str(),
             object_of(w).session_reused());
          co_await echo(r, w);
        };
        auto server = co_await start_server(handler, "127.0.0.1", 0, {.ssl = context});
        const auto client = trusting();
        client->load_cert_chain_pem(mine.certificate, mine.key);
        const Visit first = co_await visit(port_of(server), client);
        (void)co_await visit(port_of(server), client, first.session);
        server->close();
        co_await server->wait_closed();

        // A server that begins to ask forgets the sessions of before.
        const auto lenient = serving();
        auto second = co_await start_server(echo, "127.0.0.1", 0, {.ssl = lenient});
        const auto anonymous = trusting();
        const Visit before = co_await visit(port_of(second), anonymous);
        lenient->set_verify_mode(VerifyMode::required);
        const auto outcome = co_await as_outcome(visit(port_of(second), anonymous, before.session));
        ev(outcome.error());
        second->close();
        co_await second->wait_closed();
      },
      {.reports_allowed = true});
  CHECK(ev.str() == "server sees CN=me False\nserver sees CN=me True\nSSLError\n");
}

TEST_CASE("tls sessions: a virtual host's session passes no other one's verification" *
          counts_transfers()) {
  // The hole of CVE-2025-23419: a ticket of a host that asks for no certificate, shown to one that
  // does. Names are not compared here, so that nothing but the server stands in the way.
  for (const TLSVersion version : {TLSVersion::v1_3, TLSVersion::v1_2}) {
    CAPTURE(static_cast<int>(version));
    Trace ev;
    testing::run_test(
        [&]() -> Coro<> {
          const auto front = serving();
          const auto open = serving();
          const auto guarded = serving();
          guarded->set_verify_mode(VerifyMode::required);
          front->set_sni_callback(
              [=](std::string_view name) { return name == "guarded.example" ? guarded : open; });
          auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = front});
          const auto client = trusting();
          client->set_check_hostname(false);
          client->set_maximum_version(version);
          const Visit visited = co_await visit(port_of(server), client, nullptr, "open.example");
          ev(visited.session->resumable());
          ev((co_await visit(port_of(server), client, visited.session, "open.example")).reused);
          const auto outcome = co_await as_outcome(
              visit(port_of(server), client, visited.session, "guarded.example"));
          ev(outcome.error());
          server->close();
          co_await server->wait_closed();
        },
        {.reports_allowed = true});
    CHECK(ev.str() == "True\nTrue\nSSLError\n");
  }
}

TEST_CASE(
    "tls: the SNI callback's choice decides versions, ciphers, ALPN and client certificates") {
  Trace ev;
  testing::run_test([&]() -> Coro<> {
    const auto front = serving();
    const auto chosen = serving();
    chosen->set_maximum_version(TLSVersion::v1_2);
    chosen->set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305");
    chosen->set_alpn_protocols({"h2"});
    CHECK(chosen->maximum_version() == TLSVersion::v1_2);
    CHECK(chosen->minimum_version() == TLSVersion::v1_2);
    front->set_alpn_protocols({"http/1.1"});
    // The front itself for those who name nobody; held weakly, or it would hold itself for ever.
    front->set_sni_callback([chosen, weak = std::weak_ptr(front)](std::string_view name) {
      return name.empty() ? weak.lock() : chosen;
    });
    std::vector<bool> same;
    const auto handler = [&](StreamReader r, StreamWriter w) -> Coro<> {
      same.push_back(object_of(w).context() == chosen);
      co_await echo(r, w);
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0, {.ssl = front});
    const auto client = trusting();
    client->set_alpn_protocols({"h2", "http/1.1"});
    for (const char* name : {"localhost", "127.0.0.1"}) {
      auto [r, w] = co_await open_connection("127.0.0.1", port_of(server),
                                             {.ssl = client, .server_hostname = name});
      w.write("x\n");
      (void)co_await r.readline();
      ev(object_of(w).version().c_str(), object_of(w).selected_alpn_protocol().c_str());
      w.close();
      co_await w.wait_closed();
    }
    ev(same.at(0), same.at(1));
    server->close();
    co_await server->wait_closed();
  });
  CHECK(ev.str() == "TLSv1.2 h2\nTLSv1.3 http/1.1\nTrue False\n");
}

TEST_CASE("tls: the key log") {
  const std::string path =
      std::filesystem::temp_directory_path() / ("brio-keys-" + std::to_string(::getpid()));
  const auto client = trusting();
  CHECK(client->keylog_filename().empty());
  client->set_keylog_filename(path);
  CHECK(client->keylog_filename() == path);
  const auto server = serving()->wrap();
  (void)shaken(*server, client);
  client->set_keylog_filename("");
  const auto second = serving()->wrap();
  (void)shaken(*second, client);
  std::ifstream file(path);
  int secrets = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")) ++secrets;
  }
  CHECK(secrets == 1);
  CHECK((std::filesystem::status(path).permissions() & std::filesystem::perms::others_read) ==
        std::filesystem::perms::none);
  std::filesystem::remove(path);
  CHECK_THROWS_AS(client->set_keylog_filename("/no/such/folder/keys"), FileNotFoundError);

  ::setenv("SSLKEYLOGFILE", path.c_str(), 1);
  CHECK(trusting()->keylog_filename() == path);
  ::unsetenv("SSLKEYLOGFILE");
  std::filesystem::remove(path);
}

TEST_CASE("tls: the chain that was sent, and the one that was verified") {
  const TestCertificate root = make_certificate({.common_name = "root", .alt_names = ""});
  const TestCertificate middle =
      make_certificate({.common_name = "middle", .alt_names = "", .issuer = &root});
  const TestCertificate leaf = make_certificate({.issuer = &middle, .authority = false});
  const auto context = tls::create_default_context(tls::Role::server);
  context->load_cert_chain_pem(leaf.certificate + middle.certificate, leaf.key);
  const auto server = context->wrap();
  const auto client = shaken(*server, trusting(root));
  const auto names = [](const std::vector<tls::Certificate>& chain) {
    std::string all;
    for (const tls::Certificate& certificate : chain) all += certificate.subject + " ";
    return all;
  };
  CHECK(names(client->get_unverified_chain()) == "CN=localhost CN=middle ");
  CHECK(names(client->get_verified_chain()) == "CN=localhost CN=middle CN=root ");
  CHECK(server->get_unverified_chain().empty());
}
