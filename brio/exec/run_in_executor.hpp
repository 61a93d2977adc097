// run_in_executor and to_thread: blocking calls without blocking the loop.
#pragma once

#include <brio/core/context.hpp>
#include <brio/exec/thread_pool.hpp>
#include <brio/exec/wrap_future.hpp>

#include <tuple>
#include <utility>

namespace brio {

namespace detail {
/// The loop's default executor, made on first use. Throws RuntimeError when it was shut down.
BRIO_API Executor& default_executor(EventLoop& loop);
}  // namespace detail

/// Replaces the running loop's (or `loop`'s) default executor, which run_in_executor(nullptr, …),
/// to_thread and name look-ups use. The loop shuts it down: shutdown_default_executor waits for its
/// threads, close() does not. An executor that is replaced is shut down without a wait; its jobs
/// are done nevertheless.
BRIO_API void set_default_executor(ThreadPoolExecutor executor, EventLoop* loop = nullptr);

/// Calls `function(args…)` in a thread of `executor`, by default of the loop's default executor
/// (loop.run_in_executor). Callable and arguments are decay-copied into the job, as by std::thread.
///
/// Cancelling the future stops a job that has not begun. One that has begun goes on, although the
/// await ends: what it refers to must outlive it, so capture by value. It does not see the caller's
/// context variables (to_thread does). Throws RuntimeError after shutdown_default_executor.
template <class F, class... Args>
  requires detail::JobFunction<F, Args...>
auto run_in_executor(EventLoop& loop, Executor* executor, F&& function, Args&&... args)
    -> Future<detail::job_result_t<F, Args...>> {
  using R = detail::job_result_t<F, Args...>;
  loop.check_closed();
  Executor& pool = executor ? *executor : detail::default_executor(loop);
  const Future<R> result = loop.create_future<R>();
  detail::chain_to_loop(loop, pool.submit(std::forward<F>(function), std::forward<Args>(args)...),
                        result, true);
  return result;
}
template <class F, class... Args>
  requires detail::JobFunction<F, Args...>
auto run_in_executor(Executor* executor, F&& function, Args&&... args)
    -> Future<detail::job_result_t<F, Args...>> {
  return run_in_executor(get_running_loop(), executor, std::forward<F>(function),
                         std::forward<Args>(args)...);
}

/// Calls `function(args…)` in a thread of the default executor and gives its result
/// (asyncio.to_thread). It runs in a copy of the caller's context. Cancellation: as for
/// run_in_executor; a call that has begun goes on, so do not let it refer to what the cancelled
/// coroutine owns.
///
///     std::string text = co_await brio::to_thread(read_file, path);
template <class F, class... Args>
  requires detail::JobFunction<F, Args...>
Coro<detail::job_result_t<F, Args...>> to_thread(F function, Args... args) {
  co_return co_await run_in_executor(
      nullptr, [context = copy_context(), function = std::move(function),
                arguments = std::tuple<Args...>(std::move(args)...)]() mutable {
        return context.run([&]() -> decltype(auto) {
          return std::apply(std::move(function), std::move(arguments));
        });
      });
}

}  // namespace brio
