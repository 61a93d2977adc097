// run and Runner: from main() into a coroutine and back.
#pragma once

#include <brio/core/ensure_future.hpp>
#include <brio/core/policy.hpp>

#include <concepts>
#include <optional>
#include <source_location>
#include <utility>

namespace brio {

/// Keyword arguments of run and Runner.
struct RunOptions {
  /// Debug mode; default: BRIO_DEBUG.
  std::optional<bool> debug = std::nullopt;
  /// Makes the loop; default: new_event_loop.
  LoopFactory loop_factory = nullptr;
  /// Take SIGINT while running, if it is at its default and this is the main thread.
  bool handle_sigint = true;
};

/// Several runs on one loop and in one context (asyncio.Runner).
///
/// The first SIGINT during run() cancels the main task; if that task ends cancelled by it, run()
/// throws KeyboardInterrupt. A second one throws KeyboardInterrupt from run() once the current
/// callback returns; a third has its default action.
class BRIO_API Runner {
public:
  explicit Runner(RunOptions options = {});
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  /// close(); an error of it goes to the log.
  ~Runner();

  /// Runs a coroutine to its end and gives its value. `context` replaces the
  /// runner's own. Throws RuntimeError inside a running loop or after close().
  template <class T>
  T run(Coro<T> main, std::optional<Context> context = std::nullopt,
        std::source_location where = std::source_location::current()) {
    begin();
    TaskOptions options;
    options.name = std::nullopt;
    options.context = context ? *context : *context_;
    const Task<T> task = loop_->create_task(std::move(main), std::move(options), where);
    run_task(task);
    return detail::take_result(task);
  }
  /// The same for any other awaitable that is no future: `runner.run(brio::sleep(1s))`.
  template <detail::PlainAwaitable A>
  auto run(A awaitable, std::optional<Context> context = std::nullopt,
           std::source_location where = std::source_location::current()) {
    return run(detail::as_coro(std::move(awaitable)), std::move(context), where);
  }
  /// The runner's loop; made on first use.
  [[nodiscard]] EventLoop& get_loop();
  /// Cancels what is left and waits for it, closes async generators and the default executor, then
  /// the loop. Errors of cancelled tasks go to the exception handler. Does nothing a second time.
  void close();

private:
  enum class State : std::uint8_t { created, initialized, closed };
  void begin();
  void initialize();
  void run_task(const AnyTask& task);
  static void cancel_all_tasks(EventLoop& loop);
  RunOptions options_;
  LoopPtr loop_;
  std::optional<Context> context_;
  State state_ = State::created;
};

namespace detail {
/// Makes an uncaught exception print its type and message and exit as Python would.
BRIO_API void install_terminate_handler() noexcept;
}  // namespace detail

/// Runs `main` on a new loop and tears the loop down: cancels what is left, closes async generators
/// and the default executor (asyncio.run). Gives main's value or throws its error, after that. An
/// exception that then leaves the program's main() prints type and message and exits as Python
/// does: 1, SystemExit's code, 130 for KeyboardInterrupt.
template <class T>
T run(Coro<T> main, RunOptions options = {},
      std::source_location where = std::source_location::current()) {
  if (running_loop_or_null())
    throw RuntimeError("brio::run() cannot be called from a running event loop");
  detail::install_terminate_handler();
  Runner runner(std::move(options));
  if constexpr (std::is_void_v<T>) {
    std::exception_ptr error;
    try {
      runner.run(std::move(main), std::nullopt, where);
    } catch (...) {
      error = std::current_exception();
    }
    runner.close();
    if (error) std::rethrow_exception(error);
  } else {
    std::exception_ptr error;
    std::optional<T> value;
    try {
      value.emplace(runner.run(std::move(main), std::nullopt, where));
    } catch (...) {
      error = std::current_exception();
    }
    runner.close();
    if (error) std::rethrow_exception(error);
    return std::move(*value);
  }
}
/// The same for any other awaitable that is no future: `brio::run(brio::sleep(1s))`.
template <detail::PlainAwaitable A>
auto run(A awaitable, RunOptions options = {},
         std::source_location where = std::source_location::current()) {
  return run(detail::as_coro(std::move(awaitable)), std::move(options), where);
}
/// The same for a callable that returns a Coro; the closure lives until the end.
template <class F>
  requires detail::CoroFunction<F>
auto run(F&& main, RunOptions options = {},
         std::source_location where = std::source_location::current()) {
  std::decay_t<F> function(std::forward<F>(main));
  return run(function(), std::move(options), where);
}

}  // namespace brio
