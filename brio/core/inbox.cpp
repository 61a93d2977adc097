#include <brio/core/detail/inbox.hpp>

#include <brio/core/engine.hpp>
#include <brio/core/handle.hpp>

#include <cstdint>

namespace brio::detail {

namespace {

// What stands in head_ in place of a node: the loop sleeps with nothing queued; it is closed.
PostedState* sleeping() noexcept { return reinterpret_cast<PostedState*>(std::uintptr_t{1}); }
PostedState* closed() noexcept { return reinterpret_cast<PostedState*>(std::uintptr_t{2}); }

PostedState* oldest_first(PostedState* newest) noexcept {
  PostedState* oldest = nullptr;
  while (newest) {
    PostedState* const next = newest->next_;
    newest->next_ = oldest;
    oldest = newest;
    newest = next;
  }
  return oldest;
}

}  // namespace

bool Inbox::post(PostedState& posted) noexcept {
  // Held by whoever finds the loop asleep: it may wake by itself, run the node, and be destroyed
  // while we are on the way to its engine.
  Ref<Inbox> keep;
  PostedState* head = head_.load(std::memory_order_relaxed);
  do {
    if (head == closed()) return false;
    if (head == sleeping()) keep = Ref<Inbox>(this);
    posted.next_ = head == sleeping() ? nullptr : head;
  } while (!head_.compare_exchange_weak(head, &posted, std::memory_order_acq_rel,
                                        std::memory_order_relaxed));
  if (head == sleeping()) wake_loop();
  return true;
}

void Inbox::wake_loop() noexcept {
  const std::lock_guard lock(engine_mutex_);
  if (engine_) engine_->wake();
}

PostedState* Inbox::take() noexcept {
  PostedState* const head = head_.exchange(nullptr, std::memory_order_acquire);
  return head == sleeping() ? nullptr : oldest_first(head);
}

bool Inbox::fall_asleep() noexcept {
  PostedState* nothing = nullptr;
  return head_.compare_exchange_strong(nothing, sleeping(), std::memory_order_acq_rel,
                                       std::memory_order_relaxed);
}

PostedState* Inbox::close() noexcept {
  {
    const std::lock_guard lock(engine_mutex_);
    engine_ = nullptr;
  }
  PostedState* const head = head_.exchange(closed(), std::memory_order_acq_rel);
  return head == sleeping() || head == closed() ? nullptr : oldest_first(head);
}

}  // namespace brio::detail
