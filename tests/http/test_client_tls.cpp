#include "support.hpp"

#include <brio/tls/context.hpp>

#include <doctest/doctest.h>

using namespace brio;
using namespace brio::tests;
using http::ClientSession;

namespace {

// For 127.0.0.1, self-signed, good for a hundred years; a secret of no worth.
constexpr const char* certificate = R"(-----BEGIN CERTIFICATE-----
MIIBkTCCATagAwIBAgIUCCP72vPtZrackkZANnQRlhwmeFgwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJYnJpbyB0ZXN0MCAXDTI2MTEyMTEwNTczM1oYDzIxMjYxMDI4
MTA1NzMzWjAUMRIwEAYDVQQDDAlicmlvIHRlc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATwR7uoi1zcorDDCYUGF+PN56DWQ4ctmN/nrLiCZWJQp/KiKGlQB+v/
KNrNEqyalf872VxN/fw7wI4I29Htvq7to2QwYjAdBgNVHQ4EFgQUZUpQHocFyWTL
sYEu2SqCrGRjjSswHwYDVR0jBBgwFoAUZUpQHocFyWTLsYEu2SqCrGRjjSswDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0kAMEYC
IQCDhKFhyzV1wetl0URuBBwKy/UnvWYHd0NQAzjE/ZuAOAIhAJC6CTmAvD7Q/Cax
o6m8y6ddThd+tLGogq8NiF5AlTnK
-----END CERTIFICATE-----
)";
constexpr const char* key = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZ4LepcxYKaD33Kjo
LNcEdPWJnmITNR84FGo2nyu4bBahRANCAATwR7uoi1zcorDDCYUGF+PN56DWQ4ct
mN/nrLiCZWJQp/KiKGlQB+v/KNrNEqyalf872VxN/fw7wI4I29Htvq7t
-----END PRIVATE KEY-----
)";

}  // namespace

TEST_CASE("https: verified, by the context that is given, and kept apart by it") {
  testing::run_test([]() -> Coro<> {
    // Debug mode tells of handshakes that failed on the server's side too.
    get_running_loop().set_exception_handler([](EventLoop&, const ExceptionContext&) {});
    auto context = tls::SSLContext::create(tls::Role::server);
    context->load_cert_chain_pem(certificate, key);
    TestServer server([](const Seen&) { return ok(std::string(100'000, 's')); });
    co_await server.start(context);
    const std::string url = "https" + server.url.substr(4);

    tls::DefaultContextOptions trust;
    trust.cadata = certificate;
    const auto trusting = tls::create_default_context(tls::Role::client, trust);
    auto connector =
        std::make_shared<http::TCPConnector>(http::TCPConnectorOptions{.ssl = trusting});
    ClientSession session({.connector = connector});
    for (int i = 0; i < 2; ++i) {
      auto response = co_await session.get(url);
      const std::string text = co_await response.text();
      CHECK(text.size() == 100'000);
    }
    CHECK(server.connections == 1);
    // Another context does not get a connection that this one has made.
    const auto other = tls::create_default_context(tls::Role::client, trust);
    auto again = co_await session.get(url, {.ssl = other});
    co_await again.read();
    CHECK(server.connections == 2);

    ClientSession careful;
    auto refused = co_await as_outcome(careful.get(url));
    const auto error = refused.error_as<http::ClientConnectorCertificateError>();
    REQUIRE(error.has_value());
    const std::string message = error->what();
    CHECK(message.find("certificate verify failed") != std::string::npos);
    CHECK(message.find("127.0.0.1:" + std::to_string(server.port)) != std::string::npos);
    const std::string plain = co_await thrown(session.get(server.url));
    CHECK(plain != "nothing");  // HTTP to a TLS port

    co_await careful.close();
    co_await session.close();
    co_await server.stop();
  });
}

TEST_CASE("https to a server that speaks no TLS") {
  testing::run_test([]() -> Coro<> {
    // As a web server does that cannot make sense of a greeting.
    const auto server = co_await start_server(
        [](StreamReader reader, StreamWriter writer) -> Coro<> {
          const std::string greeting = co_await reader.read(1);
          writer.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
          co_await writer.drain();
          writer.close();
        },
        "127.0.0.1", 0);
    ClientSession session;
    auto outcome = co_await as_outcome(session.get(
        "https://127.0.0.1:" + std::to_string(server->sockets().front().getsockname().port())));
    const auto error = outcome.error_as<http::ClientConnectorSSLError>();
    REQUIRE(error.has_value());
    CHECK(std::string(error->what()).find("wrong version number") != std::string::npos);
    co_await session.close();
    server->close();
    co_await server->wait_closed();
  });
}
