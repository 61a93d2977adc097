// Condition: tasks that hold a lock wait until another one notifies them (asyncio.Condition).
#pragma once

#include <brio/sync/lock.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <limits>
#include <type_traits>
#include <utility>

namespace brio {

namespace detail {

/// First in the condition's list, then in the lock's.
///
///   waiting ──notified or cancelled──▶ locking ──the lock is ours──▶ resume
///                                      ▲    │
///                                      └────┘ cancelled: remembered, and it locks on
class BRIO_API ConditionWait final : public WaitNode {
public:
  explicit ConditionWait(Condition& condition) noexcept
      : WaitNode(Turn::node), condition_(condition) {}
  bool begin(PromiseBase& promise);
  void finish();
  void run() override;

private:
  enum class Stage : std::uint8_t { waiting, locking };
  bool turn(PromiseBase& promise);
  Condition& condition_;
  Stage stage_ = Stage::waiting;
  std::exception_ptr error_;  // the last cancellation
};

/// `co_await condition.wait()`.
class [[nodiscard]] ConditionAwaiter {
public:
  explicit ConditionAwaiter(Condition& condition) noexcept : condition_(&condition) {}
  [[nodiscard]] bool await_ready() noexcept {
    wait_.reset();
    return false;
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return wait_.make(*condition_).begin(caller.promise());
  }
  bool await_resume() {
    wait_->finish();
    return true;
  }

private:
  Condition* condition_;
  LateWait<ConditionWait> wait_;
};

}  // namespace detail

/// A condition variable (asyncio.Condition) over a lock of its own or one that is shared.
///
/// wait() may return without a notification that was meant for it: look at the state again, or use
/// wait_for().
class BRIO_API Condition : private detail::LoopBound {
public:
  /// Over a lock of its own.
  Condition() noexcept : lock_(&own_) {}
  /// Over `lock`, which must outlive this.
  explicit Condition(Lock& lock) noexcept : lock_(&lock) {}
  Condition(const Condition&) = delete;
  Condition& operator=(const Condition&) = delete;

  /// The lock's.
  [[nodiscard]] detail::LockAcquire acquire() noexcept { return lock_->acquire(); }
  /// Takes the lock if it is free (Lock::try_acquire).
  [[nodiscard]] bool try_acquire() noexcept { return lock_->try_acquire(); }
  /// Releases the lock (Lock::release).
  void release() { lock_->release(); }
  /// Is the lock held?
  [[nodiscard]] bool locked() const noexcept { return lock_->locked(); }
  /// Acquires the lock and gives a guard: `auto held = co_await condition.scoped();`.
  [[nodiscard]] auto scoped() noexcept {
    return detail::ScopedAcquire<detail::LockAcquire, Condition>(acquire(), *this);
  }

  /// Releases the lock, waits for a notification, takes the lock again; gives true. Throws
  /// RuntimeError if the lock is not held, or if this is bound to another loop.
  ///
  /// Cancellation: the lock is taken again first, however long that takes and however often the
  /// task is cancelled meanwhile; the last cancellation is then thrown, and a notification that
  /// this wait had got goes to the next. A cancel scope cannot interrupt the second part.
  [[nodiscard]] detail::ConditionAwaiter wait() noexcept { return detail::ConditionAwaiter(*this); }
  /// Waits until `predicate()`, called with the lock held, is true, and gives its value. Does not
  /// suspend if it is true at once. `predicate` is kept by the coroutine; what it refers to must
  /// live until the end.
  template <std::invocable Predicate>
  Coro<std::decay_t<std::invoke_result_t<Predicate&>>> wait_for(Predicate predicate) {
    auto result = predicate();
    while (!result) {
      co_await wait();
      result = predicate();
    }
    co_return result;
  }

  /// Wakes up to `count` waiting tasks, oldest first; they go on once they get the lock. Throws
  /// RuntimeError if the lock is not held.
  void notify(std::size_t count = 1) {
    require_locked();
    notify_waiting(count);
  }
  /// Wakes all of them.
  void notify_all() {
    require_locked();
    notify_waiting(std::numeric_limits<std::size_t>::max());
  }

private:
  friend class detail::ConditionWait;
  template <class>
  friend class Held;
  void require_locked() const {
    if (!lock_->locked()) [[unlikely]]
      throw_not_locked("cannot notify on un-acquired lock");
  }
  void notify_waiting(std::size_t count) {
    for (; count > 0 && waiters_.wake_next(); --count) {
    }
  }
  [[noreturn]] static void throw_not_locked(const char* text);

  Lock* lock_;
  detail::WaitList waiters_;
  detail::Holders holders_;
  Lock own_;
};

}  // namespace brio
