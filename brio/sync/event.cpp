#include <brio/sync/event.hpp>

namespace brio::detail {

bool EventWait::begin(Event& event, PromiseBase& promise) {
  event.bind("Event");
  event.waiters_.push_back(*this);
  return suspend(promise);
}

void EventWait::finish() {
  leave();
  check();
  if (orphaned() && !woken()) throw_orphaned();
}

}  // namespace brio::detail
