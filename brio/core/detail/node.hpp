// What the loop runs: a node in the ready ring. Tasks, handles, timers, done-callbacks and a
// waiting coroutine's own awaiter are nodes; scheduling one is a pointer store, no allocation.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/detail/shared_text.hpp>

#include <cstddef>
#include <memory>
#include <string>

namespace brio::detail {

class FutureBase;

class BRIO_API Node {
public:
  /// One turn of the loop. Only the fatal family (SystemExit, KeyboardInterrupt) may leave it.
  virtual void run() = 0;
  /// A task waits on this node and is being cancelled: true if the wait takes the cancellation
  /// (the task will be woken by it), false if it has already ended.
  virtual bool cancel_wait(const SharedText& message);
  /// The future that cancel_wait would do nothing but cancel; null if it does something else.
  [[nodiscard]] virtual FutureBase* passes_cancel_to() const noexcept;
  /// The loop is closing and will not run this node: give back what it owns.
  virtual void drop() noexcept;
  /// The future behind this wait or callback, for the call graph: what is awaited …
  [[nodiscard]] virtual FutureBase* awaited() const noexcept;
  /// … and who awaits it.
  [[nodiscard]] virtual FutureBase* awaiting() const noexcept;
  /// False when the turn would do nothing (a cancelled handle): it is not counted as a step.
  [[nodiscard]] virtual bool live() const noexcept;
  /// For the slow-callback report.
  [[nodiscard]] virtual std::string describe() const;

protected:
  Node() = default;
  ~Node() = default;
  Node(const Node&) = default;
  Node& operator=(const Node&) = default;
};

/// FIFO of nodes: a power-of-two ring of pointers that grows and never shrinks.
class ReadyRing {
public:
  ReadyRing() : slots_(std::make_unique<Node*[]>(mask_ + 1)) {}
  [[nodiscard]] bool empty() const noexcept { return head_ == tail_; }
  [[nodiscard]] std::size_t size() const noexcept { return tail_ - head_; }

  BRIO_ALWAYS_INLINE void push(Node* node) {
    if (size() > mask_) [[unlikely]]
      grow();
    slots_[tail_++ & mask_] = node;
  }
  [[nodiscard]] Node* front() const noexcept { return slots_[head_ & mask_]; }
  BRIO_ALWAYS_INLINE Node* pop() noexcept { return slots_[head_++ & mask_]; }

private:
  BRIO_API void grow();
  std::size_t mask_ = 255;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::unique_ptr<Node*[]> slots_;
};

}  // namespace brio::detail
