#include <brio/sync/queue.hpp>

#include <algorithm>

namespace brio::detail {

// ---- QueueWait

WaitList& QueueWait::line() const noexcept {
  return side_ == QueueSide::get ? queue_.getters_ : queue_.putters_;
}

bool QueueWait::blocked() const noexcept {
  return side_ == QueueSide::get ? queue_.empty() : queue_.full();
}

bool QueueWait::begin(PromiseBase& promise) {
  queue_.bind("Queue");
  line().push_back(*this);
  return suspend(promise);
}

void QueueWait::run() {
  TaskBase& waiting = *task();
  leave();
  if (orphaned() || interrupted() || !blocked() || queue_.shutdown_ ||
      !wait_on(line(), *waiting.suspended()))
    waiting.run();
}

void QueueWait::finish() {
  leave();  // refused by a scope: there was no turn
  if (interrupted()) {
    // Woken, but it cannot take the call: on to the next.
    if (!orphaned() && woken() && !blocked()) line().wake_next();
    throw_interrupted();
  }
  if (orphaned()) throw_orphaned();
}

// ---- QueueBase

void QueueBase::task_done() {
  if (unfinished_ == 0) throw ValueError("task_done() called too many times");
  if (--unfinished_ == 0) finished_.set();
}

void QueueBase::shut_down(bool immediate) {
  shutdown_ = true;
  if (immediate) {
    unfinished_ -= std::min(unfinished_, std::exchange(size_, 0));
    if (unfinished_ == 0) finished_.set();
  }
  getters_.wake_all();
  putters_.wake_all();
}

void QueueBase::throw_shut_down() { throw QueueShutDown(); }
void QueueBase::throw_full() { throw QueueFull(); }
void QueueBase::throw_empty() { throw QueueEmpty(); }

}  // namespace brio::detail
