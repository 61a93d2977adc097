// A peer that resets at the n-th byte: between client and server stands a relay that passes on so
// many bytes, both directions together, and then resets both connections.
#pragma once

#include "support.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/task.hpp>

#include <sys/socket.h>

namespace brio::tests {

/// Passes on one connection at a time. In `total` it leaves how many bytes went through.
class ResetRelay {
public:
  explicit ResetRelay(int port)
      : port_(port), listener_(net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0))) {
    listener_.listen();
    listener_.setblocking(false);
  }

  [[nodiscard]] int port() const { return listener_.getsockname().port(); }
  [[nodiscard]] std::size_t total() const noexcept { return passed_; }

  /// Serves the next connection, with a reset after `limit` bytes.
  Coro<> serve(std::size_t limit) {
    passed_ = 0;
    ends_ = 0;
    limit_ = limit;
    auto [client, peer] = co_await sock_accept(listener_);
    net::Socket server(AF_INET);
    server.setblocking(false);
    co_await sock_connect(server, "127.0.0.1", port_);
    ended_ = create_future();
    auto there = create_task(pass(client, server));
    auto back = create_task(pass(server, client));
    co_await ended_;
    for (net::Socket* end : {&client, &server})
      end->setsockopt(SOL_SOCKET, SO_LINGER, linger{1, 0});
    there.cancel();
    back.cancel();
    (void)co_await gather(return_exceptions, std::move(there), std::move(back));
  }

private:
  Coro<> pass(net::Socket& from, net::Socket& to) {
    try {
      while (passed_ < limit_) {
        const std::string bytes =
            co_await sock_recv(from, std::min<std::size_t>(limit_ - passed_, 65536));
        if (bytes.empty()) {
          to.shutdown(SHUT_WR);
          if (++ends_ % 2 == 0) break;
          co_return;
        }
        passed_ += bytes.size();
        co_await sock_sendall(to, bytes);
      }
    } catch (const OSError&) {
      // The other side was quicker.
    }
    if (!ended_.done()) ended_.set_result();
  }

  int port_;
  net::Socket listener_;
  std::size_t passed_ = 0;
  std::size_t limit_ = 0;
  int ends_ = 0;
  Future<> ended_;
};

/// What the server of an exchange saw.
struct ServerSide {
  int made = 0;
  int lost = 0;
  std::size_t whole = 0;  ///< requests that came whole
};

/// Answers each line with itself, reversed; counts what it is told.
class ReversingServer : public Protocol {
public:
  explicit ReversingServer(ServerSide& side) : side_(&side) {}
  void connection_made(std::shared_ptr<Transport> transport) override {
    transport_ = std::move(transport);
    ++side_->made;
  }
  void data_received(std::string_view data) override {
    line_ += data;
    if (!line_.ends_with('\n')) return;
    ++side_->whole;
    line_.pop_back();
    transport_->write(std::string(line_.rbegin(), line_.rend()) + "\n");
    line_.clear();
  }
  void connection_lost(std::exception_ptr) override {
    ++side_->lost;
    transport_ = nullptr;
  }

private:
  ServerSide* side_;
  std::shared_ptr<Transport> transport_;
  std::string line_;
};

/// One exchange through the relay; what came of it: "whole", or the name of the error.
inline Coro<std::string> exchange_through(int port, ConnectionOptions options) {
  const std::string said = "a line that is long enough to be cut anywhere\n";
  const auto talk = [](std::string line, int to, ConnectionOptions how) -> Coro<std::string> {
    auto [reader, writer] = co_await open_connection("127.0.0.1", to, std::move(how));
    std::string answer;
    std::exception_ptr failed;
    try {
      for (int i = 0; i < 2; ++i) {
        writer.write(line);
        co_await writer.drain();
        answer += co_await reader.readuntil("\n");
      }
    } catch (const std::exception&) {
      failed = std::current_exception();
    }
    writer.close();
    (void)co_await as_outcome(writer.wait_closed());
    if (failed) std::rethrow_exception(failed);
    co_return answer;
  };
  const Outcome<std::string> outcome = co_await as_outcome(talk(said, port, std::move(options)));
  if (!outcome) co_return Trace::name_of(outcome.error());
  std::string back(said.rbegin() + 1, said.rend());
  back += "\n";
  co_return outcome.value() == back + back ? "whole" : "wrong: " + outcome.value();
}

/// Resets at every `step`-th byte of an exchange; then once not at all.
inline Coro<> reset_everywhere(ServerOptions serving, ConnectionOptions connecting,
                               std::size_t step) {
  ServerSide side;
  Trace reported;
  trap(reported);
  get_running_loop().set_debug(false);  // where a handshake that breaks off is told of
  auto server = co_await create_server([&side] { return std::make_shared<ReversingServer>(side); },
                                       "127.0.0.1", 0, std::move(serving));
  ResetRelay relay(server->sockets()[0].getsockname().port());
  const auto once = [&relay, &connecting](std::size_t limit) -> Coro<std::string> {
    auto [served, result] =
        co_await gather(relay.serve(limit), exchange_through(relay.port(), connecting));
    co_return result;
  };
  const std::string whole = co_await once(std::size_t{1} << 30);
  CHECK(whole == "whole");
  const std::size_t length = relay.total();
  for (std::size_t limit = 1; limit < length; limit += step) {
    CAPTURE(limit);
    const std::string result = co_await once(limit);
    // The last bytes may be a goodbye that the client did not need.
    const bool said = result == "ConnectionResetError" || result == "IncompleteReadError" ||
                      result == "BrokenPipeError" || result == "ConnectionAbortedError" ||
                      result == "SSLEOFError" || result == "SSLZeroReturnError" ||
                      (result == "whole" && relay.total() > length / 2);
    CHECK_MESSAGE(said, result);
  }
  co_await until([&side] { return side.lost == side.made; });
  const std::string afterwards = co_await once(std::size_t{1} << 30);
  CHECK(afterwards == "whole");
  server->close();
  co_await server->wait_closed();
  CHECK(side.lost == side.made);
  CHECK(reported.str() == "");
}

}  // namespace brio::tests
