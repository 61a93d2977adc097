#include <brio/os/supervisor_signals.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/os/worker.hpp>

#include <cerrno>
#include <ctime>
#include <pthread.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace brio::detail {

SupervisorSignals::SupervisorSignals(bool take) {
  sigset_t taken;
  sigemptyset(&taken);
  if (take) {
    for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGTTIN, SIGTTOU})
      if (has_default_action(number)) sigaddset(&taken, number);
    descriptor_ = os::Descriptor::adopt(::signalfd(-1, &taken, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!descriptor_) throw_oserror(errno, "signalfd");
  }
  pthread_sigmask(SIG_BLOCK, &taken, &before_);
}

std::optional<int> SupervisorSignals::next() noexcept {
  signalfd_siginfo info{};
  if (!descriptor_ || ::read(descriptor_.fileno(), &info, sizeof info) != sizeof info)
    return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

void SupervisorSignals::give_back() noexcept {
  if (!descriptor_) return;
  descriptor_.close();
  // Without us SIGHUP would kill, and the other two stop, a program that has done all it should.
  sigset_t ours;
  sigemptyset(&ours);
  for (const int number : {SIGHUP, SIGTTIN, SIGTTOU})
    if (!sigismember(&before_, number)) sigaddset(&ours, number);
  const timespec at_once{};
  while (sigtimedwait(&ours, nullptr, &at_once) > 0) {
  }
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace brio::detail
