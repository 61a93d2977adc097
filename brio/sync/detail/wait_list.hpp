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
#include <memory>
#include <string>
#include <utility>

namespace brio::detail {

class WaitList;

/// One task's wait in a primitive's list.
class BRIO_API WaitNode : public Waiter, private Links {
public:
  /// Who has the turn after wake(): the task, or run() of this node, which may wait on instead.
  enum class Turn : std::uint8_t { task, node };

  explicit WaitNode(Turn turn = Turn::task) noexcept : turn_(turn) {}
  WaitNode(const WaitNode&) = delete;
  WaitNode& operator=(const WaitNode&) = delete;
  ~WaitNode() override { leave(); }

  /// Ends the wait (future.set_result): the task, or run(), has its turn in the next iteration.
  /// Does nothing when it has ended.
  void wake() {
    if (state_ != State::pending) return;
    TaskBase& waiting = *task();
    if (waiting.core().debug_) [[unlikely]]
      check_thread(waiting);
    state_ = State::woken;
    if (turn_ == Turn::task)
      waiting.wake();
    else
      waiting.wake_through(*this);
  }
  [[nodiscard]] bool cancelled() const noexcept { return state_ == State::cancelled; }
  /// The primitive was destroyed under this wait: it must not be touched.
  [[nodiscard]] bool orphaned() const noexcept { return orphaned_; }

  void run() override;
  bool cancel_wait(const SharedText& message) final;
  [[nodiscard]] std::string describe() const final;

protected:
  /// Out of the list, if it stands in one.
  inline void leave() noexcept;
  /// For Turn::node, instead of resuming the task: waits again, in `line`. False when a cancelled
  /// scope forbids it.
  [[nodiscard]] bool wait_on(WaitList& line, PromiseBase& promise);
  /// The primitive died and nobody cancelled the wait: throws RuntimeError.
  [[noreturn]] static void throw_orphaned();

private:
  friend class WaitList;
  static void check_thread(const TaskBase& waiting);
  WaitList* list_ = nullptr;  // the list that it stands in
  Turn turn_;
  bool orphaned_ = false;
};

/// The waits of a primitive, oldest first.
///
///     woken or cancelled … | waiting_: waiting, cancelled, waiting …
///
/// A node stays until its task runs again. wake_next() looks at each once: what it has passed, and
/// what it has woken, lies before waiting_.
///
/// Destroying the list leaves the tasks in it waiting until they are cancelled, as main's locals
/// may go before the tasks that main has left behind.
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
  void push_back(WaitNode& added) noexcept {
    added.link_before(head_);
    added.list_ = this;
    if (!waiting_) waiting_ = &added;
  }
  void remove(WaitNode& node) noexcept {
    if (waiting_ == &node) waiting_ = after(node);
    node.unlink();
    node.list_ = nullptr;
  }
  /// May there be one that still waits? False is certain.
  [[nodiscard]] bool has_waiting() const noexcept { return waiting_ != nullptr; }
  /// The oldest that still waits, null if there is none.
  [[nodiscard]] WaitNode* first_waiting() noexcept {
    while (waiting_ && !waiting_->pending()) waiting_ = after(*waiting_);
    return waiting_;
  }
  /// How many still wait; walks the list.
  [[nodiscard]] std::size_t count_waiting() const noexcept;
  /// Is there one that was not cancelled? (A woken one that has not run yet counts.)
  [[nodiscard]] bool any_not_cancelled() const noexcept;
  /// Wakes the oldest that still waits; false if there is none.
  bool wake_next() {
    WaitNode* const next = first_waiting();
    if (!next) return false;
    next->wake();
    waiting_ = after(*next);
    return true;
  }
  /// Wakes all that still wait.
  void wake_all() {
    while (wake_next()) {
    }
  }

private:
  [[nodiscard]] WaitNode* node(Links* links) const noexcept {
    return links == &head_ ? nullptr : static_cast<WaitNode*>(links);
  }
  void orphan_all() noexcept;
  ListHead head_;
  WaitNode* waiting_ = nullptr;
};

inline void WaitNode::leave() noexcept {
  if (list_) list_->remove(*this);
}

/// An awaiter's WaitNode, made only if the operation has to wait: what does not wait costs no more
/// than the operation.
template <class Wait>
class LateWait {
public:
  LateWait() noexcept {}
  LateWait(LateWait&&) noexcept {}  // before it is awaited
  LateWait& operator=(LateWait&&) = delete;
  ~LateWait() {
    if (made_) [[unlikely]]
      std::destroy_at(&wait_);
  }
  /// Forgets an earlier await of the same awaiter; for await_ready.
  void reset() noexcept {
    if (made_) [[unlikely]]
      std::destroy_at(&wait_);
    made_ = false;
  }
  template <class... Args>
  Wait& make(Args&&... args) {
    std::construct_at(&wait_, std::forward<Args>(args)...);
    made_ = true;
    return wait_;
  }
  explicit operator bool() const noexcept { return made_; }
  Wait* operator->() noexcept { return &wait_; }

private:
  union {
    Wait wait_;
  };
  bool made_ = false;
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
