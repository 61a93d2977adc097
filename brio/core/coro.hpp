// Coro<T>: what Python calls a coroutine object. Calling a coroutine function makes one; nothing
// runs until it is awaited, and then it runs inside the awaiting task, with no trip through the
// loop.
//
//     brio::Coro<int> twice(int x) { co_return co_await once(x) * 2; }
//
// A Coro is move-only and awaited once. A lambda coroutine must not capture: the closure dies at
// the end of the full expression while the coroutine still refers to it. Pass arguments, or hand
// the callable to create_task, task_group or timeout, which keep it alive.
#pragma once

#include <brio/core/detail/error_trace.hpp>
#include <brio/core/detail/promise.hpp>
#include <brio/core/exceptions.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <memory>
#include <new>
#include <source_location>
#include <type_traits>
#include <utility>
#include <variant>

namespace brio {

template <class T = void>
class Coro;

namespace detail {

template <class T>
class CoroPromise;
template <class T>
class CoroAwaiter;

/// What a coroutine of T keeps its result as: monostate for void.
template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

/// An awaiter written for brio: its await_suspend takes the caller's typed handle and registers
/// with the current task. Foreign awaiters know nothing of tasks, so they are refused.
template <class A>
concept Awaiter = requires(A& awaiter) {
  awaiter.await_ready();
  awaiter.await_resume();
};
template <class A>
concept HasMemberCoAwait = requires(A&& a) { std::forward<A>(a).operator co_await(); };
template <class A>
concept HasFreeCoAwait = requires(A&& a) { operator co_await(std::forward<A>(a)); };

template <class A>
decltype(auto) get_awaiter(A&& awaitable) {
  if constexpr (HasMemberCoAwait<A>)
    return std::forward<A>(awaitable).operator co_await();
  else if constexpr (HasFreeCoAwait<A>)
    return operator co_await(std::forward<A>(awaitable));
  else
    return static_cast<A&&>(awaitable);
}
/// What `co_await a` gives.
template <class A>
using await_result_t = std::remove_cvref_t<decltype(get_awaiter(std::declval<A>()).await_resume())>;
template <class A>
concept Awaitable = requires { typename await_result_t<A>; };

class FutureBase;
/// A future or a task of any type.
template <class A>
concept IsFuture = requires(const A& future) {
  { future.state() } -> std::same_as<FutureBase*>;
  future.done();
};

BRIO_API void report_never_awaited(PromiseBase& promise) noexcept;
[[noreturn]] BRIO_API void throw_awaited_twice();

/// Debug flag of the loop that runs on this thread, or BRIO_DEBUG.
BRIO_API bool debug_here() noexcept;

/// What co_await means inside a brio coroutine; the base of all its promises.
struct AwaitTransform : PromiseBase {
  template <class A>
  decltype(auto) await_transform(A&& awaitable,
                                 std::source_location where = std::source_location::current()) {
    where_ = where;
    if constexpr (HasMemberCoAwait<A>) {
      return std::forward<A>(awaitable).operator co_await();
    } else if constexpr (HasFreeCoAwait<A>) {
      return operator co_await(std::forward<A>(awaitable));
    } else {
      static_assert(Awaiter<std::remove_reference_t<A>>,
                    "brio: this type cannot be awaited. Await a Coro, a Future, a Task or a type "
                    "with operator co_await (see docs/awaitables.md)");
      return static_cast<A&&>(awaitable);
    }
  }
};

/// final_suspend: hands control to whoever awaits this coroutine; a task's root returns to step().
struct FinalAwaiter {
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
    PromiseBase* awaiter = self.promise().awaiter_;
    return awaiter ? awaiter->frame() : std::noop_coroutine();
  }
  void await_resume() const noexcept {}
};

/// Where a coroutine's result waits for its awaiter.
template <class T>
class CoroResult : public AwaitTransform {
  static_assert(!std::is_reference_v<T>, "brio: Coro<T&> is not supported; use a pointer");
  static_assert(alignof(T) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__,
                "brio: over-aligned results must be boxed (std::unique_ptr)");

public:
  CoroResult() noexcept {}
  CoroResult(const CoroResult&) = delete;
  CoroResult& operator=(const CoroResult&) = delete;
  ~CoroResult() {
    if (outcome_ == Outcome_::value)
      std::destroy_at(&value_);
    else if (outcome_ == Outcome_::error)
      std::destroy_at(&error_);
  }

  template <class U = T>
    requires std::convertible_to<U&&, T>
  void return_value(U&& value) {
    std::construct_at(&value_, std::forward<U>(value));
    outcome_ = Outcome_::value;
  }
  void unhandled_exception() noexcept {
    std::construct_at(&error_, catch_error(*this));
    outcome_ = Outcome_::error;
  }
  /// Moves the result out, or throws the error.
  T take() {
    if (outcome_ == Outcome_::error) [[unlikely]]
      std::rethrow_exception(std::move(error_));
    return std::move(value_);
  }
  /// The result, when there is one.
  [[nodiscard]] T& value() noexcept { return value_; }
  std::exception_ptr take_error() noexcept { return std::move(error_); }

private:
  union {
    T value_;
    std::exception_ptr error_;
  };
};

template <>
class CoroResult<void> : public AwaitTransform {
public:
  void return_void() noexcept { outcome_ = Outcome_::value; }
  void unhandled_exception() noexcept {
    error_ = catch_error(*this);
    outcome_ = Outcome_::error;
  }
  void take() {
    if (outcome_ == Outcome_::error) [[unlikely]]
      std::rethrow_exception(std::move(error_));
  }
  std::exception_ptr take_error() noexcept { return std::move(error_); }

private:
  std::exception_ptr error_;
};

template <class T>
class CoroPromise : public CoroResult<T> {
public:
  BRIO_CORO_WRAPPER BRIO_CORO_UNBOUND Coro<T> get_return_object(
      std::source_location where = std::source_location::current()) noexcept;
  std::suspend_always initial_suspend() const noexcept { return {}; }
  FinalAwaiter final_suspend() const noexcept { return {}; }
};

/// `co_await coro`: enters the child by symmetric transfer and owns its frame until it has ended.
template <class T>
class [[nodiscard]] CoroAwaiter {
public:
  explicit CoroAwaiter(std::coroutine_handle<CoroPromise<T>> child) noexcept : child_(child) {}
  CoroAwaiter(const CoroAwaiter&) = delete;
  CoroAwaiter& operator=(const CoroAwaiter&) = delete;
  ~CoroAwaiter() { destroy_child(child_); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> caller) noexcept {
    child_.promise().awaiter_ = &caller.promise();
    child_.promise().started_ = true;
    return child_;
  }
  T await_resume() { return child_.promise().take(); }

protected:
  [[nodiscard]] CoroPromise<T>& promise() const noexcept { return child_.promise(); }

private:
  std::coroutine_handle<CoroPromise<T>> child_;
};

}  // namespace detail

/// A lazy coroutine: `co_await` it, or give it to create_task, gather, run, …
///
/// Awaiting it a second time (or after a move) throws RuntimeError. One that is destroyed without
/// ever having been awaited is reported in debug mode. Cancellation: it runs inside the awaiting
/// task, so that task's cancellation is thrown at whatever await is innermost.
template <class T>
class [[nodiscard("a Coro does nothing until it is awaited")]] BRIO_CORO_TYPE Coro {
public:
  using promise_type = detail::CoroPromise<T>;
  using value_type = T;

  Coro() noexcept = default;
  Coro(Coro&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Coro& operator=(Coro&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~Coro() {
    if (frame_) [[unlikely]]
      drop();
  }

  /// False once it was awaited, given to a task or moved from.
  [[nodiscard]] bool valid() const noexcept { return frame_ != nullptr; }
  /// An address that tells one living coroutine from another.
  [[nodiscard]] const void* address() const noexcept { return frame_.address(); }
  /// The coroutine function's name, as the compiler writes it; "" if not valid().
  [[nodiscard]] const char* function_name() const noexcept {
    return frame_ ? frame_.promise().where_.function_name() : "";
  }
  /// Where the coroutine function stands.
  [[nodiscard]] std::source_location where() const noexcept {
    return frame_ ? frame_.promise().where_ : std::source_location();
  }
  /// Destroys an unstarted coroutine without a report (Python's coroutine.close()).
  void close() noexcept {
    if (frame_) std::exchange(frame_, nullptr).destroy();
  }

  detail::CoroAwaiter<T> operator co_await() && { return detail::CoroAwaiter<T>(release()); }
  detail::CoroAwaiter<T> operator co_await() & { return detail::CoroAwaiter<T>(release()); }

  /// Gives up the frame to whoever drives it. Throws RuntimeError if it is gone already.
  [[nodiscard]] std::coroutine_handle<promise_type> release() {
    if (!frame_) [[unlikely]]
      detail::throw_awaited_twice();
    return std::exchange(frame_, nullptr);
  }

private:
  friend promise_type;
  explicit Coro(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  BRIO_NOINLINE void drop() noexcept {
    if (detail::debug_here()) detail::report_never_awaited(frame_.promise());
    frame_.destroy();
  }
  std::coroutine_handle<promise_type> frame_;
};

template <class T>
BRIO_CORO_WRAPPER BRIO_CORO_UNBOUND Coro<T> detail::CoroPromise<T>::get_return_object(
    std::source_location where) noexcept {
  this->where_ = where;
  return Coro<T>(std::coroutine_handle<CoroPromise>::from_promise(*this));
}

/// Is this a coroutine object (asyncio.iscoroutine)?
template <class T>
inline constexpr bool iscoroutine_v = false;
template <class T>
inline constexpr bool iscoroutine_v<Coro<T>> = true;
/// The same for a value.
template <class T>
[[nodiscard]] constexpr bool iscoroutine(const T&) noexcept {
  return iscoroutine_v<T>;
}

namespace detail {

/// An awaitable that is neither a Coro nor a future: sleep, a lock's acquire, a queue's get.
template <class A>
concept PlainAwaitable =
    Awaitable<A> && !iscoroutine_v<std::remove_cvref_t<A>> && !IsFuture<std::remove_cvref_t<A>>;

/// The same as a coroutine.
template <class A>
Coro<await_result_t<A>> as_coro(A awaitable) {
  co_return co_await std::move(awaitable);
}

}  // namespace detail
}  // namespace brio
