#include <brio/exec/run_in_executor.hpp>

#include <brio/core/logging.hpp>
#include <brio/core/timeouts.hpp>

#include <chrono>
#include <optional>
#include <string>

namespace brio {

namespace detail {

namespace {

/// A loop's default executor; goes with the loop.
struct DefaultExecutor {
  DefaultExecutor() = default;
  DefaultExecutor(const DefaultExecutor&) = delete;
  DefaultExecutor& operator=(const DefaultExecutor&) = delete;
  ~DefaultExecutor() { let_go(); }
  void let_go() {
    if (executor) executor->shutdown({.wait = false});
    executor.reset();
  }
  std::optional<ThreadPoolExecutor> executor;
};

void warn_of_threads(Duration timeout) {
  const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count();
  log(LogLevel::warning, "brio",
      "The executor did not finish joining its threads within " +
          std::to_string(static_cast<double>(millis) / 1000) + " seconds.");
}

Coro<void> shutdown_executor(EventLoop& loop, std::optional<Duration> timeout) {
  std::optional<ThreadPoolExecutor>& executor = loop.local<DefaultExecutor>().executor;
  if (!executor) co_return;
  const concurrent::Future<void> ended = executor->ended();
  executor->shutdown({.wait = false});
  bool late = false;
  try {
    co_await wait_for(wrap_future(ended), timeout);
  } catch (const TimeoutError&) {
    late = true;
  }
  if (late)
    warn_of_threads(*timeout);
  else
    executor->shutdown();  // the threads are in their last line: join them
}

DefaultExecutor& of(EventLoop& loop) {
  loop.check_closed();
  loop.set_executor_shutdown(&shutdown_executor);
  return loop.local<DefaultExecutor>();
}

}  // namespace

Executor& default_executor(EventLoop& loop) {
  if (loop.executor_shutdown_called()) throw RuntimeError("Executor shutdown has been called");
  std::optional<ThreadPoolExecutor>& executor = of(loop).executor;
  if (!executor) executor.emplace(ThreadPoolOptions{.thread_name_prefix = "brio"});
  return *executor;
}

}  // namespace detail

void set_default_executor(ThreadPoolExecutor executor, EventLoop* loop) {
  detail::DefaultExecutor& state = detail::of(loop ? *loop : get_running_loop());
  state.let_go();
  state.executor.emplace(std::move(executor));
}

}  // namespace brio
