// Where other threads leave callbacks for a loop. Counted on its own, so that a thread may hold on
// to it and post at any time, also when the loop is closed or gone.
#pragma once

#include <brio/core/config.hpp>

#include <atomic>
#include <mutex>

namespace brio {
class Engine;
}

namespace brio::detail {

class PostedState;

class BRIO_API Inbox {
public:
  explicit Inbox(Engine& engine) noexcept : engine_(&engine) {}
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  void ref() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void unref() noexcept {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }

  /// Any thread: queues `posted`, for which it takes over one reference, and wakes the loop if it
  /// sleeps. FIFO per thread. False, and nothing is queued or taken over, once the loop is closed.
  /// The caller sees to it that the inbox lives when this begins; the loop may take it down before
  /// this returns.
  [[nodiscard]] bool post(PostedState& posted) noexcept;

  /// Does anybody but the loop hold on to it? Then a thread may yet post.
  [[nodiscard]] bool shared() const noexcept { return refs_.load(std::memory_order_acquire) > 1; }

  // The rest is the loop's.

  /// Is there anything to take?
  [[nodiscard]] bool pending() const noexcept {
    return head_.load(std::memory_order_relaxed) != nullptr;
  }
  /// What was posted so far, oldest first, linked by next_. Ends the sleep, if there was one.
  [[nodiscard]] PostedState* take() noexcept;
  /// The loop is about to sleep. False if something has come: look first.
  [[nodiscard]] bool fall_asleep() noexcept;
  /// Nothing is taken in any more and the engine is not touched again. Gives what was left.
  [[nodiscard]] PostedState* close() noexcept;

private:
  ~Inbox() = default;
  void wake_loop() noexcept;

  // The newest node, or a mark in its place. One word says all, so that a poster that need not
  // wake the loop touches nothing of it after its node is in.
  std::atomic<PostedState*> head_{nullptr};
  std::atomic<unsigned> refs_{0};
  std::mutex engine_mutex_;  // a poster that wakes must not meet the engine being closed
  Engine* engine_;
};

}  // namespace brio::detail
