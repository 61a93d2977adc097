// What the client's tests share: a server on loopback that answers as a test says.
#pragma once

#include <brio/core/outcome.hpp>
#include <brio/core/sleep.hpp>
#include <brio/http/client.hpp>
#include <brio/net/streams.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace brio::tests {

/// A request as a server saw it.
struct Seen {
  std::string line;       ///< "GET / HTTP/1.1"
  std::string head;       ///< all of it, with the empty line
  std::string body = {};  ///< without chunk framing
  int connection = 0;     ///< which connection it came on, from 1
};

/// What a test answers: raw bytes, and whether to close after them.
struct Answer {
  std::string bytes;
  bool close = false;
  /// Never answer, and keep the connection.
  bool stall = false;
};

/// "HTTP/1.1 200 OK" with a Content-Length and `body`.
inline Answer ok(const std::string& body, const std::string& fields = "") {
  return {"HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) +
          "\r\n\r\n" + body};
}
/// A redirect.
inline Answer redirect(int status, const std::string& location) {
  return {"HTTP/1.1 " + std::to_string(status) + " X\r\nLocation: " + location +
          "\r\nContent-Length: 0\r\n\r\n"};
}

/// The value of a field in a head, or "".
inline std::string field(const std::string& head, const std::string& name) {
  const std::size_t at = head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t from = at + name.size() + 4;
  return head.substr(from, head.find("\r\n", from) - from);
}

/// A server on 127.0.0.1 that keeps connections and asks a function for each answer.
class TestServer {
public:
  using Respond = std::function<Answer(const Seen&)>;

  explicit TestServer(Respond respond) : respond_(std::move(respond)) {}

  Coro<> start(std::shared_ptr<const net::TLSContext> ssl = nullptr) {
    ServerOptions options;
    options.ssl = std::move(ssl);
    server_ = co_await start_server(
        [this](StreamReader reader, StreamWriter writer) {
          return serve(this, std::move(reader), std::move(writer));
        },
        "127.0.0.1", 0, std::move(options));
    port = server_->sockets().front().getsockname().port();
    url = "http://127.0.0.1:" + std::to_string(port);
  }
  Coro<> stop() {
    server_->close();
    server_->abort_clients();
    co_await server_->wait_closed();
    // Those that serve see the end a moment later, and count on this object.
    while (open > 0) co_await brio::sleep(std::chrono::milliseconds(1));
  }
  /// Drops every connection that stands.
  void drop_clients() { server_->abort_clients(); }

  std::string url;
  int port = 0;
  int connections = 0;
  int open = 0;
  std::vector<Seen> seen;

private:
  static Coro<> serve(TestServer* self, StreamReader reader, StreamWriter writer) {
    const int number = ++self->connections;
    ++self->open;
    auto outcome = co_await as_outcome(talk(self, number, reader, writer));
    --self->open;
    writer.close();
    // A client that goes away is what half of the tests are about.
    if (!outcome.error_as<EOFError>() && !outcome.error_as<OSError>()) outcome.raise();
  }
  static Coro<> talk(TestServer* self, int number, StreamReader reader, StreamWriter writer) {
    while (true) {
      std::string head = co_await reader.readuntil("\r\n\r\n");
      Seen request{head.substr(0, head.find("\r\n")), head};
      request.connection = number;
      if (const std::string length = field(head, "Content-Length"); !length.empty()) {
        request.body = co_await reader.readexactly(std::stoi(length));
      } else if (field(head, "Transfer-Encoding") == "chunked") {
        request.body = co_await read_chunks(reader);
      }
      self->seen.push_back(request);
      Answer answer = self->respond_(request);
      if (answer.stall) {
        const std::string rest = co_await reader.read();
        co_return;
      }
      writer.write(std::move(answer.bytes));
      co_await writer.drain();
      if (answer.close) co_return;
    }
  }
  static Coro<std::string> read_chunks(StreamReader reader) {
    std::string body;
    while (true) {
      const std::string size = co_await reader.readuntil("\r\n");
      const int count = std::stoi(size, nullptr, 16);
      const std::string part = co_await reader.readexactly(count + 2);
      if (count == 0) co_return body;
      body.append(part, 0, static_cast<std::size_t>(count));
    }
  }

  Respond respond_;
  std::shared_ptr<Server> server_;
};

/// Runs `body(server)` against a server that answers with `respond`, on a virtual clock.
inline void with_server(TestServer::Respond respond, std::function<Coro<>(TestServer&)> body) {
  testing::run_test([](TestServer::Respond r, std::function<Coro<>(TestServer&)> b) -> Coro<> {
    TestServer server(std::move(r));
    co_await server.start();
    auto outcome = co_await as_outcome(b(server));
    co_await server.stop();
    outcome.raise();
  }(std::move(respond), std::move(body)));
}

/// Awaits and says what was thrown: its type's last name and its message.
template <class T>
Coro<std::string> thrown(Coro<T> what) {
  auto outcome = co_await as_outcome(std::move(what));
  if (outcome.has_value()) co_return "nothing";
  const std::string type = type_name(outcome.error());
  co_return type.substr(type.rfind(':') + 1) + ": " + describe(outcome.error());
}

}  // namespace brio::tests
