#include <brio/sync/condition.hpp>

namespace brio {

namespace detail {

bool ConditionWait::begin(PromiseBase& promise) {
  if (!condition_.locked()) Condition::throw_not_locked("cannot wait on un-acquired lock");
  condition_.bind("Condition");
  condition_.release();
  condition_.waiters_.push_back(*this);
  if (suspend(promise)) return true;
  return !turn(promise);  // a cancelled scope; the lock must be taken again all the same
}

void ConditionWait::run() {
  TaskBase& waiting = *task();
  if (turn(*waiting.suspended())) waiting.run();
}

// After a wake-up or a cancellation. True if the task goes on: it has the lock; false if it waits
// on, for the lock.
bool ConditionWait::turn(PromiseBase& promise) {
  leave();
  std::exception_ptr error = interruption();
  const bool cancelled_now = error != nullptr;
  if (cancelled_now) error_ = std::move(error);
  if (orphaned()) return true;
  Lock& lock = *condition_.lock_;
  if (stage_ == Stage::waiting) {
    stage_ = Stage::locking;
    ++task()->scope_shields_;
  } else if (!cancelled_now) {
    lock.locked_ = true;
    return true;
  } else if (!lock.locked()) {
    lock.wake_up_first();
  }
  return lock.try_acquire() || !wait_on(lock.waiters_, promise);
}

void ConditionWait::finish() {
  if (stage_ == Stage::locking) --task()->scope_shields_;
  if (error_) [[unlikely]] {
    if (!orphaned()) condition_.notify_waiting(1);
    std::rethrow_exception(std::move(error_));
  }
  if (orphaned()) throw_orphaned();
}

}  // namespace detail

void Condition::throw_not_locked(const char* text) { throw RuntimeError(text); }

}  // namespace brio
