#include <brio/sync/semaphore.hpp>

#include <limits>

namespace brio {

namespace detail {

bool SemaphoreWait::begin(PromiseBase& promise) {
  semaphore_.bind("Semaphore");
  semaphore_.waiters_.push_back(*this);
  return suspend(promise);
}

void SemaphoreWait::finish() {
  leave();
  const bool lost = interrupted();
  if (!orphaned()) {
    // Chosen and cancelled in the same iteration: the permit goes back, and on to the next.
    if (lost && woken()) ++semaphore_.value_;
    while (semaphore_.value_ > 0 && semaphore_.wake_up_next()) {
    }
  }
  if (lost) throw_interrupted();
  if (orphaned()) throw_orphaned();
}

}  // namespace detail

Semaphore::Semaphore(std::ptrdiff_t value)
    : Semaphore(value, std::numeric_limits<std::ptrdiff_t>::max()) {}

Semaphore::Semaphore(std::ptrdiff_t value, std::ptrdiff_t bound) : value_(value), bound_(bound) {
  if (value < 0) throw ValueError("Semaphore initial value must be >= 0");
}

void Semaphore::throw_released_too_often() {
  throw ValueError("BoundedSemaphore released too many times");
}

}  // namespace brio
