// What the tests of pipes and subprocesses share.
#pragma once

#include "../net/support.hpp"

#include <brio/core/logging.hpp>
#include <brio/os/pipes.hpp>
#include <brio/os/subprocess.hpp>

#include <cerrno>
#include <cstddef>
#include <dirent.h>
#include <mutex>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace brio::tests {

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  if (DIR* directory = opendir("/proc/self/fd")) {
    while (readdir(directory) != nullptr) ++count;
    closedir(directory);
  }
  return count;
}

/// No child is left, running or dead: nothing to wait for.
inline bool no_children() { return waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

/// Around a test: as many descriptors after it as before, and no child left.
class NothingLeft {
public:
  NothingLeft() { CHECK(no_children()); }
  NothingLeft(const NothingLeft&) = delete;
  NothingLeft& operator=(const NothingLeft&) = delete;
  ~NothingLeft() {
    CHECK(no_children());
    CHECK(open_descriptors() == before_);
  }

private:
  std::size_t before_ = open_descriptors();
};

/// While it lives, what brio logs is kept, whichever thread says it.
class Logs {
public:
  Logs() {
    {
      const std::lock_guard lock(mutex());
      lines().clear();
    }
    before_ = set_log_hook([](const LogRecord& record) {
      const std::lock_guard lock(mutex());
      lines().push_back(std::string(record.message));
    });
  }
  Logs(const Logs&) = delete;
  Logs& operator=(const Logs&) = delete;
  ~Logs() { set_log_hook(before_); }
  /// Is there a line with `text` in it?
  [[nodiscard]] static bool contain(std::string_view text) {
    const std::lock_guard lock(mutex());
    for (const std::string& line : lines()) {
      if (line.find(text) != std::string::npos) return true;
    }
    return false;
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
  LogHook before_ = nullptr;
};

}  // namespace brio::tests
