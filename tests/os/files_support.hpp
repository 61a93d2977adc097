// What the tests of files share.
#pragma once

#include "support.hpp"

#include <brio/core/runner.hpp>
#include <brio/exec/run_in_executor.hpp>
#include <brio/os/files.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <future>
#include <string>
#include <sys/stat.h>

namespace brio::tests {

/// A directory that is empty at first and gone at last.
class Folder {
public:
  Folder() {
    std::string pattern = "/tmp/brio-files-XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    for (const std::string& name : names()) ::unlink((*this / name).c_str());
    CHECK(::rmdir(path_.c_str()) == 0);
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> found;
    DIR* const directory = opendir(path_.c_str());
    while (const dirent* entry = readdir(directory)) {
      if (entry->d_name[0] != '.' || std::string_view(entry->d_name).size() > 2)
        found.emplace_back(entry->d_name);
    }
    closedir(directory);
    return found;
  }

private:
  std::string path_;
};

/// What is in the file now, whatever anybody has in a buffer.
inline std::string on_disk(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  REQUIRE(fd >= 0);
  std::string data(1 << 22, '\0');
  const ssize_t count = ::read(fd, data.data(), data.size());
  ::close(fd);
  data.resize(static_cast<std::size_t>(count));
  return data;
}

inline void put_on_disk(const std::string& path, std::string_view data) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  REQUIRE(fd >= 0);
  REQUIRE(::write(fd, data.data(), data.size()) == static_cast<ssize_t>(data.size()));
  ::close(fd);
}

/// CHECK for what was awaited: macros and co_await do not go together.
template <class A, class B>
void same(const A& got, const B& expected,
          std::source_location where = std::source_location::current()) {
  INFO("line " << where.line());
  CHECK(got == expected);
}

/// "FileNotFoundError: open '/x' failed: …", or "nothing" where nothing was thrown.
template <class T>
Coro<std::string> error_of(Coro<T> what) {
  const auto outcome = co_await as_outcome(std::move(what));
  if (outcome.has_value()) co_return "nothing";
  std::string name = type_name(outcome.error());
  if (name.starts_with("brio::")) name.erase(0, 6);
  co_return name + ": " + describe(outcome.error());
}

/// The default executor's only thread is busy while this lives.
class BusyExecutor {
public:
  BusyExecutor() {
    brio::set_default_executor(brio::ThreadPoolExecutor({.max_workers = 1}));
    job_ = brio::run_in_executor(nullptr, [gate = gate_.get_future()] { gate.wait(); });
  }
  Coro<> let_go() {
    gate_.set_value();
    co_await job_;
  }

private:
  std::promise<void> gate_;
  brio::Future<> job_;
};

/// Numbered lines, `size` bytes of them at least.
inline std::string numbered(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i) + "\n";
  return text;
}

}  // namespace brio::tests
