// Bridges between loops and threads: wrap_future and run_coroutine_threadsafe.
#pragma once

#include <brio/core/ensure_future.hpp>
#include <brio/exec/detail/bridge.hpp>

#include <concepts>
#include <utility>

namespace brio {

/// A future of the running loop (or of `loop`, in its thread) that is completed when `future` is
/// (asyncio.wrap_future). Cancelling either cancels the other, if what is behind it has not begun.
/// The value is copied; a move-only one is moved and then gone from `future`. If the loop is
/// closed before, the result is dropped.
template <class T>
[[nodiscard]] Future<T> wrap_future(const concurrent::Future<T>& future,
                                    EventLoop* loop = nullptr) {
  EventLoop& home = loop ? *loop : get_running_loop();
  Future<T> result = home.create_future<T>();
  detail::chain_to_loop(home, future, result, false);
  return result;
}
/// A future or task of a loop is given back as it is.
template <std::derived_from<AnyFuture> F>
[[nodiscard]] F wrap_future(F future) {
  return future;
}

namespace detail {

/// Posts `start` (which makes the task) to the loop; its errors fail the concurrent future.
template <class T, class Start>
concurrent::Future<T> start_threadsafe(EventLoop& loop, Start&& start) {
  concurrent::Future<T> future = concurrent::create_future<T>();
  loop.call_soon_threadsafe(
      [&loop, future, pledge = Pledge(future), start = std::forward<Start>(start)]() mutable {
        std::exception_ptr error;
        try {
          chain_to_thread(loop, start(loop), future);
          pledge.kept();
          return;
        } catch (...) {
          error = std::current_exception();
        }
        if (classify(error) != ErrorKind::fatal && future.set_running_or_notify_cancel()) {
          pledge.kept();
          future.set_exception(error);
        }
        std::rethrow_exception(std::move(error));
      });
  return future;
}

}  // namespace detail

/// Schedules a coroutine on `loop` from another thread (asyncio.run_coroutine_threadsafe). The
/// coroutine runs in the loop's thread; wait for it by result() in this one. Cancelling the future
/// cancels the task; a cancelled task cancels the future, and so does a loop that closes before
/// the task is done. Throws RuntimeError if the loop is closed.
template <class T>
concurrent::Future<T> run_coroutine_threadsafe(Coro<T> coro, EventLoop& loop) {
  if (!coro.valid()) detail::throw_awaited_twice();
  return detail::start_threadsafe<T>(loop, [coro = std::move(coro)](EventLoop& home) mutable {
    return home.create_task(std::move(coro));
  });
}
/// The same for a callable that returns a coroutine: called in the loop's thread, and kept as long
/// as the task, so a capturing lambda is safe here. What it captures by reference must live until
/// the task is done.
template <class F>
  requires detail::CoroFunction<F>
auto run_coroutine_threadsafe(F&& function, EventLoop& loop)
    -> concurrent::Future<detail::coro_value_t<F>> {
  using T = detail::coro_value_t<F>;
  return detail::start_threadsafe<T>(
      loop, [function = std::decay_t<F>(std::forward<F>(function))](EventLoop& home) mutable {
        return detail::start_closure<T>(home, TaskOptions{}, std::source_location::current(),
                                        std::move(function));
      });
}

}  // namespace brio
