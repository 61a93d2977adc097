#include <brio/sync/event.hpp>

namespace brio::detail {

bool EventWait::begin(PromiseBase& promise) {
  event_->bind("Event");
  event_->waiters_.push_back(*this);
  return suspend(promise);
}

void EventWait::finish() {
  if (linked()) unlink();
  check();
  if (orphaned() && !woken()) throw_orphaned();
}

}  // namespace brio::detail
