#include <brio/core/detail/inbox.hpp>

#include <brio/core/engine.hpp>
#include <brio/core/handle.hpp>

#include <cstdint>

namespace brio::detail {

namespace {

// In place of the newest node: nothing can be added to a list that begins with it.
PostedState* closed_mark() noexcept { return reinterpret_cast<PostedState*>(std::uintptr_t{1}); }

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
  posted.ref();
  PostedState* head = head_.load(std::memory_order_relaxed);
  do {
    if (head == closed_mark()) {
      posted.unref();
      return false;
    }
    posted.next_ = head;
  } while (!head_.compare_exchange_weak(head, &posted, std::memory_order_seq_cst,
                                        std::memory_order_relaxed));
  // A loop about to sleep says so before it looks at the list a last time: either we see it, or it
  // sees us. Only the first of a batch wakes it.
  if (sleeping_.load(std::memory_order_seq_cst) && sleeping_.exchange(false)) {
    const std::lock_guard lock(wake_);
    if (engine_) engine_->wake();
  }
  return true;
}

PostedState* Inbox::take() noexcept {
  PostedState* head = head_.load(std::memory_order_relaxed);
  do {
    if (head == closed_mark()) return nullptr;
  } while (!head_.compare_exchange_weak(head, nullptr, std::memory_order_acquire,
                                        std::memory_order_relaxed));
  return oldest_first(head);
}

PostedState* Inbox::close() noexcept {
  {
    const std::lock_guard lock(wake_);
    engine_ = nullptr;
  }
  PostedState* const head = head_.exchange(closed_mark(), std::memory_order_acq_rel);
  return head == closed_mark() ? nullptr : oldest_first(head);
}

}  // namespace brio::detail
