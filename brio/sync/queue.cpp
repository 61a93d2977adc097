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
    if (!orphaned() && woken() && !blocked()) queue_->wake_up_next(line());
    throw_interrupted();
  }
  if (orphaned()) throw_orphaned();
}

// ---- QueueBase

// Takes waiters out of the line until one is found that was not cancelled.
void QueueBase::wake_up_next(WaitList& waiters) {
  while (WaitNode* first = waiters.first()) {
    first->unlink();
    leaving_.push_back(*first);
    if (first->pending()) {
      first->wake();
      return;
    }
  }
}

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
  for (WaitList* line : {&getters_, &putters_}) {
    while (WaitNode* first = line->first()) {
      first->unlink();
      leaving_.push_back(*first);
      first->wake();
    }
  }
}

void QueueBase::throw_shut_down() { throw QueueShutDown(); }
void QueueBase::throw_full() { throw QueueFull(); }
void QueueBase::throw_empty() { throw QueueEmpty(); }

}  // namespace brio::detail
