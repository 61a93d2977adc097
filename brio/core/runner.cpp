#include <brio/core/runner.hpp>
#include <brio/core/detail/sigint.hpp>
#include <brio/core/gather.hpp>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace brio {

namespace {

// ---- SIGINT. One runner at a time has it: the one that runs in the main thread.

std::atomic<EventLoop*> interrupted_loop{nullptr};
std::atomic<int> interrupts{0};

void on_sigint(int number) {
  const int count = interrupts.fetch_add(1) + 1;
  if (count >= 3) {
    // Nothing answers any more: the default action ends the process.
    std::signal(number, SIG_DFL);
    std::raise(number);  // comes when this handler returns
    return;
  }
  if (EventLoop* loop = interrupted_loop.load()) loop->interrupt();
}

void take_sigint() noexcept {
  struct sigaction ours{};
  ours.sa_handler = &on_sigint;
  ours.sa_flags = SA_RESTART;
  sigemptyset(&ours.sa_mask);
  sigaction(SIGINT, &ours, nullptr);
}

// Installs the handler for one run, and restores it only if it is still ours.
class SigintGuard {
public:
  SigintGuard(EventLoop& loop, AnyTask main) : main_(std::move(main)) {
    if (getpid() != static_cast<pid_t>(gettid())) return;
    struct sigaction current{};
    if (sigaction(SIGINT, nullptr, &current) != 0 || current.sa_handler != SIG_DFL) return;
    interrupts = 0;
    interrupted_loop = &loop;
    loop.set_interrupt_check([](void* self) { static_cast<SigintGuard*>(self)->check(); }, this);
    take_sigint();
    installed_ = true;
    loop_ = &loop;
  }
  SigintGuard(const SigintGuard&) = delete;
  SigintGuard& operator=(const SigintGuard&) = delete;
  ~SigintGuard() { remove(); }
  // Gives the signal back; true if one came that the loop has not seen any more.
  bool remove() noexcept {
    if (!std::exchange(installed_, false)) return false;
    struct sigaction current{};
    if (sigaction(SIGINT, nullptr, &current) == 0 && current.sa_handler == &on_sigint)
      std::signal(SIGINT, SIG_DFL);
    loop_->set_interrupt_check(nullptr, nullptr);
    interrupted_loop = nullptr;
    return interrupts.load() > handled_;
  }
  [[nodiscard]] bool interrupted() const noexcept { return handled_ > 0; }

private:
  // Runs in the loop, between two callbacks.
  void check() {
    const int count = interrupts.load();
    while (handled_ < count) {
      ++handled_;
      if (handled_ == 1 && main_ && !main_.done())
        main_.cancel();
      else
        throw KeyboardInterrupt();
    }
  }
  AnyTask main_;
  EventLoop* loop_ = nullptr;
  int handled_ = 0;
  bool installed_ = false;
};

}  // namespace

void detail::restore_sigint() noexcept {
  if (interrupted_loop.load())
    take_sigint();
  else
    std::signal(SIGINT, SIG_DFL);
}

Runner::Runner(RunOptions options) : options_(std::move(options)) {}

Runner::~Runner() {
  try {
    close();
  } catch (...) {
    log(LogLevel::error, "brio",
        "closing the Runner failed: " + type_name(std::current_exception()) + ": " +
            describe(std::current_exception()));
  }
}

void Runner::initialize() {
  if (state_ == State::closed) throw RuntimeError("Runner is closed");
  if (state_ == State::initialized) return;
  loop_ = options_.loop_factory ? options_.loop_factory() : new_event_loop();
  if (options_.debug) loop_->set_debug(*options_.debug);
  context_ = copy_context();
  state_ = State::initialized;
}

EventLoop& Runner::get_loop() {
  initialize();
  return *loop_;
}

void Runner::begin() {
  if (running_loop_or_null())
    throw RuntimeError("Runner.run() cannot be called from a running event loop");
  initialize();
}

void Runner::run_task(const AnyTask& task) {
  detail::keep_error_of_main(nullptr);
  std::optional<SigintGuard> guard;
  if (options_.handle_sigint) guard.emplace(*loop_, task);
  struct Keep {
    const AnyTask& main;
    ~Keep() { detail::keep_error_of_main(main.state()->stored_error()); }
  } const keep{task};
  loop_->run_until_done(*task.state(), true);
  if (!guard) return;
  const bool late = guard->remove();
  if (late || (task.cancelled() && guard->interrupted() && task.uncancel() == 0))
    throw KeyboardInterrupt();
}

void Runner::cancel_all_tasks(EventLoop& loop) {
  const std::vector<AnyTask> left = all_tasks(&loop);
  if (left.empty()) return;
  for (const AnyTask& task : left) task.cancel();
  loop.run_until_complete(gather(return_exceptions, left));
  for (const AnyTask& task : left) {
    if (task.cancelled()) continue;
    if (std::exception_ptr error = task.exception()) {
      ExceptionContext context;
      context.message = "unhandled exception during brio::run() shutdown";
      context.exception = std::move(error);
      context.task = task;
      context.where = task.where();
      loop.call_exception_handler(context);
    }
  }
}

void Runner::close() {
  if (state_ != State::initialized) return;
  struct Finish {
    Runner& runner;
    ~Finish() {
      runner.loop_.reset();
      runner.state_ = State::closed;
    }
  } const finish{*this};
  // Main has ended: a SIGINT now ends the tear-down, with KeyboardInterrupt.
  std::optional<SigintGuard> guard;
  if (options_.handle_sigint) guard.emplace(*loop_, AnyTask());
  cancel_all_tasks(*loop_);
  loop_->run_until_complete(loop_->shutdown_asyncgens());
  loop_->run_until_complete(loop_->shutdown_default_executor());
  // One that came behind the last callback is not lost either.
  if (guard && guard->remove()) throw KeyboardInterrupt();
}

// ---- uncaught exceptions

namespace {

const std::terminate_handler original_terminate = std::get_terminate();

[[noreturn]] void end_as_python_would() {
  int code = 1;
  if (const std::exception_ptr error = std::current_exception()) {
    try {
      std::rethrow_exception(error);
    } catch (const SystemExit& e) {
      code = e.code();
      if (*e.what()) std::fprintf(stderr, "%s\n", e.what());
    } catch (const KeyboardInterrupt&) {
      code = 130;
      std::fprintf(stderr, "%sKeyboardInterrupt\n", detail::error_trace(error).c_str());
    } catch (...) {
      const std::string text = describe(error);
      std::fprintf(stderr, "%s%s%s%s\n", detail::error_trace(error).c_str(),
                   type_name(error).c_str(), text.empty() ? "" : ": ", text.c_str());
    }
    std::fflush(nullptr);
    std::_Exit(code);
  }
  std::abort();
}

}  // namespace

void detail::install_terminate_handler() noexcept {
  // Only over the default one: a program's own handler stays.
  static bool installed = false;
  if (installed || std::get_terminate() != original_terminate) return;
  installed = true;
  std::set_terminate(&end_as_python_would);
}

}  // namespace brio
