#include <brio/os/child.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/logging.hpp>
#include <brio/exec/wrap_future.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <mutex>
#include <poll.h>
#include <pthread.h>
#include <string>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace brio::os::detail {

namespace {

constexpr int reaped_by_others = 255;  // asyncio's return code for that case
constexpr int milliseconds_to_die = 1000;

std::atomic<bool> pidfd_allowed{true};

Descriptor open_pidfd(pid_t pid) noexcept {
#ifdef SYS_pidfd_open
  if (pidfd_allowed.load())
    return Descriptor::adopt(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
#endif
  (void)pid;
  return {};
}

// waitid without the interruptions. `pidfd` is used where it is given and the kernel can.
int wait_for(pid_t pid, int pidfd, siginfo_t& info, int flags) noexcept {
  constexpr auto by_pidfd = static_cast<idtype_t>(3);  // P_PIDFD, Linux 5.4
  while (true) {
    info.si_pid = 0;
    int result = -1;
    if (pidfd >= 0) {
      result = ::waitid(by_pidfd, static_cast<id_t>(pidfd), &info, flags);
      if (result < 0 && errno == EINVAL) {
        pidfd = -1;
        continue;
      }
    } else {
      result = ::waitid(P_PID, static_cast<id_t>(pid), &info, flags);
    }
    if (result == 0 || errno != EINTR) return result;
  }
}

// 0 or an errno. By pidfd it cannot hit a stranger, should somebody else have reaped the child.
int signal_child(pid_t pid, int pidfd, int number) noexcept {
#ifdef SYS_pidfd_send_signal
  if (pidfd >= 0) {
    if (::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0) == 0) return 0;
    if (errno != ENOSYS && errno != EPERM) return errno;
  }
#endif
  (void)pidfd;
  return ::kill(pid, number) == 0 ? 0 : errno;
}

int returncode_of(const siginfo_t& info) noexcept {
  return info.si_code == CLD_EXITED ? info.si_status : -info.si_status;
}

// Children that were abandoned and could not be killed (they run with other rights) or would not
// die in time: looked after whenever another is started or abandoned.
class Orphans {
public:
  void add(pid_t pid) {
    const std::lock_guard lock(mutex_);
    pids_.push_back(pid);
  }
  void reap() noexcept {
    const std::lock_guard lock(mutex_);
    std::erase_if(pids_, [](pid_t pid) {
      siginfo_t info{};
      return wait_for(pid, -1, info, WEXITED | WNOHANG) != 0 || info.si_pid != 0;
    });
  }

private:
  std::mutex mutex_;
  std::vector<pid_t> pids_;
};

Orphans& orphans() {
  static Orphans all;
  return all;
}

// True once the child has ended.
bool wait_a_moment(pid_t pid, int pidfd) noexcept {
  siginfo_t info{};
  for (int i = 0; i < milliseconds_to_die; ++i) {
    if (wait_for(pid, pidfd, info, WEXITED | WNOHANG) != 0 || info.si_pid != 0) return true;
    if (pidfd >= 0) {
      pollfd ready{pidfd, POLLIN, 0};
      (void)::poll(&ready, 1, 1);
    } else {
      const timespec millisecond{0, 1'000'000};
      (void)::nanosleep(&millisecond, nullptr);
    }
  }
  return false;
}

}  // namespace

void Child::allow_pidfd(bool allowed) noexcept { pidfd_allowed.store(allowed); }

Child::Child(pid_t pid) noexcept : pid_(pid), pidfd_(open_pidfd(pid)) { orphans().reap(); }

Child::~Child() { (void)abandon(); }

void Child::watch(EventLoop& loop, brio::detail::UniqueFunction<void(int)> exited) {
  loop_ = &loop;
  exited_ = std::move(exited);
  if (!pidfd_) {
    watch_by_thread(loop);
    return;
  }
  loop.add_reader(pidfd_.fileno(), [this] { ended(); });
  watched_ = true;
}

void Child::watch_by_thread(EventLoop& loop) {
  const auto done = concurrent::create_future<>();
  (void)done.set_running_or_notify_cancel();
  thread_done_ = wrap_future(done, &loop);
  thread_done_.add_done_callback([this](const Future<>& future) {
    if (!future.cancelled()) ended();
  });
  // The program's signals are not this thread's business.
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  std::exception_ptr failure;
  try {
    // Looks only: the loop's thread reaps. Detached, because a child may outlive its loop.
    std::thread([pid = pid_, done] {
      siginfo_t info{};
      (void)wait_for(pid, -1, info, WEXITED | WNOWAIT);
      done.set_result();
    }).detach();
  } catch (...) {
    failure = std::current_exception();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (failure) {
    thread_done_.cancel();
    std::rethrow_exception(failure);
  }
}

void Child::ended() {
  if (reaped_) return;
  if (std::exchange(watched_, false)) loop_->remove_reader(pidfd_.fileno());
  const int returncode = reap();
  pidfd_.close();
  thread_done_ = {};
  const auto exited = std::exchange(exited_, nullptr);
  if (exited) exited(returncode);
}

int Child::reap() noexcept {
  siginfo_t info{};
  reaped_ = true;
  if (wait_for(pid_, pidfd_.fileno(), info, WEXITED) == 0) return returncode_of(info);
  log(LogLevel::warning, "brio.os",
      "child process pid " + std::to_string(pid_) +
          " exit status already read: will report returncode 255");
  return reaped_by_others;
}

std::optional<int> Child::poll() noexcept {
  if (reaped_ || running()) return std::nullopt;
  const int returncode = reap();
  pidfd_.close();
  return returncode;
}

void Child::forget() noexcept {
  reaped_ = true;
  pidfd_.close();
}

bool Child::running() const noexcept {
  if (reaped_) return false;
  siginfo_t info{};
  return wait_for(pid_, pidfd_.fileno(), info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

void Child::send_signal(int number) {
  if (reaped_) return;
  const int error = signal_child(pid_, pidfd_.fileno(), number);
  if (error != 0 && error != ESRCH) {
    throw_oserror(error,
                  "signal " + std::to_string(number) + " to process " + std::to_string(pid_));
  }
}

bool Child::abandon() noexcept {
  exited_ = nullptr;
  if (std::exchange(reaped_, true)) return false;
  try {
    if (std::exchange(watched_, false)) loop_->remove_reader(pidfd_.fileno());
  } catch (...) {
    // Closing the descriptor ends the watch all the same.
  }
  siginfo_t info{};
  const bool ended =
      wait_for(pid_, pidfd_.fileno(), info, WEXITED | WNOHANG) != 0 || info.si_pid != 0;
  // Killed, it is gone within moments, if nothing holds it in the kernel.
  if (!ended && (signal_child(pid_, pidfd_.fileno(), SIGKILL) != 0 ||
                 !wait_a_moment(pid_, pidfd_.fileno()))) {
    orphans().add(pid_);
  }
  pidfd_.close();
  orphans().reap();
  return !ended;
}

}  // namespace brio::os::detail
