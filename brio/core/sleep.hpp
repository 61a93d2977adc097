// sleep and the bare yield.
#pragma once

#include <brio/core/loop.hpp>

#include <chrono>
#include <coroutine>
#include <type_traits>
#include <utility>

namespace brio {

namespace detail {

/// A timer in the awaiting frame, or a bare yield if the delay is not positive. A due timer
/// takes one turn to wake the task and the task another to resume, as asyncio's timer handle and
/// future do.
class [[nodiscard]] BRIO_API SleepAwaiter : public Waiter {
public:
  explicit SleepAwaiter(Duration delay) noexcept : delay_(delay) {}
  SleepAwaiter(SleepAwaiter&&) noexcept = default;
  SleepAwaiter& operator=(SleepAwaiter&&) = delete;
  ~SleepAwaiter() override {
    if (armed()) [[unlikely]]
      disarm();
  }
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return begin(caller.promise());
  }
  void await_resume() { check(); }
  /// A cancelled sleep leaves the heap at once: if its deadline came before the task's turn, the
  /// ready ring would hold a node of a frame that is gone.
  bool cancel_wait(const SharedText& message) override;

private:
  bool begin(PromiseBase& promise);
  void disarm() noexcept;
  Duration delay_;
};

template <class T>
class [[nodiscard]] SleepResult : public SleepAwaiter {
public:
  SleepResult(Duration delay, T result) : SleepAwaiter(delay), result_(std::move(result)) {}
  T await_resume() {
    SleepAwaiter::await_resume();
    return std::move(result_);
  }

private:
  T result_;
};

}  // namespace detail

/// Suspends the current task for `delay` (asyncio.sleep). Not positive: exactly one trip through
/// the ready ring. A floating-point NaN throws ValueError. Cancellation ends it at once and takes
/// the timer out. Allocates nothing.
template <class Rep, class Period>
detail::SleepAwaiter sleep(std::chrono::duration<Rep, Period> delay) {
  return detail::SleepAwaiter(detail::to_duration(delay));
}
/// The same, and gives `result` (asyncio.sleep(delay, result)).
template <class Rep, class Period, class T>
detail::SleepResult<std::decay_t<T>> sleep(std::chrono::duration<Rep, Period> delay, T&& result) {
  return {detail::to_duration(delay), std::forward<T>(result)};
}
/// Lets every other ready task run once (asyncio.sleep(0)).
inline detail::SleepAwaiter yield_now() noexcept { return detail::SleepAwaiter(Duration::zero()); }
/// Suspends until `when` on the loop's clock.
BRIO_API detail::SleepAwaiter sleep_until(TimePoint when);

}  // namespace brio
