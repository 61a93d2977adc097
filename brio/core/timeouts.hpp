// timeout and wait_for: deadlines for a block, or for one awaitable.
#pragma once

#include <brio/core/ensure_future.hpp>
#include <brio/core/outcome.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace brio {

namespace detail {
BRIO_API TimePoint deadline_after(Duration delay);
}

/// A deadline around a block of the current task (asyncio.Timeout). Use it through timeout() and
/// timeout_at(); enter() and leave() are there for code that cannot have its body in a callable.
class BRIO_API Timeout {
public:
  /// Null: no deadline until reschedule().
  explicit Timeout(std::optional<TimePoint> when) noexcept : when_(when) {}
  /// `delay` from now. Throws RuntimeError without a running loop.
  template <class Rep, class Period>
  explicit Timeout(std::chrono::duration<Rep, Period> delay)
      : when_(detail::deadline_after(detail::to_duration(delay))) {}
  Timeout(const Timeout&) = delete;
  Timeout& operator=(const Timeout&) = delete;
  ~Timeout();

  /// The deadline on the loop's clock.
  [[nodiscard]] std::optional<TimePoint> when() const noexcept { return when_; }
  /// Moves it; null takes it away. Throws RuntimeError before the block, after it and once expired.
  void reschedule(std::optional<TimePoint> when);
  /// Has the deadline struck? True from that moment on.
  [[nodiscard]] bool expired() const noexcept {
    return state_ == State::expiring || state_ == State::expired;
  }
  /// The block begins, in the current task. Throws RuntimeError outside a task or a second time.
  void enter();
  /// The block ends with `error` (null: normally). Gives what to throw instead of it: a
  /// TimeoutError if this deadline, and no other request, cancelled the block; else `error`.
  [[nodiscard]] std::exception_ptr leave(std::exception_ptr error);

private:
  enum class State : std::uint8_t { created, active, expiring, expired, finished };
  void strike();
  std::optional<TimePoint> when_;
  State state_ = State::created;
  std::uint32_t cancelling_ = 0;
  detail::Ref<detail::FutureBase> task_;
  Handle handle_;
};

namespace detail {

template <class F>
using timeout_body_t = typename CoroValue<
    typename std::conditional_t<std::is_invocable_v<F&, Timeout&>, std::invoke_result<F&, Timeout&>,
                                std::invoke_result<F&>>::type>::type;

template <class F>
BRIO_CORO_WRAPPER auto call_body(F& body, Timeout& scope) {
  if constexpr (std::is_invocable_v<F&, Timeout&>)
    return body(scope);
  else
    return body();
}

// One coroutine for both forms: a frame less, and a throw less on the way of an error.
template <class F>
auto run_with_timeout(F body, std::optional<TimePoint> when, Timeout* given)
    -> Coro<timeout_body_t<F>> {
  std::optional<Timeout> own;
  Timeout& scope = given ? *given : own.emplace(when);
  scope.enter();
  Outcome<timeout_body_t<F>> outcome = co_await as_outcome(call_body(body, scope));
  if (std::exception_ptr error = scope.leave(outcome.error()))
    std::rethrow_exception(std::move(error));
  co_return std::move(outcome).value();
}

}  // namespace detail

/// Runs `body(Timeout&)` or `body()` with a deadline at `when`; it is the body of Python's
/// `async with asyncio.timeout_at(when)`. The closure lives until the body has ended. Throws
/// TimeoutError when the deadline cancelled the body.
template <class F>
BRIO_CORO_WRAPPER auto timeout_at(std::optional<TimePoint> when, F body) {
  return detail::run_with_timeout(std::move(body), when, nullptr);
}

/// The same with a Timeout of the caller's, which can be asked when the block has ended
/// (`async with asyncio.timeout(…) as scope`).
template <class F>
BRIO_CORO_WRAPPER auto timeout(Timeout& scope, F body) {
  return detail::run_with_timeout(std::move(body), std::nullopt, &scope);
}

/// The same, `delay` from now (asyncio.timeout).
template <class Rep, class Period, class F>
BRIO_CORO_WRAPPER auto timeout(std::chrono::duration<Rep, Period> delay, F body) {
  return timeout_at(std::optional(detail::deadline_after(detail::to_duration(delay))),
                    std::move(body));
}
template <class F>
BRIO_CORO_WRAPPER auto timeout(std::nullopt_t, F body) {
  return timeout_at(std::optional<TimePoint>(), std::move(body));
}

namespace detail {
/// Cancels `future` and waits until it is done, in a way that is itself cancellable.
BRIO_API Coro<void> cancel_and_wait(Ref<FutureBase> future);
}  // namespace detail

/// Awaits with a deadline (asyncio.wait_for): TimeoutError when it passes, after the awaitable has
/// been cancelled and has ended. No deadline if `delay` is null. Not positive: a done future gives
/// its value; a coroutine is never started; anything else is cancelled. When completion and
/// deadline meet in one iteration the deadline wins and the value stays in the future.
template <detail::Awaitable A>
auto wait_for(A awaitable, std::optional<Duration> delay) -> Coro<detail::future_value_t<A>> {
  using T = detail::future_value_t<A>;
  if (delay && *delay <= Duration::zero()) {
    const auto future = ensure_future(std::move(awaitable));
    if (!future.done()) {
      co_await detail::cancel_and_wait(detail::Ref<detail::FutureBase>(future.state()));
      if (future.cancelled()) {
        throw TimeoutError(future.state()->make_cancelled_error());
      }
    }
    if constexpr (std::is_void_v<T>)
      future.state()->require_value();
    else
      co_return detail::take_result<T>(Future<T>(detail::Ref<detail::FutureBase>(future.state())));
  } else {
    Timeout scope(delay ? std::optional(detail::deadline_after(*delay)) : std::nullopt);
    scope.enter();
    auto outcome = co_await as_outcome(std::move(awaitable));
    if (std::exception_ptr error = scope.leave(outcome.error()))
      std::rethrow_exception(std::move(error));
    co_return std::move(outcome).value();
  }
}
/// The same with any duration.
template <detail::Awaitable A, class Rep, class Period>
BRIO_CORO_WRAPPER auto wait_for(A awaitable, std::chrono::duration<Rep, Period> delay) {
  return wait_for(std::move(awaitable), std::optional<Duration>(detail::to_duration(delay)));
}

}  // namespace brio
