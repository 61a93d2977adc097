// What several of core's tests need: the log in a vector, and a child process to end badly in.
#pragma once

#include <brio/core/logging.hpp>

#include <csignal>
#include <cstdio>
#include <mutex>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace support {

/// Takes brio's log while it lives.
class CapturedLog {
public:
  CapturedLog() {
    const std::lock_guard lock(mutex());
    lines().clear();
    before_ = brio::set_log_hook([](const brio::LogRecord& record) {
      const std::lock_guard inner(mutex());
      lines().emplace_back(record.message);
    });
  }
  CapturedLog(const CapturedLog&) = delete;
  CapturedLog& operator=(const CapturedLog&) = delete;
  ~CapturedLog() { brio::set_log_hook(before_); }

  [[nodiscard]] static std::vector<std::string> take() {
    const std::lock_guard lock(mutex());
    return std::exchange(lines(), {});
  }
  /// What take() would give, left where it is.
  [[nodiscard]] static std::vector<std::string> peek() {
    const std::lock_guard lock(mutex());
    return lines();
  }

private:
  static std::mutex& mutex() {
    static std::mutex one;
    return one;
  }
  static std::vector<std::string>& lines() {
    static std::vector<std::string> all;
    return all;
  }
  brio::LogHook before_ = nullptr;
};

/// How a child process ended.
struct Ended {
  /// Its exit code, -1 if a signal killed it.
  int code = -1;
  /// The signal that killed it, or 0.
  int signal = 0;
  /// What it wrote to standard error.
  std::string error;
};

/// Reads until the other end is closed.
inline std::string read_all(int fd) {
  std::string text;
  char part[4096];
  for (ssize_t got = 0; (got = ::read(fd, part, sizeof part)) > 0;)
    text.append(part, static_cast<std::size_t>(got));
  return text;
}

/// A forked child that runs `body` with SIGINT at its default; code 0 when that returns, as an
/// uncaught exception would end a program when it throws.
class Child {
public:
  template <class F>
  explicit Child(F body) {
    int ends[2];
    if (::pipe(ends) != 0) return;
    std::fflush(nullptr);  // or the child would write it as well
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDERR_FILENO);
      ::close(ends[0]);
      ::close(ends[1]);
      ::alarm(300);  // a child that hangs must not outlive the test for long
      for (const int number : {SIGINT, SIGABRT, SIGTERM}) std::signal(number, SIG_DFL);
      run(body);
    }
    ::close(ends[1]);
    stderr_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() = default;

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Waits for its end.
  Ended wait() const {
    Ended ended;
    ended.error = read_all(stderr_);
    ::close(stderr_);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    if (WIFEXITED(status)) ended.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) ended.signal = WTERMSIG(status);
    return ended;
  }

private:
  template <class F>
  [[noreturn]] static void run(F& body) noexcept {  // so that nothing is caught further out
    body();
    ::_exit(0);
  }
  pid_t pid_ = -1;
  int stderr_ = -1;
};

}  // namespace support
