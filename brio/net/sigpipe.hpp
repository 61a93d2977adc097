// Keeps SIGPIPE from a system call that has no MSG_NOSIGNAL of its own (sendfile, write, splice).
#pragma once

#include <brio/core/config.hpp>

#include <csignal>

namespace brio::net::detail {

/// Blocks SIGPIPE in this thread for a scope, and takes back one that came meanwhile. The process's
/// own handling of the signal is left as it is: a library has no business in changing that.
class BRIO_API SigpipeGuard {
public:
  SigpipeGuard() noexcept;
  SigpipeGuard(const SigpipeGuard&) = delete;
  SigpipeGuard& operator=(const SigpipeGuard&) = delete;
  ~SigpipeGuard();
  /// The call has failed with EPIPE: a signal is pending.
  void broken() noexcept { broken_ = true; }

private:
  sigset_t before_;
  bool was_pending_ = false;
  bool broken_ = false;
};

}  // namespace brio::net::detail
