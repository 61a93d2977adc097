#include <brio/sync/condition.hpp>

namespace brio {

namespace detail {

bool ConditionWait::await_ready() const {
  if (!condition_->locked()) Condition::throw_not_locked("cannot wait on un-acquired lock");
  return false;
}

bool ConditionWait::begin(PromiseBase& promise) {
  condition_->bind("Condition");
  condition_->release();
  condition_->waiters_.push_back(*this);
  if (suspend(promise)) return true;
  return !turn();  // a cancelled scope; the lock must be taken again all the same
}

bool ConditionWait::turn() {
  if (linked()) unlink();
  std::exception_ptr error = interruption();
  const bool cancelled_now = error != nullptr;
  if (cancelled_now) error_ = std::move(error);
  if (orphaned()) return true;
  if (stage_ == Stage::waiting) {
    stage_ = Stage::locking;
    ++task()->scope_shields_;
  } else if (!cancelled_now) {
    condition_->lock_->locked_ = true;
    return true;
  } else if (!condition_->locked()) {
    condition_->lock_->wake_up_first();
  }
  return lock_again();
}

// True if the lock was free; false if the wait goes on in the lock's line.
bool ConditionWait::lock_again() {
  Lock& lock = *condition_->lock_;
  if (lock.try_acquire()) return true;
  lock.waiters_.push_back(*this);
  return !wait_on();  // shielded, so no scope refuses
}

bool ConditionWait::await_resume() {
  if (stage_ == Stage::locking) --task()->scope_shields_;
  if (error_) [[unlikely]] {
    if (!orphaned()) condition_->notify_waiting(1);
    std::rethrow_exception(std::move(error_));
  }
  if (orphaned()) throw_orphaned();
  return true;
}

}  // namespace detail

void Condition::throw_not_locked(const char* text) { throw RuntimeError(text); }

}  // namespace brio
