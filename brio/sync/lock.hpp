// Lock: mutual exclusion among the tasks of a loop (asyncio.Lock).
#pragma once

#include <brio/sync/detail/wait_list.hpp>
#include <brio/sync/held.hpp>

namespace brio {

class Lock;
class Condition;

namespace detail {

class ConditionWait;

class BRIO_API LockWait final : public WaitNode {
public:
  explicit LockWait(Lock& lock) noexcept : lock_(lock) {}
  bool begin(PromiseBase& promise);
  void finish();

private:
  Lock& lock_;
};

/// `co_await lock.acquire()`.
class [[nodiscard]] LockAcquire {
public:
  explicit LockAcquire(Lock& lock) noexcept : lock_(&lock) {}
  [[nodiscard]] bool await_ready() noexcept;
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return wait_.make(*lock_).begin(caller.promise());
  }
  bool await_resume() {
    if (wait_) [[unlikely]]
      wait_->finish();
    return true;
  }

private:
  Lock* lock_;
  LateWait<LockWait> wait_;
};

}  // namespace detail

/// A mutual exclusion lock (asyncio.Lock). Not owned by a task and not reentrant.
///
/// First come, first served: whoever comes while others wait stands in line, even if the lock is
/// free at that moment. Between release() and the turn of the task it wakes, locked() is false.
/// When it is destroyed, guards let go of it, and tasks that still wait do so until they are
/// cancelled.
class BRIO_API Lock : private detail::LoopBound {
public:
  Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  /// Waits until the lock is free and takes it; gives true (Lock.acquire). Does not suspend if it
  /// is free and nobody waits. Cancelled while waiting, even when it was its turn, it leaves the
  /// lock to the next. Throws RuntimeError if the lock is bound to another loop.
  [[nodiscard]] detail::LockAcquire acquire() noexcept { return detail::LockAcquire(*this); }
  /// acquire() that gives a guard: `auto held = co_await lock.scoped();` (async with lock).
  [[nodiscard]] auto scoped() noexcept {
    return detail::ScopedAcquire<detail::LockAcquire, Lock>(acquire(), *this);
  }
  /// Takes the lock if acquire() would not suspend.
  [[nodiscard]] bool try_acquire() noexcept {
    if (locked_ || (!waiters_.empty() && waiters_.any_not_cancelled())) return false;
    locked_ = true;
    return true;
  }
  /// Frees the lock and wakes the first in line (Lock.release). Any task may call it. Throws
  /// RuntimeError if it is not locked.
  void release() {
    if (!locked_) [[unlikely]]
      throw_not_acquired();
    locked_ = false;
    wake_up_first();
  }
  /// Is it taken?
  [[nodiscard]] bool locked() const noexcept { return locked_; }

private:
  friend class detail::LockWait;
  friend class Condition;
  friend class detail::ConditionWait;
  template <class>
  friend class Held;

  // The first in line, not the first that still waits: one that is on its way out, cancelled,
  // passes the turn on when it runs.
  void wake_up_first() {
    if (detail::WaitNode* first = waiters_.first()) first->wake();
  }
  [[noreturn]] static void throw_not_acquired();

  bool locked_ = false;
  detail::WaitList waiters_;
  detail::Holders holders_;
};

inline bool detail::LockAcquire::await_ready() noexcept {
  wait_.reset();
  return lock_->try_acquire();
}

}  // namespace brio
