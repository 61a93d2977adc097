// What the tests of this room share: a trace of lines, as the event-order tests compare it, and
// protocols that record what they are told.
#pragma once

#include <brio/core/exceptions.hpp>
#include <brio/core/loop.hpp>
#include <brio/core/outcome.hpp>
#include <brio/core/runner.hpp>
#include <brio/core/sleep.hpp>
#include <brio/net/sock.hpp>
#include <brio/net/streams.hpp>

#include <doctest/doctest.h>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

// The undefined behaviour sanitizer looks whether memory can be read by writing it into a pipe;
// when there is no descriptor for one it takes every object for a broken one.
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
#define BRIO_SANITIZER_NEEDS_DESCRIPTORS true
#endif
#endif
#ifndef BRIO_SANITIZER_NEEDS_DESCRIPTORS
#define BRIO_SANITIZER_NEEDS_DESCRIPTORS false
#endif

namespace brio::tests {

/// The lines of one test, and how values look in them.
class Trace {
public:
  template <class... Words>
  void operator()(const Words&... words) {
    std::string line;
    ((line += (line.empty() ? "" : " ") + text(words)), ...);
    lines_.push_back(std::move(line));
  }
  [[nodiscard]] std::string str() const {
    std::string all;
    for (const std::string& line : lines_) all += line + "\n";
    return all;
  }

  static std::string text(const char* word) { return word; }
  static std::string text(bool value) { return value ? "True" : "False"; }
  static std::string text(std::size_t value) { return std::to_string(value); }
  static std::string text(int value) { return std::to_string(value); }
  /// Bytes, as Python's repr shows them.
  static std::string text(const std::string& bytes) {
    std::string shown = "b'";
    for (const char c : bytes) {
      if (c == '\n') {
        shown += "\\n";
      } else if (c == '\r') {
        shown += "\\r";
      } else {
        shown += c;
      }
    }
    return shown + "'";
  }
  /// An error's short class name.
  static std::string name_of(const std::exception_ptr& error) {
    const std::string name = type_name(error);
    const auto colons = name.rfind("::");
    return colons == std::string::npos ? name : name.substr(colons + 2);
  }
  /// An error by its short class name; those of tests with their text.
  static std::string text(const std::exception_ptr& error) {
    if (!error) return "none";
    const std::string name = name_of(error);
    return name == "Boom" ? name + "(" + describe(error) + ")" : name;
  }

private:
  std::vector<std::string> lines_;
};

/// An error that only tests throw.
class Boom : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// Gives up control `n` times.
inline Coro<void> ticks(int n = 1) {
  for (int i = 0; i < n; ++i) co_await yield_now();
}

/// Awaits and traces the outcome.
template <class T>
Coro<void> caught(Trace& ev, Coro<T> what, const char* label = "got") {
  Outcome<T> outcome = co_await as_outcome(std::move(what));
  if (!outcome) {
    ev(label, outcome.error());
  } else if constexpr (std::is_void_v<T>) {
    ev(label, "value None");
  } else {
    ev(label, "value", std::move(outcome).value());
  }
}

/// Records every event; completes futures on the way.
class RecordingProtocol : public Protocol {
public:
  explicit RecordingProtocol(Trace& trace, std::string name = "") : ev(trace), prefix(name) {}

  void connection_made(std::shared_ptr<Transport> t) override {
    transport = std::move(t);
    say("made");
    if (on_made) on_made();
  }
  void data_received(std::string_view data) override {
    received += data;
    if (trace_data) say("data", std::string(data));
    if (on_data) on_data(data);
  }
  bool eof_received() override {
    say("eof");
    if (on_eof) on_eof();
    eof.set_result();
    return keep_open;
  }
  void pause_writing() override {
    say("pause");
    if (on_pause) on_pause();
  }
  void resume_writing() override {
    say("resume");
    if (on_resume) on_resume();
  }
  void connection_lost(std::exception_ptr exc) override {
    say("lost", exc);
    if (!lost.done()) lost.set_result();
    ++times_lost;
  }

  template <class... Words>
  void say(const Words&... words) {
    if (prefix.empty()) {
      ev(words...);
    } else {
      ev(prefix.c_str(), words...);
    }
  }

  Trace& ev;
  std::string prefix;
  std::shared_ptr<Transport> transport;
  std::string received;
  bool trace_data = true;
  bool keep_open = false;
  int times_lost = 0;
  std::function<void()> on_made, on_eof, on_pause, on_resume;
  std::function<void(std::string_view)> on_data;
  Future<> eof = create_future();
  Future<> lost = create_future();
};

/// A factory that gives `protocol`.
template <class P>
auto always(std::shared_ptr<P> protocol) {
  return [protocol] { return protocol; };
}

/// Reports the loop's exception handler in the trace.
inline void trap(Trace& ev) {
  get_running_loop().set_exception_handler([&ev](EventLoop&, const ExceptionContext& context) {
    ev("HANDLER", context.message.c_str(), context.exception);
  });
}

/// Lets the loop run until `done()` holds. Real sockets have no other moment to wait for; a test
/// that waits for what never comes is stopped by the test program's watchdog.
template <class F>
Coro<void> until(F done) {
  while (!done()) co_await sleep(std::chrono::microseconds(100));
}

/// A transport on one end of a socket pair, and the other end.
struct Ends {
  std::shared_ptr<Transport> transport;
  std::shared_ptr<RecordingProtocol> protocol;
  net::Socket peer;
};

inline Coro<Ends> connect_pair(std::shared_ptr<RecordingProtocol> protocol) {
  auto [peer, ours] = net::Socket::pair();
  auto [transport, made] = co_await create_connection(always(protocol), std::move(ours));
  co_return Ends{transport, made, std::move(peer)};
}

/// What has come to `socket` so far: "<end>" and "<error>" tell how it went on.
// For a test that says how much comes in one piece, or at which poll: not over an engine that cuts
// and delays (tests/faults.cpp).
inline doctest::skip counts_transfers() {
  return doctest::skip(std::getenv("BRIO_TEST_FAULTS") != nullptr);
}

inline std::string all_of(net::Socket& socket) {
  std::string all;
  try {
    for (;;) {
      const std::string piece = socket.recv(65536);
      if (piece.empty()) return all + "<end>";
      all += piece;
    }
  } catch (const BlockingIOError&) {
    return all;
  } catch (const OSError&) {
    return all + "<error>";
  }
}

}  // namespace brio::tests
