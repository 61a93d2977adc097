#include <brio/net/sigpipe.hpp>

#include <cerrno>
#include <ctime>

namespace brio::net::detail {

SigpipeGuard::SigpipeGuard() noexcept {
  sigset_t pending;
  ::sigpending(&pending);
  // One that somebody else has caused and blocked is his.
  was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
  sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before_);
}

SigpipeGuard::~SigpipeGuard() {
  const int saved = errno;
  if (broken_ && !was_pending_) {
    sigset_t pipe;
    ::sigemptyset(&pipe);
    ::sigaddset(&pipe, SIGPIPE);
    const timespec now{0, 0};
    while (::sigtimedwait(&pipe, nullptr, &now) < 0 && errno == EINTR) {
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  errno = saved;
}

}  // namespace brio::net::detail
