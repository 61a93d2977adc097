// Semaphore and BoundedSemaphore: a number of permits (asyncio's).
#pragma once

#include <brio/sync/detail/wait_list.hpp>
#include <brio/sync/held.hpp>

#include <cstddef>

namespace brio {

class Semaphore;

namespace detail {

class BRIO_API SemaphoreWait final : public WaitNode {
public:
  explicit SemaphoreWait(Semaphore& semaphore) noexcept : semaphore_(semaphore) {}
  bool begin(PromiseBase& promise);
  void finish();

private:
  Semaphore& semaphore_;
};

/// `co_await semaphore.acquire()`.
class [[nodiscard]] SemaphoreAcquire {
public:
  explicit SemaphoreAcquire(Semaphore& semaphore) noexcept : semaphore_(&semaphore) {}
  [[nodiscard]] bool await_ready() noexcept;
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return wait_.make(*semaphore_).begin(caller.promise());
  }
  bool await_resume() {
    if (wait_) [[unlikely]]
      wait_->finish();
    return true;
  }

private:
  Semaphore* semaphore_;
  LateWait<SemaphoreWait> wait_;
};

}  // namespace detail

/// Permits that tasks take and give back (asyncio.Semaphore). First come, first served: release()
/// hands its permit to the first that waits, so nobody who comes in between can take it.
/// When it is destroyed, guards let go of it, and tasks that still wait do so until they are
/// cancelled.
class BRIO_API Semaphore : private detail::LoopBound {
public:
  /// `value` permits at first. Throws ValueError if negative.
  explicit Semaphore(std::ptrdiff_t value = 1);
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;

  /// Waits for a permit and takes it; gives true. Does not suspend unless locked(). Cancelled while
  /// waiting, even when it had been given the permit, it passes it on. Throws RuntimeError if the
  /// semaphore is bound to another loop.
  [[nodiscard]] detail::SemaphoreAcquire acquire() noexcept {
    return detail::SemaphoreAcquire(*this);
  }
  /// acquire() that gives a guard: `auto held = co_await semaphore.scoped();`.
  [[nodiscard]] auto scoped() noexcept {
    return detail::ScopedAcquire<detail::SemaphoreAcquire, Semaphore>(acquire(), *this);
  }
  /// Takes a permit if acquire() would not suspend.
  [[nodiscard]] bool try_acquire() noexcept {
    if (locked()) return false;
    --value_;
    return true;
  }
  /// Gives a permit back and wakes the first in line. A BoundedSemaphore throws ValueError if that
  /// makes more permits than there were at first.
  void release() {
    if (value_ >= bound_) [[unlikely]]
      throw_released_too_often();
    ++value_;
    if (waiters_.has_waiting()) wake_up_next();
  }
  /// Would acquire() suspend? Also true while a permit is free but somebody waits in line.
  [[nodiscard]] bool locked() const noexcept {
    return value_ == 0 || (!waiters_.empty() && waiters_.any_not_cancelled());
  }

protected:
  Semaphore(std::ptrdiff_t value, std::ptrdiff_t bound);

private:
  friend class detail::SemaphoreWait;
  template <class>
  friend class Held;
  // The permit changes hands here; the woken task takes nothing.
  bool wake_up_next() {
    if (!waiters_.wake_next()) return false;
    --value_;
    return true;
  }
  [[noreturn]] static void throw_released_too_often();

  std::ptrdiff_t value_;  // free permits
  std::ptrdiff_t bound_;
  detail::WaitList waiters_;
  detail::Holders holders_;
};

/// A Semaphore that cannot be released more often than it was acquired (asyncio.BoundedSemaphore).
class BRIO_API BoundedSemaphore : public Semaphore {
public:
  /// `value` permits at first and at most. Throws ValueError if negative.
  explicit BoundedSemaphore(std::ptrdiff_t value = 1) : Semaphore(value, value) {}
};

inline bool detail::SemaphoreAcquire::await_ready() noexcept {
  wait_.reset();
  return semaphore_->try_acquire();
}

}  // namespace brio
