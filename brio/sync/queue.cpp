#include <brio/sync/queue.hpp>

#include <algorithm>

namespace brio::detail {

// ---- QueueWait

WaitList& QueueWait::line() const noexcept {
  return side_ == Side::get ? queue_->getters_ : queue_->putters_;
}

bool QueueWait::blocked() const noexcept {
  return side_ == Side::get ? queue_->empty() : queue_->full();
}

bool QueueWait::begin(PromiseBase& promise) {
  queue_->bind("Queue");
  line().push_back(*this);
  return suspend(promise);
}

bool QueueWait::turn() {
  if (linked()) unlink();
  if (orphaned() || interrupted() || !blocked() || queue_->shutdown_) return true;
  line().push_back(*this);
  return !wait_on();
}

void QueueWait::finish() {
  if (linked()) unlink();  // refused by a scope: there was no turn
  if (interrupted()) {
    // Woken, but it cannot take the call: on to the next.
    if (!orphaned() && woken() && !blocked()) line().wake_next(queue_->leaving_);
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
  while (getters_.wake_next(leaving_)) {
  }
  while (putters_.wake_next(leaving_)) {
  }
}

void QueueBase::throw_shut_down() { throw QueueShutDown(); }
void QueueBase::throw_full() { throw QueueFull(); }
void QueueBase::throw_empty() { throw QueueEmpty(); }

}  // namespace brio::detail
