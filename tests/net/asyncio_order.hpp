// What the tests of asyncio's order of events share. What they expect was printed by CPython 3.13.0
// running the folder asyncio_order, where each case has the same name.
#pragma once

#include "support.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/task.hpp>

#include <initializer_list>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace brio::tests::order {

enum class Kind { tcp, unix_socket };
inline const std::vector<Kind> both = {Kind::tcp, Kind::unix_socket};
inline const std::vector<Kind> tcp_only = {Kind::tcp};
inline const std::vector<Kind> unix_only = {Kind::unix_socket};

/// The lines of one side. Bytes that came in pieces are one line.
class Told {
public:
  explicit Told(std::string name) : name_(std::move(name)) {}

  template <class... Words>
  void say(const Words&... words) {
    trace_(words...);
  }
  /// say(), at the loop's next turn.
  void soon(const char* word) {
    get_running_loop().call_soon([this, word] { say(word); });
  }
  /// Has `line` been said?
  [[nodiscard]] bool has(const std::string& line) const {
    return ("\n" + trace_.str()).find("\n" + line + "\n") != std::string::npos;
  }
  [[nodiscard]] std::string told() const {
    const std::string data = "data b'";
    std::vector<std::string> lines;
    std::string all = trace_.str();
    for (std::size_t end = 0; !all.empty(); all.erase(0, end + 1)) {
      end = all.find('\n');
      const std::string line = all.substr(0, end);
      if (line.starts_with(data) && !lines.empty() && lines.back().starts_with(data)) {
        lines.back().replace(lines.back().size() - 1, 1, line.substr(data.size()));
      } else {
        lines.push_back(line);
      }
    }
    std::string joined;
    for (const std::string& line : lines) joined += (joined.empty() ? "" : "; ") + line;
    return name_ + ": " + joined;
  }
  [[nodiscard]] Trace& trace() noexcept { return trace_; }

private:
  std::string name_;
  Trace trace_;
};

/// A protocol that tells its own trace: of two sides only each one's order is certain.
class Side : public Told, public RecordingProtocol {
public:
  explicit Side(std::string name = "side") : Told(std::move(name)), RecordingProtocol(trace()) {}
  using Told::say;
  void connection_lost(std::exception_ptr exc) override {
    RecordingProtocol::connection_lost(exc);
    if (on_lost) on_lost();
  }

  /// Writes until so much is buffered, by default more than the sockets may yet take by growing
  /// (tcp_wmem) while nobody reads; how much was written.
  std::size_t flood(std::size_t more = 8'000'000) const {
    std::size_t written = 0;
    for (; transport->get_write_buffer_size() < more; written += piece) {
      transport->write(std::string(piece, 'x'));
    }
    return written;
  }
  static constexpr std::size_t piece = 100'000;

  std::function<void()> on_lost;
  net::Socket peer;  // open as long as the test goes
};
using SidePtr = std::shared_ptr<Side>;

inline SidePtr make_side(std::string name = "side") {
  return std::make_shared<Side>(std::move(name));
}

/// What was told, as the Python program prints it.
template <class... Sides>
std::string told(const Sides&... sides) {
  std::string all;
  ((all += (all.empty() ? "" : " | ") + sides->told()), ...);
  return all;
}

/// Runs `body(kind)` over each kind of socket and compares what it tells.
template <class Body>
void expect(const std::vector<Kind>& kinds, Body body, const std::string& expected) {
  for (const Kind kind : kinds) {
    CAPTURE(kind == Kind::tcp ? "tcp" : "unix");
    std::string lines;
    run([&]() -> Coro<> { lines = co_await body(kind); });
    CHECK(lines == expected);
  }
}

/// The same with one side, that of the transport's.
template <class Body>
void alone(const std::vector<Kind>& kinds, Body body, const std::string& expected) {
  expect(
      kinds,
      [&body](Kind kind) -> Coro<std::string> {
        const SidePtr side = make_side();
        co_await body(kind, side);
        co_return told(side);
      },
      expected);
}

/// The loop's exception handler tells `side`.
inline void trap(const std::shared_ptr<Told>& side) {
  get_running_loop().set_exception_handler([side](EventLoop&, const ExceptionContext& context) {
    const std::string callback = "Exception in callback";
    const bool of_callback = context.message.starts_with(callback);
    side->say("HANDLER", (of_callback ? callback : context.message).c_str(), context.exception);
  });
}

inline std::function<void()> throws(const char* where) {
  return [where] { throw Boom(where); };
}

struct Connected {
  net::Socket ours;
  net::Socket peer;
};

inline Coro<Connected> connected(Kind kind) {
  if (kind == Kind::unix_socket) {
    auto [a, b] = net::Socket::pair();
    co_return Connected{std::move(a), std::move(b)};
  }
  net::Socket listener = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
  listener.listen();
  net::Socket ours(AF_INET);
  co_await sock_connect(ours, listener.getsockname());
  auto [peer, from] = co_await sock_accept(listener);
  co_return Connected{std::move(ours), std::move(peer)};
}

/// A transport with `side` on it, the other end in side->peer.
inline Coro<> ends(Kind kind, SidePtr side, std::string waiting = "") {
  auto [ours, peer] = co_await connected(kind);
  if (!waiting.empty()) (void)peer.send(waiting);
  side->peer = std::move(peer);
  (void)co_await create_connection(always(side), std::move(ours));
}

template <class Factory>
Coro<std::shared_ptr<Server>> serve(Kind kind, Factory factory) {
  if (kind == Kind::tcp) co_return co_await create_server(std::move(factory), "127.0.0.1", 0);
  std::string name = "?brio-order-" + std::to_string(::getpid());
  name[0] = '\0';
  co_return co_await create_unix_server(std::move(factory), std::move(name));
}

template <class Factory>
Coro<std::pair<std::shared_ptr<Transport>, SidePtr>> connect(net::SocketAddress address,
                                                             Factory factory) {
  if (address.family() == AF_INET) {
    co_return co_await create_connection(std::move(factory), "127.0.0.1", address.port());
  }
  std::string name = "?" + std::string(address.path());
  name[0] = '\0';
  co_return co_await create_unix_connection(std::move(factory), std::move(name));
}

inline net::SocketAddress address_of(const std::shared_ptr<Server>& server) {
  return server->sockets()[0].getsockname();
}

/// A server with one client.
struct Served {
  SidePtr client = make_side("client");
  SidePtr server = make_side("server");
  std::shared_ptr<Server> at = nullptr;
};

inline Coro<Served> served(Kind kind) {
  Served all;
  all.at = co_await serve(kind, always(all.server));
  (void)co_await connect(address_of(all.at), always(all.client));
  co_await until([&] { return all.server->transport != nullptr; });
  co_return all;
}

/// Two protocols with a connection between them.
inline Coro<Served> pair(Kind kind) {
  Served all = co_await served(kind);
  all.at->close();
  co_return all;
}

/// Reads to the end; how much it was.
inline Coro<std::size_t> drain(net::Socket& peer) {
  std::size_t total = 0;
  while (true) {
    const auto outcome = co_await as_outcome(sock_recv(peer, 65536));
    if (!outcome || outcome.value().empty()) co_return total;
    total += outcome.value().size();
  }
}

inline void reset(net::Socket& peer) {
  peer.setsockopt(SOL_SOCKET, SO_LINGER, linger{1, 0});
  peer.close();
}

/// Tells how `what` ended.
template <class T>
Coro<> waiting(std::shared_ptr<Told> side, const char* name, Coro<T> what) {
  const Outcome<T> outcome = co_await as_outcome(std::move(what));
  if (outcome) {
    side->say(name);
  } else {
    side->say(name, outcome.error());
  }
}

inline Coro<> ticker(std::shared_ptr<Told> side, int count) {
  for (int number = 1; number <= count; ++number) {
    co_await yield_now();
    side->say("tick", number);
  }
}

}  // namespace brio::tests::order
