#include "certificates.hpp"

#include <brio/tls/context.hpp>
#include <brio/tls/object.hpp>

#include <doctest/doctest.h>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace brio::tls;
using brio::tests::localhost_certificate;
using brio::tests::make_certificate;
using brio::tests::TestCertificate;

namespace {

using Object = std::unique_ptr<SSLObject>;

std::shared_ptr<SSLContext> server_context(
    const TestCertificate& certificate = localhost_certificate()) {
  auto context = create_default_context(Role::server);
  context->load_cert_chain_pem(certificate.certificate, certificate.key);
  return context;
}

std::shared_ptr<SSLContext> client_context(
    const TestCertificate& trusted = localhost_certificate()) {
  return create_default_context(Role::client, {.cadata = trusted.certificate});
}

// Moves what `from` has for its peer, in pieces of `step` bytes.
void pass(SSLObject& from, SSLObject& to, std::size_t step = 100000) {
  std::string bytes = from.take_outgoing();
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    to.feed(std::string_view(bytes).substr(at, step));
  }
}

// Runs both handshakes to the end; true when both are done.
bool shake_hands(SSLObject& a, SSLObject& b) {
  for (int round = 0; round < 10; ++round) {
    const bool a_done = a.do_handshake();
    pass(a, b);
    const bool b_done = b.do_handshake();
    pass(b, a);
    if (a_done && b_done) return true;
  }
  return false;
}

std::string read_all(SSLObject& object) {
  std::string all;
  char chunk[1000];
  while (auto count = object.read(chunk, sizeof chunk)) {
    if (*count == 0) return all + "<end>";
    all.append(chunk, *count);
  }
  return all;
}

struct Ends {
  Object client;
  Object server;
};

Ends connected(const std::shared_ptr<SSLContext>& client = client_context(),
               const std::shared_ptr<SSLContext>& server = server_context()) {
  Ends ends{client->wrap("localhost"), server->wrap()};
  REQUIRE(shake_hands(*ends.client, *ends.server));
  return ends;
}

// What the client's handshake says of the server.
std::string handshake_error(const std::shared_ptr<SSLContext>& client,
                            const std::shared_ptr<SSLContext>& server,
                            const std::string& hostname = "localhost") {
  const Object a = client->wrap(hostname);
  const Object b = server->wrap();
  try {
    shake_hands(*a, *b);
  } catch (const brio::OSError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("tls: handshake, both directions, close_notify from both") {
  Ends ends = connected();
  CHECK(ends.client->version() == "TLSv1.3");
  CHECK(ends.client->cipher()->protocol == "TLSv1.3");
  CHECK(ends.client->cipher()->secret_bits >= 128);
  CHECK_FALSE(ends.client->server_side());
  CHECK(ends.server->server_side());
  CHECK(ends.client->handshake_done());
  CHECK(ends.client->selected_alpn_protocol().empty());

  CHECK(ends.client->write("hello") == 5);
  pass(*ends.client, *ends.server);
  CHECK(read_all(*ends.server) == "hello");
  CHECK(ends.server->write(std::string(100000, 'x')) == 100000);
  pass(*ends.server, *ends.client);
  CHECK(read_all(*ends.client) == std::string(100000, 'x'));

  CHECK_FALSE(ends.client->unwrap());
  pass(*ends.client, *ends.server);
  CHECK(read_all(*ends.server) == "<end>");
  CHECK(ends.server->unwrap());
  pass(*ends.server, *ends.client);
  CHECK(ends.client->unwrap());
}

TEST_CASE("tls: records cut into single bytes give the same plain text") {
  const Object client = client_context()->wrap("localhost");
  const Object server = server_context()->wrap();
  for (int round = 0; round < 4; ++round) {
    (void)client->do_handshake();
    pass(*client, *server, 1);
    (void)server->do_handshake();
    pass(*server, *client, 1);
  }
  REQUIRE(client->handshake_done());
  REQUIRE(server->handshake_done());
  (void)client->write("abc");
  (void)client->write(std::string(40000, 'y'));
  const std::string bytes = client->take_outgoing();
  std::string plain;
  for (const char byte : bytes) {
    server->feed(std::string_view(&byte, 1));
    plain += read_all(*server);
  }
  CHECK(plain == "abc" + std::string(40000, 'y'));
}

TEST_CASE("tls: TLS 1.2 works, nothing older is spoken") {
  auto client = client_context();
  client->set_maximum_version(TLSVersion::v1_2);
  Ends ends = connected(client);
  CHECK(ends.client->version() == "TLSv1.2");
  (void)ends.server->write("12");
  pass(*ends.server, *ends.client);
  CHECK(read_all(*ends.client) == "12");

  auto strict = server_context();
  strict->set_minimum_version(TLSVersion::v1_3);
  CHECK(handshake_error(client, strict).find("failed:") != std::string::npos);
}

TEST_CASE("tls: the peer's certificate as values") {
  Ends ends = connected();
  const auto certificate = ends.client->getpeercert();
  REQUIRE(certificate.has_value());
  CHECK(certificate->subject == "CN=localhost");
  CHECK(certificate->issuer == "CN=localhost");
  CHECK(certificate->dns_names == std::vector<std::string>{"localhost"});
  CHECK(certificate->ip_addresses == std::vector<std::string>{"127.0.0.1"});
  CHECK(certificate->not_before < certificate->not_after);
  CHECK_FALSE(certificate->serial_number.empty());
  CHECK(certificate->der.size() > 100);
  CHECK_FALSE(ends.server->getpeercert().has_value());
}

TEST_CASE("tls: an unknown issuer is refused by name of the reason") {
  const TestCertificate other = make_certificate({.common_name = "other"});
  CHECK(handshake_error(client_context(other), server_context()) ==
        "TLS handshake with localhost failed: certificate verify failed: self-signed certificate "
        "(CN=localhost)");
  const TestCertificate authority = make_certificate({.common_name = "ca", .alt_names = ""});
  const TestCertificate leaf = make_certificate({.issuer = &authority, .authority = false});
  CHECK(
      handshake_error(client_context(other), server_context(leaf)) ==
      "TLS handshake with localhost failed: certificate verify failed: unable to get local issuer "
      "certificate (CN=localhost, whose issuer CN=ca is not trusted)");
  CHECK(handshake_error(client_context(authority), server_context(leaf)) == "no error");
}

TEST_CASE("tls: the system's certificates do not know ours") {
  CHECK(handshake_error(create_default_context(), server_context()) ==
        "TLS handshake with localhost failed: certificate verify failed: self-signed certificate "
        "(CN=localhost)");
}

TEST_CASE(
    "tls: a host name that the certificate does not hold is refused, with the names it holds") {
  CHECK(handshake_error(client_context(), server_context(), "example.org") ==
        "TLS handshake with example.org failed: certificate verify failed: hostname mismatch, "
        "certificate is not valid for "
        "'example.org' (it names localhost, 127.0.0.1)");
  CHECK(handshake_error(client_context(), server_context(), "127.0.0.2") ==
        "TLS handshake with 127.0.0.2 failed: certificate verify failed: IP address mismatch, "
        "certificate is not valid for "
        "'127.0.0.2' (it names localhost, 127.0.0.1)");
  CHECK(handshake_error(client_context(), server_context(), "127.0.0.1") == "no error");
  const Object client = client_context()->wrap("example.org");
  const Object server = server_context()->wrap();
  try {
    shake_hands(*client, *server);
    FAIL("no error");
  } catch (const SSLCertVerificationError& error) {
    CHECK(error.verify_code() == 62);  // X509_V_ERR_HOSTNAME_MISMATCH
    CHECK(error.code().category() == ssl_category());
  }
  // The alert is ready for the server, which learns why.
  CHECK(client->outgoing_size() > 0);
}

TEST_CASE("tls: an expired and a not yet valid certificate are told apart") {
  const TestCertificate expired = make_certificate({.valid_from = -7200, .valid_until = -3600});
  CHECK(handshake_error(client_context(expired), server_context(expired))
            .find("certificate verify failed: certificate has expired (CN=localhost, on 20") !=
        std::string::npos);
  const TestCertificate early = make_certificate({.valid_from = 3600, .valid_until = 7200});
  CHECK(handshake_error(client_context(early), server_context(early))
            .find("certificate is not yet valid (CN=localhost, valid from 20") !=
        std::string::npos);
}

TEST_CASE("tls: wildcards cover one label and no part of one") {
  const TestCertificate wild =
      make_certificate({.common_name = "w", .alt_names = "DNS:*.example.org,DNS:f*.part.org"});
  const auto server = server_context(wild);
  const auto client = client_context(wild);
  CHECK(handshake_error(client, server, "a.example.org") == "no error");
  CHECK(handshake_error(client, server, "A.EXAMPLE.ORG") == "no error");
  CHECK(handshake_error(client, server, "a.b.example.org") != "no error");
  CHECK(handshake_error(client, server, "example.org") != "no error");
  CHECK(handshake_error(client, server, "foo.part.org") != "no error");
}

TEST_CASE("tls: verification is turned off only in the right order") {
  auto context = SSLContext::create(Role::client);
  CHECK(context->check_hostname());
  CHECK(context->verify_mode() == VerifyMode::required);
  CHECK_THROWS_AS(context->set_verify_mode(VerifyMode::none), brio::ValueError);
  CHECK_THROWS_AS((void)context->wrap(""), brio::ValueError);
  context->set_check_hostname(false);
  context->set_verify_mode(VerifyMode::none);
  CHECK(handshake_error(context, server_context(), "whatever.example") == "no error");
  CHECK(handshake_error(context, server_context(), "") == "no error");
  context->set_check_hostname(true);
  CHECK(context->verify_mode() == VerifyMode::required);
}

TEST_CASE("tls: impossible host names are refused") {
  const auto context = client_context();
  CHECK_THROWS_AS((void)context->wrap(std::string("a\0b", 3)), brio::ValueError);
  CHECK_THROWS_AS((void)context->wrap(".example.org"), brio::ValueError);
}

TEST_CASE("tls: ALPN takes the server's favourite, or nothing when none is shared") {
  auto client = client_context();
  auto server = server_context();
  client->set_alpn_protocols({"http/1.1", "h2"});
  server->set_alpn_protocols({"h2", "http/1.1"});
  Ends ends = connected(client, server);
  CHECK(ends.client->selected_alpn_protocol() == "h2");
  CHECK(ends.server->selected_alpn_protocol() == "h2");

  server->set_alpn_protocols({"spdy/3"});
  Ends without = connected(client, server);
  CHECK(without.client->selected_alpn_protocol().empty());
  CHECK_THROWS_AS(client->set_alpn_protocols({""}), brio::ValueError);
  CHECK_THROWS_AS(client->set_alpn_protocols({std::string(256, 'x')}), brio::ValueError);
}

TEST_CASE("tls: SNI chooses the certificate; an unknown name and a throwing callback refuse") {
  const TestCertificate a = make_certificate({.common_name = "a", .alt_names = "DNS:a.example"});
  const TestCertificate b = make_certificate({.common_name = "b", .alt_names = "DNS:b.example"});
  auto server = server_context(a);
  const std::shared_ptr<SSLContext> second = server_context(b);
  std::string asked;
  server->set_sni_callback([&](std::string_view name) -> std::shared_ptr<const SSLContext> {
    asked = name;
    if (name == "b.example") return second;
    if (name == "a.example" || name.empty()) return server_context(a);
    if (name == "broken.example") throw brio::RuntimeError("broken callback");
    return nullptr;
  });
  CHECK(handshake_error(client_context(b), server, "b.example") == "no error");
  CHECK(asked == "b.example");
  CHECK(handshake_error(client_context(a), server, "a.example") == "no error");
  CHECK(handshake_error(client_context(a), server, "c.example").find("unrecognized name") !=
        std::string::npos);
  const Object client = client_context(a)->wrap("broken.example");
  const Object accepting = server->wrap();
  CHECK_THROWS_AS(shake_hands(*client, *accepting), brio::RuntimeError);
}

TEST_CASE("tls: a server that requires a client certificate gets it or refuses") {
  const TestCertificate authority = make_certificate({.common_name = "ca", .alt_names = ""});
  const TestCertificate mine =
      make_certificate({.common_name = "me", .issuer = &authority, .authority = false});
  auto server = server_context();
  server->load_verify_locations({.cadata = authority.certificate});
  server->set_verify_mode(VerifyMode::required);

  auto client = client_context();
  client->load_cert_chain_pem(mine.certificate, mine.key);
  Ends ends = connected(client, server);
  REQUIRE(ends.server->getpeercert().has_value());
  CHECK(ends.server->getpeercert()->subject == "CN=me");

  CHECK(handshake_error(client_context(), server).find("peer did not return a certificate") !=
        std::string::npos);
}

TEST_CASE("tls: a connection that ends without close_notify is an error, not an end") {
  Ends ends = connected();
  (void)ends.server->write("half");
  pass(*ends.server, *ends.client);
  ends.client->feed_eof();
  char buffer[100];
  CHECK(ends.client->read(buffer, sizeof buffer) == std::optional<std::size_t>(4));
  CHECK_THROWS_AS((void)ends.client->read(buffer, sizeof buffer), SSLEOFError);
}

TEST_CASE("tls: a record cut in the middle is an error too") {
  Ends ends = connected();
  (void)ends.server->write("whole record");
  const std::string bytes = ends.server->take_outgoing();
  ends.client->feed(std::string_view(bytes).substr(0, bytes.size() - 1));
  ends.client->feed_eof();
  char buffer[100];
  CHECK_THROWS_AS((void)ends.client->read(buffer, sizeof buffer), SSLEOFError);
}

TEST_CASE("tls: an end in the handshake is an error") {
  const Object client = client_context()->wrap("localhost");
  CHECK_FALSE(client->do_handshake());
  client->feed_eof();
  CHECK_THROWS_AS((void)client->do_handshake(), SSLEOFError);
}

TEST_CASE("tls: a peer that speaks no TLS") {
  const Object client = client_context()->wrap("localhost");
  CHECK_FALSE(client->do_handshake());
  client->feed("HTTP/1.1 400 Bad Request\r\n\r\n");
  try {
    (void)client->do_handshake();
    FAIL("no error");
  } catch (const SSLError& error) {
    CHECK(std::string(error.what()) ==
          "TLS handshake with localhost failed: wrong version number (the peer answers in plain "
          "HTTP: it speaks no TLS on this port)");
    CHECK(error.reason() == "wrong version number");
  }
}

TEST_CASE("tls: a changed byte is found") {
  Ends ends = connected();
  (void)ends.server->write("genuine");
  std::string bytes = ends.server->take_outgoing();
  bytes[bytes.size() - 3] = static_cast<char>(bytes[bytes.size() - 3] ^ 1);
  ends.client->feed(bytes);
  char buffer[100];
  CHECK_THROWS_AS((void)ends.client->read(buffer, sizeof buffer), SSLError);
}

TEST_CASE("tls: data under way when we close is dropped, and close_notify still arrives") {
  Ends ends = connected();
  CHECK_FALSE(ends.client->unwrap());
  (void)ends.server->write("late");
  pass(*ends.server, *ends.client);
  CHECK_FALSE(ends.client->unwrap());
  pass(*ends.client, *ends.server);
  CHECK(read_all(*ends.server) == "<end>");
  CHECK(ends.server->unwrap());
  pass(*ends.server, *ends.client);
  CHECK(ends.client->unwrap());
}

TEST_CASE("tls: writing after close is an error") {
  Ends ends = connected();
  (void)ends.client->unwrap();
  CHECK_THROWS_AS((void)ends.client->write("x"), SSLError);
}

TEST_CASE("tls: certificates and keys that do not fit leave the context as it was") {
  auto server = server_context();
  const TestCertificate other = make_certificate({.common_name = "other"});
  CHECK_THROWS_AS(server->load_cert_chain_pem(other.certificate, localhost_certificate().key),
                  SSLError);
  CHECK_THROWS_AS(server->load_cert_chain_pem("no certificate", other.key), SSLError);
  CHECK_THROWS_AS(server->load_cert_chain_pem(other.certificate, "no key"), SSLError);
  CHECK(handshake_error(client_context(), server) == "no error");
  // And a good pair replaces the old one for the connections to come: a reload.
  server->load_cert_chain_pem(other.certificate, other.key);
  CHECK(handshake_error(client_context(other), server) == "no error");
}

TEST_CASE("tls: keys with a password") {
  const TestCertificate locked = make_certificate({.key_password = "open sesame"});
  auto server = SSLContext::create(Role::server);
  CHECK_THROWS_AS(server->load_cert_chain_pem(locked.certificate, locked.key), SSLError);
  CHECK_THROWS_AS(server->load_cert_chain_pem(locked.certificate, locked.key, "wrong"), SSLError);
  server->load_cert_chain_pem(locked.certificate, locked.key, "open sesame");
  CHECK(handshake_error(client_context(locked), server) == "no error");
}

TEST_CASE("tls: certificates from files") {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("brio-tls-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string both = folder / "both.pem";
  std::ofstream(both) << localhost_certificate().certificate << localhost_certificate().key;
  auto server = SSLContext::create(Role::server);
  server->load_cert_chain(both);
  CHECK(handshake_error(create_default_context(Role::client, {.cafile = both}), server) ==
        "no error");
  CHECK_THROWS_AS(server->load_cert_chain(folder / "missing.pem"), brio::FileNotFoundError);
  CHECK_THROWS_AS(server->load_verify_locations({.cafile = folder / "missing.pem"}),
                  brio::FileNotFoundError);
  const std::string empty = folder / "empty.pem";
  std::ofstream(empty) << "nothing here\n";
  CHECK_THROWS_AS(server->load_verify_locations({.cafile = empty}), SSLError);
  CHECK_THROWS_AS(server->set_ciphers("NO-SUCH-CIPHER"), SSLError);
  std::filesystem::remove_all(folder);
}
