#include <brio/os/signals.hpp>

#include <brio/core/detail/sigint.hpp>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <map>
#include <memory>
#include <pthread.h>
#include <string>
#include <unistd.h>

namespace brio {

namespace {

// Where the C handler writes signal numbers; one loop at a time has the reading end.
std::atomic<int> wakeup_fd{-1};

void on_signal(int number) {
  const int saved = errno;
  const int fd = wakeup_fd.load();
  const auto byte = static_cast<unsigned char>(number);
  // A full pipe already holds enough to wake the loop; as in CPython the surplus is dropped.
  if (fd >= 0) {
    [[maybe_unused]] const auto put = ::write(fd, &byte, 1);
  }
  errno = saved;
}

// A forked child has the pipe too, but its signals are not the parent's.
[[maybe_unused]] const int fork_handler =
    pthread_atfork(nullptr, nullptr, [] { wakeup_fd.store(-1); });

void reset(int number) {
  if (number == SIGINT) {
    detail::restore_sigint();
    return;
  }
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

// One loop's handlers. Lives in the loop (EventLoop::local) and goes with its close().
class SignalHandlers {
public:
  SignalHandlers() = default;
  SignalHandlers(const SignalHandlers&) = delete;
  SignalHandlers& operator=(const SignalHandlers&) = delete;
  ~SignalHandlers() {
    while (!handlers_.empty()) remove(handlers_.begin()->first);
  }

  void add(EventLoop& loop, int number, std::shared_ptr<detail::UniqueFunction<void()>> callback,
           std::source_location where) {
    loop_ = &loop;
    if (handlers_.empty()) open();
    struct sigaction action{};
    action.sa_handler = &on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, nullptr) != 0) {
      const int error = errno;
      if (handlers_.empty()) close();
      if (error == EINVAL)
        throw RuntimeError("sig " + std::to_string(number) + " cannot be caught");
      throw_oserror(error, "sigaction");
    }
    handlers_[number] = Handler{std::move(callback), copy_context(), where};
  }

  bool remove(int number) {
    const auto found = handlers_.find(number);
    if (found == handlers_.end()) return false;
    reset(number);
    handlers_.erase(found);
    if (handlers_.empty()) close();
    return true;
  }

private:
  struct Handler {
    std::shared_ptr<detail::UniqueFunction<void()>> callback;
    Context context;
    std::source_location where;
  };

  void open() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) throw_oserror(errno, "pipe for signals");
    int nobody = -1;
    if (!wakeup_fd.compare_exchange_strong(nobody, ends[1])) {
      ::close(ends[0]);
      ::close(ends[1]);
      throw RuntimeError("another event loop handles the signals of this process");
    }
    read_end_ = ends[0];
    write_end_ = ends[1];
    loop_->add_reader(read_end_, [this] { deliver(); });
  }

  void close() noexcept {
    if (read_end_ < 0) return;
    wakeup_fd.store(-1);
    if (!loop_->is_closed()) {
      try {
        loop_->remove_reader(read_end_);
      } catch (...) {
        log(LogLevel::error, "brio.os", "unwatching the signal pipe failed");
      }
    }
    ::close(read_end_);
    ::close(write_end_);
    read_end_ = write_end_ = -1;
  }

  void deliver() {
    unsigned char numbers[256];
    const ssize_t count = ::read(read_end_, numbers, sizeof numbers);
    for (ssize_t i = 0; i < count; ++i) {
      const auto found = handlers_.find(numbers[i]);
      if (found == handlers_.end()) continue;  // removed meanwhile
      const Handler& handler = found->second;
      loop_->call_soon([callback = handler.callback] { (*callback)(); },
                       {.context = handler.context}, handler.where);
    }
  }

  EventLoop* loop_ = nullptr;
  int read_end_ = -1;
  int write_end_ = -1;
  std::map<int, Handler> handlers_;
};

void check_number(int number) {
  if (number < 1 || number >= NSIG)
    throw ValueError("invalid signal number " + std::to_string(number));
}

}  // namespace

void detail::install_signal_handler(EventLoop& loop, int signal_number,
                                    UniqueFunction<void()> callback, std::source_location where) {
  check_number(signal_number);
  loop.check_closed();
  if (getpid() != gettid())
    throw RuntimeError("signal handlers can only be set in the main thread");
  loop.local<SignalHandlers>().add(
      loop, signal_number, std::make_shared<UniqueFunction<void()>>(std::move(callback)), where);
}

bool remove_signal_handler(EventLoop& loop, int signal_number) {
  check_number(signal_number);
  if (loop.is_closed()) return false;
  return loop.local<SignalHandlers>().remove(signal_number);
}

bool remove_signal_handler(int signal_number) {
  return remove_signal_handler(get_running_loop(), signal_number);
}

}  // namespace brio
