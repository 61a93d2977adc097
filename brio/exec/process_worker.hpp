// Inside brio/exec. Worker processes: how one is started, what it does, how it ended.
#pragma once

#include <brio/exec/process_pool.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <sys/types.h>
#include <utility>

namespace brio::detail {

/// A descriptor with an owner.
class OwnedFd {
public:
  OwnedFd() noexcept = default;
  explicit OwnedFd(int fd) noexcept : fd_(fd) {}
  OwnedFd(OwnedFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  OwnedFd& operator=(OwnedFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd() { reset(); }
  void reset() noexcept;
  [[nodiscard]] int get() const noexcept { return fd_; }
  explicit operator bool() const noexcept { return fd_ >= 0; }

private:
  int fd_ = -1;
};

/// A child that is not reaped yet.
struct PoolProcess {
  pid_t pid = -1;
  OwnedFd pidfd;    // readable when it has ended; none on a kernel without
  OwnedFd channel;  // non-blocking
};

/// How a process ended, as waitid tells it.
struct WorkerEnd {
  bool clean = false;  // exit status 0, or unknown
  int signal = 0;      // that killed it, 0 if none
  std::string text;    // "exited with status 3", "was killed by signal 11 (Segmentation fault)"
};

/// Starts a worker. It dies with the calling thread, if not before. Throws OSError.
[[nodiscard]] PoolProcess start_worker(StartMethod method, std::size_t max_message_size);
/// Waits for the end of the process, and reaps it.
[[nodiscard]] WorkerEnd reap(const PoolProcess& worker) noexcept;
/// Sends a signal. The process is not reaped yet, so its number is nobody else's.
void send_signal(const PoolProcess& worker, int signal) noexcept;

/// The worker's life: makes the calls that arrive until the channel ends. Gives the exit status.
int serve_calls(int channel, std::size_t max_message_size) noexcept;

/// Has main() called freeze_support?
[[nodiscard]] bool can_spawn() noexcept;

}  // namespace brio::detail
