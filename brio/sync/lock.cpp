#include <brio/sync/lock.hpp>

#include <brio/core/logging.hpp>

namespace brio {

namespace detail {

void report_bad_release(const char* what) noexcept {
  if (!thread_state.running) return;
  log(LogLevel::error, "brio", std::string("a scope was left that no longer held: ") + what);
}

bool LockWait::begin(PromiseBase& promise) {
  lock_.bind("Lock");
  lock_.waiters_.push_back(*this);
  return suspend(promise);
}

void LockWait::finish() {
  leave();
  if (interrupted()) {
    // If it was this one's turn, it is the next one's now.
    if (!orphaned() && !lock_.locked_) lock_.wake_up_first();
    throw_interrupted();
  }
  if (orphaned()) throw_orphaned();
  lock_.locked_ = true;
}

}  // namespace detail

void Lock::throw_not_acquired() { throw RuntimeError("Lock is not acquired."); }

}  // namespace brio
