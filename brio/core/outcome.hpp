// Outcome<T>: what became of something awaited — a value, an error or a cancellation — without a
// throw. C++ forbids co_await in a catch block, so this is how one awaits while handling an error.
#pragma once

#include <brio/core/future.hpp>

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

namespace brio {

/// A value, an error or a cancellation.
template <class T = void>
class [[nodiscard]] Outcome {
public:
  using value_type = T;

  /// A value.
  template <class... Args>
    requires std::constructible_from<detail::Stored<T>, Args...>
  explicit Outcome(std::in_place_t, Args&&... args)
      : value_(std::in_place, std::forward<Args>(args)...) {}
  /// An error, which may be a CancelledError.
  explicit Outcome(std::exception_ptr error) : error_(std::move(error)) {}

  /// Is it a value?
  [[nodiscard]] bool has_value() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return has_value(); }
  /// Did it end by cancellation?
  [[nodiscard]] bool cancelled() const noexcept {
    return error_ && detail::classify(error_) == detail::ErrorKind::cancelled;
  }
  /// The error, cancellation included; null for a value.
  [[nodiscard]] const std::exception_ptr& error() const noexcept { return error_; }
  /// The value; throws the error if there is one.
  decltype(auto) value() const& {
    if (error_) std::rethrow_exception(error_);
    if constexpr (!std::is_void_v<T>) return static_cast<const T&>(*value_);
  }
  T value() && {
    if (error_) std::rethrow_exception(std::move(error_));
    if constexpr (!std::is_void_v<T>) return std::move(*value_);
  }
  /// The error as an E, if that is what it is.
  template <class E>
  [[nodiscard]] std::optional<E> error_as() const {
    if (!error_) return std::nullopt;
    try {
      std::rethrow_exception(error_);
    } catch (const E& e) {
      return e;
    } catch (...) {
      return std::nullopt;
    }
  }
  /// Throws the error if there is one.
  void raise() const {
    if (error_) std::rethrow_exception(error_);
  }

private:
  std::optional<detail::Stored<T>> value_;
  std::exception_ptr error_;
};

namespace detail {

template <class T>
class [[nodiscard]] OutcomeOfCoro : public CoroAwaiter<T> {
public:
  using CoroAwaiter<T>::CoroAwaiter;
  Outcome<T> await_resume() {
    CoroPromise<T>& promise = this->promise();
    if (promise.outcome_ == Outcome_::error) return Outcome<T>(promise.take_error());
    if constexpr (std::is_void_v<T>)
      return Outcome<T>(std::in_place);
    else
      return Outcome<T>(std::in_place, promise.take());
  }
};

template <class T>
class [[nodiscard]] OutcomeOfFuture : public FutureWait {
public:
  explicit OutcomeOfFuture(FutureBase& future) : FutureWait(future) {}
  Outcome<T> await_resume() {
    if (std::exception_ptr error = interruption()) return Outcome<T>(std::move(error));
    if (future_->cancelled()) return Outcome<T>(future_->make_cancelled_error());
    if (std::exception_ptr error = future_->exception()) return Outcome<T>(std::move(error));
    if constexpr (std::is_void_v<T>)
      return Outcome<T>(std::in_place);
    else if constexpr (std::is_copy_constructible_v<T>)
      return Outcome<T>(std::in_place, value_of<T>(*future_));
    else {
      future_->mark_taken();
      return Outcome<T>(std::in_place, std::move(value_of<T>(*future_)));
    }
  }
};

}  // namespace detail

/// Awaits and tells what came out, without a throw: `auto o = co_await as_outcome(f());`.
/// A cancellation of the awaiting task is in the outcome too, and then it is the caller's to
/// answer.
template <class T>
detail::OutcomeOfCoro<T> as_outcome(Coro<T> coro) {
  return detail::OutcomeOfCoro<T>(coro.release());
}
template <class T>
detail::OutcomeOfFuture<T> as_outcome(const Future<T>& future) {
  return detail::OutcomeOfFuture<T>(*future.state());
}
inline detail::OutcomeOfFuture<void> as_outcome(const AnyFuture& future) {
  return detail::OutcomeOfFuture<void>(*future.state());
}
/// Any other awaitable: a lock's acquire, a queue's get, sleep.
template <class A>
  requires(!std::derived_from<std::remove_cvref_t<A>, AnyFuture> &&
           !iscoroutine_v<std::remove_cvref_t<A>>)
auto as_outcome(A awaitable) -> Coro<Outcome<detail::await_result_t<A>>> {
  using T = detail::await_result_t<A>;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(awaitable);
      co_return Outcome<T>(std::in_place);
    } else {
      co_return Outcome<T>(std::in_place, co_await std::move(awaitable));
    }
  } catch (...) {
    co_return Outcome<T>(std::current_exception());
  }
}

}  // namespace brio
