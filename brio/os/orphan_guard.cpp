#include <brio/os/orphan_guard.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <ctime>
#include <sys/prctl.h>
#include <unistd.h>

namespace brio::detail {

namespace {

// Written before the handler is in place, and only read by it.
struct Guard {
  pid_t supervisor = -1;
  timer_t timer{};
  itimerspec time_left{};
  char last_words[200] = "";
  std::size_t length = 0;
};
Guard guard;
volatile std::sig_atomic_t armed = 0;

void arm() noexcept {
  if (armed != 0 || ::getppid() == guard.supervisor) return;
  armed = 1;
  ::timer_settime(guard.timer, 0, &guard.time_left, nullptr);
}

// System calls alone.
void on_signal(int, siginfo_t* info, void*) {
  const int error = errno;
  if (info->si_code == SI_TIMER && info->si_value.sival_ptr == &guard) {
    [[maybe_unused]] const auto said = ::write(STDERR_FILENO, guard.last_words, guard.length);
    ::_exit(1);
  }
  arm();
  errno = error;
}

}  // namespace

void end_when_orphaned(pid_t supervisor, Duration time_left, std::string_view name) noexcept {
  const int number = SIGRTMAX;
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = number;
  event.sigev_value.sival_ptr = &guard;
  if (::timer_create(CLOCK_MONOTONIC, &event, &guard.timer) != 0) return;
  guard.supervisor = supervisor;
  const Duration left = std::max(time_left, Duration(1));  // 0 would mean never
  const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
  guard.time_left.it_value.tv_sec = static_cast<time_t>(seconds.count());
  guard.time_left.it_value.tv_nsec = static_cast<long>((left - seconds).count());
  const int length =
      std::snprintf(guard.last_words, sizeof guard.last_words,
                    "%.*s hangs: its loop is blocked; it ends now, as its supervisor is gone\n",
                    static_cast<int>(name.size()), name.data());
  guard.length =
      std::min(static_cast<std::size_t>(std::max(length, 0)), sizeof guard.last_words - 1);

  struct sigaction action{};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  if (::sigaction(number, &action, nullptr) != 0) return;
  ::prctl(PR_SET_PDEATHSIG, number);
  arm();  // it may have died before that
}

}  // namespace brio::detail
