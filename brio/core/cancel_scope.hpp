// Cancel scopes: trio's level-triggered cancellation beside asyncio's edge-triggered one.
//
// Task::cancel throws one CancelledError at one await. A scope that is cancelled stays so: every
// suspension inside of it, in this task and in the children of task groups inside of it, throws
// CancelledError at once, until the scope's block is left; there the error stops. A future that
// such an await would have waited for is cancelled, as by Task::cancel. Scopes nest, an
// outer one reaches through inner ones unless they shield, and none of this shows in cancelling().
//
//     bool in_time = co_await brio::move_on_after(5s, [&]() -> brio::Coro<> { co_await work(); });
#pragma once

#include <brio/core/loop.hpp>
#include <brio/core/outcome.hpp>
#include <brio/core/timeouts.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace brio {

class TaskGroup;

/// How a cancel scope begins.
struct CancelScopeOptions {
  /// Cancels the scope by itself at this time; null: never.
  std::optional<TimePoint> deadline = std::nullopt;
  /// Keeps the cancellation of outer scopes out.
  bool shield = false;
};

/// A block that can be cancelled as a whole (trio.CancelScope). Use it through cancel_scope,
/// move_on_after, fail_after and shielded.
class BRIO_API CancelScope {
public:
  explicit CancelScope(CancelScopeOptions options = {}) noexcept
      : deadline_(options.deadline), shield_(options.shield) {}
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;
  ~CancelScope();

  /// Cancels everything inside, from now until the block is left. Before the block it takes effect
  /// at entry. Calling it again does nothing.
  void cancel();
  /// Was this scope itself cancelled (by cancel() or its deadline)?
  [[nodiscard]] bool cancel_called() const noexcept { return cancel_called_; }
  /// Did the block end by this scope's cancellation? Known after the block.
  [[nodiscard]] bool cancelled_caught() const noexcept { return cancelled_caught_; }
  /// When it cancels itself; nothing: never.
  [[nodiscard]] std::optional<TimePoint> deadline() const noexcept { return deadline_; }
  /// Moves the deadline; null takes it away. One that has passed cancels at once.
  void set_deadline(std::optional<TimePoint> when);
  /// Are outer scopes kept out?
  [[nodiscard]] bool shield() const noexcept { return shield_; }
  /// Takes effect at once, in both directions.
  void set_shield(bool shield);
  /// Is a suspension in here cancelled, by this scope or through it by an outer one?
  [[nodiscard]] bool effectively_cancelled() const noexcept {
    for (const CancelScope* scope = this; scope; scope = scope->parent_) {
      if (scope->cancel_called_) return true;
      if (scope->shield_) return false;
    }
    return false;
  }

  /// The block begins, in the current task. Throws RuntimeError outside a task or a second time.
  void enter();
  /// The block ends with `error`; gives what to throw (null: nothing). Scopes are left in the
  /// reverse order of entering; RuntimeError otherwise.
  [[nodiscard]] std::exception_ptr leave(std::exception_ptr error);

private:
  friend class TaskGroup;
  void arm();
  /// Gives every task in here its state anew, and interrupts those whose wait is now cancelled.
  void deliver();
  static void update(detail::TaskBase& task);

  std::optional<TimePoint> deadline_;
  bool shield_;
  bool cancel_called_ = false;
  bool cancelled_caught_ = false;
  bool entered_ = false;
  std::uint32_t cancelling_ = 0;
  CancelScope* parent_ = nullptr;
  // Scopes and groups directly inside this one.
  CancelScope* first_child_ = nullptr;
  CancelScope* next_sibling_ = nullptr;
  CancelScope* previous_sibling_ = nullptr;
  TaskGroup* first_group_ = nullptr;
  detail::Ref<detail::FutureBase> host_;  // the task that entered, while inside
  Handle timer_;
};

namespace detail {

template <class F>
BRIO_CORO_WRAPPER auto call_scope_body(F& body, CancelScope& scope) {
  if constexpr (std::is_invocable_v<F&, CancelScope&>)
    return body(scope);
  else
    return body();
}
template <class F>
using scope_body_t = typename CoroValue<decltype(call_scope_body(
    std::declval<F&>(), std::declval<CancelScope&>()))>::type;
template <class T>
using cut_short_t = std::conditional_t<std::is_void_v<T>, bool, std::optional<T>>;

template <class F>
auto run_in_scope(F body, CancelScopeOptions options) -> Coro<cut_short_t<scope_body_t<F>>> {
  using T = scope_body_t<F>;
  CancelScope scope(options);
  scope.enter();
  Outcome<T> outcome = co_await as_outcome(call_scope_body(body, scope));
  if (std::exception_ptr error = scope.leave(outcome.error()))
    std::rethrow_exception(std::move(error));
  if (!outcome.has_value()) co_return cut_short_t<T>{};
  if constexpr (std::is_void_v<T>)
    co_return true;
  else
    co_return std::move(outcome).value();
}

template <class F>
auto run_or_fail(F body, TimePoint deadline) -> Coro<scope_body_t<F>> {
  auto result = co_await run_in_scope(std::move(body), {.deadline = deadline});
  if (!result) throw TimeoutError();
  if constexpr (!std::is_void_v<scope_body_t<F>>) co_return *std::move(result);
}

}  // namespace detail

/// Runs `body(CancelScope&)` or `body()` in a scope. Gives an optional of its value, empty if the
/// scope's cancellation cut it short; for a body without a value, false then and true otherwise.
template <class F>
BRIO_CORO_WRAPPER auto cancel_scope(F body, CancelScopeOptions options = {}) {
  return detail::run_in_scope(std::move(body), options);
}
/// A scope that cancels itself after `delay` (trio.move_on_after); result as cancel_scope.
template <class Rep, class Period, class F>
BRIO_CORO_WRAPPER auto move_on_after(std::chrono::duration<Rep, Period> delay, F body) {
  return detail::run_in_scope(std::move(body),
                              {.deadline = detail::deadline_after(detail::to_duration(delay))});
}
/// The same with a point on the loop's clock.
template <class F>
BRIO_CORO_WRAPPER auto move_on_at(TimePoint deadline, F body) {
  return detail::run_in_scope(std::move(body), {.deadline = deadline});
}
/// The same, but throws TimeoutError when the deadline cut the body short (trio.fail_after).
template <class Rep, class Period, class F>
BRIO_CORO_WRAPPER auto fail_after(std::chrono::duration<Rep, Period> delay, F body) {
  return detail::run_or_fail(std::move(body), detail::deadline_after(detail::to_duration(delay)));
}
/// The same with a point on the loop's clock.
template <class F>
BRIO_CORO_WRAPPER auto fail_at(TimePoint deadline, F body) {
  return detail::run_or_fail(std::move(body), deadline);
}
/// Runs `body` out of reach of outer scopes (a scope with shield = true). Task::cancel still gets
/// through, as asyncio's always does.
template <class F>
BRIO_CORO_WRAPPER auto shielded(F body) {
  return detail::run_in_scope(std::move(body), {.shield = true});
}

}  // namespace brio
