// What the server's tests share: a server on loopback, and a client that is nothing but a stream.
#pragma once

#include <brio/core/outcome.hpp>
#include <brio/http/server.hpp>
#include <brio/net/streams.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

namespace brio::tests {

/// A connection to a server under test.
struct Wire {
  StreamReader reader;
  StreamWriter writer;

  static Coro<Wire> open(const http::Server& server) {
    auto [reader, writer] = co_await open_connection("127.0.0.1", server.port());
    co_return Wire{std::move(reader), std::move(writer)};
  }
  void send(std::string_view bytes) { writer.write(bytes); }
  /// Everything up to the end of the connection.
  Coro<std::string> rest() { co_return co_await reader.read(); }
  /// One response with its head; its body by Content-Length.
  Coro<std::string> response() {
    std::string text = co_await reader.readuntil("\r\n\r\n");
    const std::size_t at = text.find("Content-Length: ");
    if (at != std::string::npos)
      text += co_await reader.readexactly(std::stoi(text.substr(at + 16)));
    co_return text;
  }
};

/// For a test that says what leaves in one write, or what has left before a connection is cut: not
/// over an engine that cuts and delays (tests/faults.cpp).
inline doctest::skip counts_transfers() {
  return doctest::skip(std::getenv("BRIO_TEST_FAULTS") != nullptr);
}

/// `text` without its Date fields, which no test can foresee.
inline std::string without_date(std::string text) {
  while (true) {
    const std::size_t at = text.find("Date: ");
    if (at == std::string::npos) return text;
    text.erase(at, text.find("\r\n", at) + 2 - at);
  }
}

/// Runs `body(server)` against a server that answers with `handler`, on a virtual clock.
inline void with_http_server(http::Handler handler, http::ServerOptions options,
                             std::function<Coro<>(http::Server&)> body,
                             testing::TestOptions test = {}) {
  testing::run_test(
      [](http::Handler h, http::ServerOptions o, std::function<Coro<>(http::Server&)> b) -> Coro<> {
        http::Server server(std::move(h), std::move(o));
        co_await server.listen("127.0.0.1", 0);
        auto outcome = co_await as_outcome(b(server));
        co_await server.shutdown(std::chrono::seconds(0));
        outcome.raise();
      }(std::move(handler), std::move(options), std::move(body)),
      test);
}

/// What a server answers to `request`, up to the end of the connection, without its Date.
inline std::string answer_to(http::Handler handler, std::string request,
                             http::ServerOptions options = {}, testing::TestOptions test = {}) {
  std::string text;
  with_http_server(
      std::move(handler), std::move(options),
      [&](http::Server& server) -> Coro<> {
        auto wire = co_await Wire::open(server);
        wire.send(request);
        text = without_date(co_await wire.rest());
        wire.writer.close();
      },
      test);
  return text;
}

}  // namespace brio::tests
