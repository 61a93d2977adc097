// What the tests of this room share.
#pragma once

#include <brio/core/logging.hpp>
#include <brio/core/loop.hpp>
#include <brio/exec/concurrent_future.hpp>

#include <latch>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace exec_test {

/// Runs a coroutine function in a loop of its own, which is closed after it. The default executor,
/// if there is one, is shut down before, as brio::run does.
template <class F>
auto in_loop(F f) {
  const brio::LoopPtr loop = brio::new_event_loop();
  struct Leave {
    brio::EventLoop& loop;
    ~Leave() { loop.run_until_complete(loop.shutdown_default_executor()); }
  } const leave{*loop};
  return loop->run_until_complete(f());
}

/// A job that has begun and waits to be let go.
struct Blocker {
  std::latch started{1};
  std::latch release{1};
  /// For the worker.
  void block() {
    started.count_down();
    release.wait();
  }
  /// For the other side.
  void wait_until_started() { started.wait(); }
  void let_go() { release.count_down(); }
};

/// Collects brio's log while it lives.
class LogCapture {
public:
  LogCapture() : before_(brio::set_log_hook(&take)) {
    const std::lock_guard lock(mutex());
    lines().clear();
  }
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  ~LogCapture() { brio::set_log_hook(before_); }
  [[nodiscard]] static std::string text() {
    const std::lock_guard lock(mutex());
    std::string all;
    for (const std::string& line : lines()) all += line + "\n";
    return all;
  }
  [[nodiscard]] static bool has(const std::string& part) {
    return text().find(part) != std::string::npos;
  }

private:
  static std::mutex& mutex() {
    static std::mutex instance;
    return instance;
  }
  static std::vector<std::string>& lines() {
    static std::vector<std::string> instance;
    return instance;
  }
  static void take(const brio::LogRecord& record) {
    const std::lock_guard lock(mutex());
    lines().emplace_back(record.message);
  }
  brio::LogHook before_;
};

/// Counts the living objects of this type, to see when a callable is destroyed.
struct Counted {
  explicit Counted(std::atomic<int>& counter) : alive(&counter) { ++*alive; }
  Counted(const Counted& other) : alive(other.alive) { ++*alive; }
  Counted& operator=(const Counted&) = delete;
  ~Counted() { --*alive; }
  std::atomic<int>* alive;
};

}  // namespace exec_test
