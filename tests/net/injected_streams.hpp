// Stream scenarios with a cancellation at every point where one can come; over TCP and Unix sockets
// in this room's tests, over TLS in that one's. That no task, timer or descriptor is left and that
// nothing hangs for_each_cancellation asserts; here it is that no byte is lost, doubled or out of
// its place.
#pragma once

#include "support.hpp"

#include <brio/core/cancel_scope.hpp>
#include <brio/core/taskgroup.hpp>
#include <brio/testing/injection.hpp>

#include <functional>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace brio::tests {

/// How the scenarios connect.
struct StreamEnds {
  ServerOptions server = {};
  ConnectionOptions client = {};
  /// Over a Unix socket: what is sent has then arrived, while TCP's loopback needs a kernel thread
  /// to run, and on a busy machine the virtual clock may jump before it does.
  bool unix_socket = false;
};

namespace injected {

/// What the loop's exception handler is told, but for what a server says in debug mode of a client
/// that leaves in the handshake.
class Reports {
public:
  void listen() {
    lines_.clear();
    get_running_loop().set_exception_handler([this](EventLoop&, const ExceptionContext& context) {
      if (context.message != "Error on transport creation for incoming connection")
        lines_ += context.message + ": " + describe(context.exception) + "\n";
    });
  }
  [[nodiscard]] const std::string& lines() const { return lines_; }

private:
  std::string lines_;
};

/// Lets what was begun and closed come to its end: what was accepted is a connection, handlers see
/// that the other side has gone, TLS says goodbye. None of it needs time, so what is left after a
/// while has been forgotten.
inline Coro<> calm() {
  for (int i = 0; i < 100; ++i) {
    (void)co_await as_outcome(sleep(std::chrono::milliseconds(1)));
    if (i >= 2 && get_running_loop().timers_.empty() && all_tasks().size() == 1) break;
  }
}

template <class Scenario>
Coro<> calmed(Scenario& scenario) {
  const Outcome<void> outcome = co_await as_outcome(scenario());
  co_await shielded([] { return calm(); });
  outcome.raise();
}

/// Runs `scenario` with everybody as the victim, and `check(run)` after each run that began.
template <class Scenario, class Check>
void at_every_point(Scenario scenario, Check check) {
  using testing::Victim;
  Reports reports;
  for (const Victim victim : {Victim::main, Victim::every_task, Victim::scope}) {
    CAPTURE(static_cast<int>(victim));
    const std::size_t runs = testing::for_each_cancellation(
        [&] {
          reports.listen();
          return calmed(scenario);
        },
        [&](const auto& run) {
          INFO(run.describe());
          if (!run.started()) return;
          CHECK(reports.lines() == "");
          check(run);
        },
        {.victim = victim,
         .clock = {.io_wait = std::chrono::milliseconds(5), .time_limit = std::chrono::hours(24)}});
    CHECK(runs > 5);
  }
}

/// Calls a function at the end of the block, whatever ends it.
class AtEnd {
public:
  explicit AtEnd(std::function<void()> function) : function_(std::move(function)) {}
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;
  ~AtEnd() { function_(); }

private:
  std::function<void()> function_;
};

/// A server as `ends` says, with `options` in place of its own.
template <class Handler>
Coro<std::shared_ptr<Server>> serve(Handler handler, const StreamEnds& ends,
                                    ServerOptions options) {
  if (ends.unix_socket) {
    std::string name(1, '\0');
    name += "brio-test-" + std::to_string(::getpid());
    return start_unix_server(std::move(handler), std::move(name), std::move(options));
  }
  return start_server(std::move(handler), "127.0.0.1", 0, std::move(options));
}

/// A connection to a server that serve() made.
inline Coro<std::pair<StreamReader, StreamWriter>> connect(const std::shared_ptr<Server>& server,
                                                           const StreamEnds& ends) {
  const net::SocketAddress address = server->sockets()[0].getsockname();
  if (!ends.unix_socket) return open_connection("127.0.0.1", address.port(), ends.client);
  std::string name(1, '\0');
  name += address.path();
  return open_unix_connection(std::move(name), ends.client);
}

/// Runs `body()`; a connection that breaks, because the other side was cancelled, is no error here.
template <class Body>
Coro<> ignoring_loss(Body body) {
  const Outcome<void> outcome = co_await as_outcome(body());
  if (!outcome.has_value() && !outcome.template error_as<OSError>()) outcome.raise();
}

/// Runs each body in a task of its own, until all have ended. That one of them is cancelled is
/// nothing to the others, nor to the one who waits.
template <class... Bodies>
Coro<> in_tasks(Bodies... bodies) {
  co_await task_group([&](TaskGroup& group) -> Coro<> {
    (group.create_task(ignoring_loss<Bodies>, bodies), ...);
    co_return;
  });
}

// ---- reading

inline const std::string script = "first line\nsecond line\n" + std::string(40, '=') +
                                  "and so on until END, then some, " + std::string(60, '.') +
                                  "and the rest.\n";

struct Reading {
  std::string received;
  bool all_sent = false;
};

/// The server: the script in small pieces, so that each read has to wait for several.
inline Coro<> send_script(Reading& state, StreamWriter w) {
  const AtEnd close([&w] { w.close(); });
  for (std::size_t at = 0; at < script.size(); at += 9) {
    w.write(script.substr(at, 9));
    co_await w.drain();
    co_await yield_now();
  }
  state.all_sent = true;
}

/// The client: every kind of read once.
inline Coro<> read_script(Reading& state, StreamReader r) {
  std::string& received = state.received;
  try {
    received += co_await r.readline();
    if (auto line = co_await r.next()) received += *line;
    received += co_await r.readexactly(40);
    received += co_await r.readuntil("END");
    received += co_await r.read(20);
    received += co_await r.read(20);
    received += co_await r.readuntil({"..and", "END"});
    received += co_await r.read();
  } catch (const IncompleteReadError& error) {  // the server was cancelled
    received += error.partial();
  }
}

inline void check_reading(const StreamEnds& ends) {
  Reading state;
  at_every_point(
      [&]() -> Coro<> {
        state = {};
        const auto handle = [&state](StreamReader, StreamWriter w) -> Coro<> {
          co_await ignoring_loss([&] { return send_script(state, w); });
        };
        const auto server = co_await injected::serve(handle, ends, ends.server);
        const AtEnd close_server([&] { server->close(); });
        auto [r, w] = co_await connect(server, ends);
        const AtEnd close([&writer = w] { writer.close(); });
        co_await in_tasks([&] { return read_script(state, r); });
        // What a cancelled read has left is there for the next.
        const auto rest = co_await as_outcome(r.read());
        if (rest.has_value())
          state.received += rest.value();
        else if (!rest.error_as<OSError>())
          rest.raise();
      },
      [&](const auto& run) {
        if (run.outcome.has_value() && state.all_sent)
          CHECK(state.received == script);
        else
          CHECK(script.starts_with(state.received));
      });
}

// ---- writing

struct Writing {
  std::string sent;  // given to write()
  std::string received;
  bool served = false;
};

/// The server: reads to the end, slowly, so that the writer has to wait.
inline Coro<> take_slowly(Writing& state, StreamReader r, StreamWriter w) {
  const AtEnd close([&w] { w.close(); });
  while (true) {
    const std::string piece = co_await r.read(40'000);
    if (piece.empty()) break;
    state.received += piece;
    co_await yield_now();
  }
  state.served = true;
}

/// The client: from where the one before it has got to.
inline Coro<> write_pieces(Writing& state, StreamWriter w, const std::string& all) {
  while (state.sent.size() < all.size()) {
    const std::string piece = all.substr(state.sent.size(), 60'000);
    w.write(piece);
    state.sent += piece;
    co_await w.drain();
  }
}

inline Coro<> write_and_close(Writing& state, StreamWriter w, const std::string& all) {
  w.get_extra_info<net::TransportSocket>("socket")->setsockopt(SOL_SOCKET, SO_SNDBUF, 20'000);
  w.transport()->set_write_buffer_limits({.high = 1000});
  co_await in_tasks([&] { return write_pieces(state, w, all); });
  co_await write_pieces(state, w, all);  // what a cancelled one has left
  w.close();
  co_await in_tasks([&] { return w.wait_closed(); });
  co_await w.wait_closed();
}

inline void check_writing(const StreamEnds& ends) {
  std::string all;
  for (int i = 0; all.size() < 300'000; ++i) all += std::to_string(i) + ",";
  Writing state;
  at_every_point(
      [&]() -> Coro<> {
        state = {};
        const auto handle = [&state](StreamReader r, StreamWriter w) -> Coro<> {
          co_await ignoring_loss([&] { return take_slowly(state, r, w); });
        };
        ServerOptions slow = ends.server;
        slow.limit = 1000;
        const auto server = co_await injected::serve(handle, ends, std::move(slow));
        const AtEnd close_server([&] { server->close(); });
        auto [r, w] = co_await connect(server, ends);
        const AtEnd close([&writer = w] { writer.close(); });
        co_await ignoring_loss([&] { return write_and_close(state, w, all); });
        server->close();
        co_await server->wait_closed();
      },
      [&](const auto& run) {
        if (run.outcome.has_value() && state.served) CHECK(state.sent == all);
        // What was written before a close arrives, also when it came by a cancellation.
        if (run.outcome.has_value() && state.served)
          CHECK(state.received == state.sent);
        else
          CHECK(state.sent.starts_with(state.received));
      });
}

// ---- opening and closing

struct Echoes {
  int begun = 0;
  int ended = 0;
  int answered = 0;
};

inline Coro<> echo_lines(Echoes& state, StreamReader r, StreamWriter w) {
  ++state.begun;
  const AtEnd end([&] {
    ++state.ended;
    w.close();
  });
  while (auto line = co_await r.next()) {
    w.write(*line);
    co_await w.drain();
  }
}

inline Coro<> ask(Echoes& state, const std::shared_ptr<Server>& server, const StreamEnds& ends) {
  auto [r, w] = co_await connect(server, ends);
  const AtEnd close([&writer = w] { writer.close(); });
  w.write("hello\n");
  if (co_await r.readline() == "hello\n") ++state.answered;
  w.close();
  co_await w.wait_closed();
}

inline void check_opening(const StreamEnds& ends) {
  Echoes state;
  at_every_point(
      [&]() -> Coro<> {
        state = {};
        const auto handle = [&state](StreamReader r, StreamWriter w) -> Coro<> {
          co_await ignoring_loss([&] { return echo_lines(state, r, w); });
        };
        const auto server = co_await injected::serve(handle, ends, ends.server);
        const AtEnd close_server([&] { server->close(); });
        const auto asking = [&] { return ask(state, server, ends); };
        co_await in_tasks(asking, asking);
        server->close();
        co_await server->wait_closed();
      },
      [&](const auto& run) {
        CHECK(state.begun == state.ended);
        if (run.outcome.has_value()) CHECK(state.answered >= 1);
        if (!run.hit()) CHECK(state.answered == 2);
      });
}

}  // namespace injected
}  // namespace brio::tests
