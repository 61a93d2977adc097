// How tasks wait on a primitive: nodes in the frames of the waiting coroutines, linked first come
// first served. Where asyncio makes a future, appends it to a deque and awaits it, a WaitNode is
// linked and suspended; it stays linked until its task runs again, as the future stays in the
// deque.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/detail/future_base.hpp>
#include <brio/core/detail/ref.hpp>
#include <brio/sync/detail/links.hpp>

#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace brio::detail {

/// One task's wait in a primitive's list.
class BRIO_API WaitNode : public Waiter, private Links {
public:
  /// Where the next iteration begins: with the task, or with turn(), which may wait on.
  enum class Resume : std::uint8_t { task, turn };

  explicit WaitNode(Resume resume = Resume::task) noexcept : resume_(resume) {}
  WaitNode(WaitNode&& other) noexcept : Waiter(std::move(other)), resume_(other.resume_) {}
  WaitNode& operator=(WaitNode&&) = delete;
  ~WaitNode() override {
    if (linked()) [[unlikely]]
      unlink();
  }

  /// Ends the wait (future.set_result): the task, or turn(), runs in the next iteration. Does
  /// nothing when it has ended.
  void wake() {
    if (state_ != State::pending) return;
    TaskBase& waiting = *task();
    if (waiting.core().debug_) [[unlikely]]
      check_thread(waiting);
    state_ = State::woken;
    if (resume_ == Resume::task)
      waiting.wake();
    else
      waiting.wake_through(*this);
  }
  [[nodiscard]] bool cancelled() const noexcept { return state_ == State::cancelled; }
  using Links::linked;
  using Links::unlink;
  /// The primitive was destroyed under this wait: it must not be touched.
  [[nodiscard]] bool orphaned() const noexcept { return orphaned_; }

  void run() final;
  bool cancel_wait(const SharedText& message) final;
  [[nodiscard]] std::string describe() const final;

protected:
  /// Was await_suspend called? Not for one whose await_ready was true.
  [[nodiscard]] bool waited() const noexcept { return state_ != State::idle; }
  /// For Resume::turn: what asyncio's coroutine does between being woken and its next await. True
  /// when the task shall resume; false when it waits on, by wait_on().
  virtual bool turn();
  /// From turn() or before the first suspension is over: waits again on what this was linked to.
  /// False when a cancelled scope forbids it.
  [[nodiscard]] bool wait_on();
  /// The primitive died and nobody cancelled the wait: throws RuntimeError.
  [[noreturn]] static void throw_orphaned();

private:
  friend class WaitList;
  static void check_thread(const TaskBase& waiting);
  Resume resume_;
  bool orphaned_ = false;
};

/// The waits of a primitive, oldest first. Destroying it leaves the tasks in it waiting until they
/// are cancelled, as main's locals may go before the tasks that main has left behind.
class BRIO_API WaitList {
public:
  WaitList() noexcept = default;
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;
  ~WaitList() {
    if (!empty()) [[unlikely]]
      orphan_all();
  }

  [[nodiscard]] bool empty() const noexcept { return head_.empty(); }
  /// Oldest node; null if empty.
  [[nodiscard]] WaitNode* first() const noexcept { return node(head_.next_); }
  /// The one after `at`, null at the end.
  [[nodiscard]] WaitNode* after(const WaitNode& at) const noexcept { return node(at.next_); }
  void push_back(WaitNode& added) noexcept { added.link_before(head_); }
  /// Is there one that was not cancelled? (A woken one that has not run yet counts.)
  [[nodiscard]] bool any_not_cancelled() const noexcept;
  /// The oldest that still waits, null if there is none.
  [[nodiscard]] WaitNode* first_pending() const noexcept;
  /// How many still wait; walks the list.
  [[nodiscard]] std::size_t count_pending() const noexcept;
  /// Wakes the oldest that still waits; false if there is none. It goes to `leaving`, and so do
  /// those before it, which have ended: nobody looks at them again.
  bool wake_next(WaitList& leaving);
  /// Wakes all that still wait, where they stand.
  void wake_all();

private:
  [[nodiscard]] WaitNode* node(Links* links) const noexcept {
    return links == &head_ ? nullptr : static_cast<WaitNode*>(links);
  }
  void orphan_all() noexcept;
  ListHead head_;
};

/// A primitive belongs to the loop of the first task that had to wait on it.
class BRIO_API LoopBound {
protected:
  LoopBound() = default;
  ~LoopBound() = default;
  /// Throws RuntimeError "<what> is bound to a different event loop".
  void bind(const char* what) {
    const TaskBase* task = thread_state.task;
    if (!task) return;  // the suspension will say so
    if (!loop_)
      loop_ = Ref<LoopCore>(&task->core());
    else if (loop_.get() != &task->core()) [[unlikely]]
      throw_other_loop(what);
  }

private:
  [[noreturn]] static void throw_other_loop(const char* what);
  Ref<LoopCore> loop_;  // keeps the address from being another loop's
};

}  // namespace brio::detail
