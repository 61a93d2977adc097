#include <brio/os/worker_child.hpp>

#include <brio/core/detail/error_trace.hpp>
#include <brio/core/runner.hpp>
#include <brio/os/orphan_guard.hpp>
#include <brio/os/signals.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

namespace brio::detail {

namespace {

constexpr Duration a_year = std::chrono::hours(24 * 365);  // long enough, and no sum overflows

class WorkerChild final : public WorkerHost {
public:
  explicit WorkerChild(const WorkerBirth& birth)
      : birth_(birth), worker_(*this, birth.index, birth.count) {}
  int run();

  void stop_all() override { say(worker_says_stop_all); }
  void ready() override { say(worker_says_ready); }

private:
  void say(char word) const noexcept {
    (void)::send(birth_.channel, &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  void attach(EventLoop& loop);
  void hear(EventLoop& loop);
  void orphaned(EventLoop& loop);
  void terminated(EventLoop& loop);
  void cancel();
  static Coro<void> main_of(WorkerChild& self);
  int code_of(const std::exception_ptr& error) const;

  const WorkerBirth& birth_;
  Worker worker_;
  AnyTask main_;
  int terminations_ = 0;
};

int WorkerChild::run() {
  pthread_setname_np(pthread_self(), worker_.name().substr(0, 15).c_str());  // the kernel keeps 15
  RunOptions options;
  options.debug = birth_.options.debug;
  options.handle_sigint = false;
  if (birth_.options.loop_factory)
    options.loop_factory = [this] { return birth_.options.loop_factory(); };
  int code = 0;
  try {
    Runner runner(std::move(options));
    attach(runner.get_loop());
    try {
      runner.run(main_of(*this));
    } catch (...) {  // told at once, before what is left is torn down
      code = code_of(std::current_exception());
    }
    main_ = {};
    runner.close();
  } catch (...) {
    code = code_of(std::current_exception());
  }
  return code;
}

Coro<void> WorkerChild::main_of(WorkerChild& self) {
  self.main_ = current_task();
  self.main_.set_name(self.worker_.name());
  co_await self.birth_.factory.call(self.worker_);
}

void WorkerChild::attach(EventLoop& loop) {
  loop.add_reader(birth_.channel, [this, &loop] { hear(loop); });
  add_signal_handler(loop, SIGTERM, [this, &loop] { terminated(loop); });
  // These come to all processes of a terminal; what they mean for us, our supervisor says. A
  // handler and not SIG_IGN, which programs that we start would inherit.
  for (const int number : {SIGINT, SIGHUP}) add_signal_handler(loop, number, [] {});
  const std::optional<Duration>& graceful = birth_.options.graceful_timeout;
  const std::optional<Duration>& cancelled = birth_.options.cancel_timeout;
  // A little later than orphaned(), which has the first word where the loop still turns.
  if (graceful && cancelled)
    end_when_orphaned(
        birth_.supervisor,
        std::min(*graceful, a_year) + std::min(*cancelled, a_year) + std::chrono::milliseconds(100),
        worker_.name());
  pthread_sigmask(SIG_SETMASK, &birth_.signal_mask, nullptr);
}

void WorkerChild::hear(EventLoop& loop) {
  char word = 0;
  ssize_t count = 0;
  while ((count = ::recv(birth_.channel, &word, 1, 0)) > 0) {
    worker_.told_to_stop();
    if (word == worker_is_cancelled) cancel();
  }
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  loop.remove_reader(birth_.channel);
  orphaned(loop);
}

// The supervisor is gone, and its deadlines with it: we keep them ourselves.
void WorkerChild::orphaned(EventLoop& loop) {
  worker_.told_to_stop();
  const WorkerProcessOptions& options = birth_.options;
  if (!options.graceful_timeout) return;
  loop.call_later(*options.graceful_timeout, [this, &loop] {
    cancel();
    if (!birth_.options.cancel_timeout) return;
    loop.call_later(*birth_.options.cancel_timeout, [this] {
      log(LogLevel::error, "brio.os",
          worker_.name() +
              " hangs: it was cancelled and has not ended; it ends now, as its "
              "supervisor is gone");
      ::_exit(1);
    });
  });
}

void WorkerChild::terminated(EventLoop& loop) {
  worker_.told_to_stop();
  if (++terminations_ == 1) {
    say(worker_says_terminated);
    return;
  }
  remove_signal_handler(loop, SIGTERM);  // a third kills
  cancel();
}

void WorkerChild::cancel() {
  if (main_) main_.cancel();
}

int WorkerChild::code_of(const std::exception_ptr& error) const {
  if (classify(error) == ErrorKind::cancelled) return 0;
  try {
    std::rethrow_exception(error);
  } catch (const SystemExit& e) {
    return e.code();
  } catch (...) {
    log(LogLevel::error, "brio.os",
        worker_.name() + " failed\n" + error_trace(error) + type_name(error) + ": " +
            describe(error));
  }
  return 1;
}

}  // namespace

void run_worker_child(const WorkerBirth& birth) noexcept {
  int code = 1;
  {
    WorkerChild child(birth);
    code = child.run();
  }
  std::fflush(nullptr);
  ::_exit(code);  // the parent's frames, atexit handlers and static objects are not ours
}

}  // namespace brio::detail
