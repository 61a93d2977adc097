// concurrent::Future<T>: a result that threads wait for (Python's concurrent.futures.Future).
//
// Not awaitable: wrap_future makes a future of the running loop from it. The only future of brio
// that may be used from several threads at once.
#pragma once

#include <brio/core/future.hpp>
#include <brio/exec/detail/shared_state.hpp>

#include <concepts>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace brio::concurrent {

/// A concurrent future whose type does not matter. A handle: copies name the same future, and may
/// be used in different threads.
class BRIO_API AnyFuture {
public:
  AnyFuture() noexcept = default;
  explicit AnyFuture(detail::Ref<detail::SharedState> state) noexcept : state_(std::move(state)) {}

  /// Cancels what has not begun: its callable is destroyed, in this thread, and will not run.
  /// False if it runs already or has finished; true if it is cancelled, also by someone else.
  bool cancel() const { return get().cancel(); }
  /// Did it end by cancellation?
  [[nodiscard]] bool cancelled() const {
    const auto status = get().status();
    return status == detail::SharedStatus::cancelled ||
           status == detail::SharedStatus::cancelled_and_notified;
  }
  /// Being worked on now: it can no longer be cancelled.
  [[nodiscard]] bool running() const { return get().status() == detail::SharedStatus::running; }
  /// Finished or cancelled.
  [[nodiscard]] bool done() const { return get().done(); }
  /// Blocks this thread until done, at most `timeout`. False if the time is up.
  bool wait(std::optional<Duration> timeout = std::nullopt) const { return get().wait(timeout); }
  /// Blocks until done and gives the error, null if there is a value. Throws TimeoutError when
  /// `timeout` has passed, CancelledError (of this namespace) when cancelled.
  [[nodiscard]] std::exception_ptr exception(std::optional<Duration> timeout = std::nullopt) const {
    return get().exception(timeout);
  }
  /// For executors: call it before the work. True: the future is running now and cannot be
  /// cancelled any more. False: it was cancelled, do not work. RuntimeError in any other state.
  bool set_running_or_notify_cancel() const { return get().set_running_or_notify_cancel(); }
  /// For executors: completes it with an error. Throws InvalidStateError if done.
  void set_exception(std::exception_ptr error) const { get().set_exception(std::move(error)); }
  template <class E>
    requires(!std::same_as<std::remove_cvref_t<E>, std::exception_ptr>)
  void set_exception(E&& error) const {
    set_exception(std::make_exception_ptr(std::forward<E>(error)));
  }
  /// Calls `function(AnyFuture)` or `function()` once, in the thread that completes or cancels the
  /// future, in the order of registration; at once, in this thread, if it is done. What it throws
  /// is logged.
  template <class F>
  void add_done_callback(F&& function) const {
    add_callback<AnyFuture>(std::forward<F>(function));
  }
  /// State and error, for reports.
  [[nodiscard]] std::string repr() const { return get().repr(); }

  /// False for a default-constructed handle.
  explicit operator bool() const noexcept { return static_cast<bool>(state_); }
  bool operator==(const AnyFuture& other) const noexcept = default;

  [[nodiscard]] const detail::Ref<detail::SharedState>& state() const {
    (void)get();
    return state_;
  }

protected:
  template <class Self, class F>
  void add_callback(F&& function) const {
    using Fn = std::decay_t<F>;
    static_assert(std::is_invocable_v<Fn&, Self> || std::is_invocable_v<Fn&>,
                  "brio: a done-callback takes the future, or nothing");
    if constexpr (std::is_invocable_v<Fn&, Self>) {
      // A plain pointer: the state owns the callback, and lives while it calls it.
      detail::SharedState* const state = &get();
      get().add_done_callback([state, call = Fn(std::forward<F>(function))]() mutable {
        call(Self(detail::Ref<detail::SharedState>(state)));
      });
    } else {
      get().add_done_callback(std::forward<F>(function));
    }
  }
  // Throws RuntimeError for an empty handle.
  [[nodiscard]] detail::SharedState& get() const {
    if (!state_) [[unlikely]]
      brio::detail::throw_empty_future();
    return *state_;
  }
  detail::Ref<detail::SharedState> state_;
};

/// A result that is computed in another thread. Made by Executor::submit,
/// run_coroutine_threadsafe, or create_future.
template <class T = void>
class Future : public AnyFuture {
public:
  using value_type = T;
  Future() noexcept = default;
  explicit Future(detail::Ref<detail::SharedState> state) noexcept : AnyFuture(std::move(state)) {}

  /// Blocks this thread until done, at most `timeout`, and gives the value, which lives as long as
  /// a handle does. Throws the error, TimeoutError when `timeout` has passed, or CancelledError (of
  /// this namespace). Never call it in a loop's thread for what that loop is to compute.
  decltype(auto) result(std::optional<Duration> timeout = std::nullopt) const& {
    get().require_value(timeout);
    if constexpr (!std::is_void_v<T>) return static_cast<const T&>(value());
  }
  /// The same for a handle that goes: the value is moved out if this is the last one and copied
  /// otherwise. A move-only value is always moved, and later askers get InvalidStateError.
  T result(std::optional<Duration> timeout = std::nullopt) && {
    get().require_value(timeout);
    if constexpr (!std::is_void_v<T>) {
      if constexpr (std::is_copy_constructible_v<T>) {
        if (!state_->sole_owner()) return value();
      } else {
        state_->take_once();
      }
      return std::move(value());
    }
  }
  /// For executors: completes it. Throws InvalidStateError if done.
  template <class... Args>
    requires std::constructible_from<detail::Stored<T>, Args...>
  void set_result(Args&&... args) const {
    static_cast<detail::SharedValue<T>&>(get()).set_value(std::forward<Args>(args)...);
  }
  /// As AnyFuture's, and `function` may take a Future<T>.
  template <class F>
  void add_done_callback(F&& function) const {
    add_callback<Future<T>>(std::forward<F>(function));
  }

private:
  [[nodiscard]] detail::Stored<T>& value() const noexcept {
    return static_cast<detail::SharedValue<T>&>(*state_).value();
  }
};

/// A pending future that nobody works on yet (concurrent.futures.Future()): for executors and
/// bridges from other libraries.
template <class T = void>
[[nodiscard]] Future<T> create_future() {
  return Future<T>(detail::Ref<detail::SharedState>(new detail::SharedValue<T>));
}

}  // namespace brio::concurrent
