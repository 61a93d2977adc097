// What tasks, futures and timers need of a loop: the ready ring, the timers, the list of tasks.
// EventLoop derives from it; keeping it apart keeps the primitives free of the loop's interface.
#pragma once

#include <brio/core/detail/node.hpp>
#include <brio/core/detail/timer_heap.hpp>

#include <cstdint>

namespace brio {
class EventLoop;
}

namespace brio::detail {

class TaskBase;
class GeneratorPromise;

class BRIO_API LoopCore {
public:
  LoopCore(const LoopCore&) = delete;
  LoopCore& operator=(const LoopCore&) = delete;

  // Futures keep their loop's memory alive, so that one that outlives a closed loop stays sound.
  void ref() noexcept { ++refs_; }
  void unref() noexcept {
    if (--refs_ == 0) destroy();
  }

  void ready(Node& node) { ready_.push(&node); }
  [[nodiscard]] EventLoop& loop() noexcept;
  /// Throws RuntimeError in a thread other than the running loop's.
  void check_thread() const;

  ReadyRing ready_;
  TimerHeap timers_;
  TaskBase* first_task_ = nullptr;  // unfinished tasks in order of creation
  TaskBase* last_task_ = nullptr;
  // Async generators that were started and have not ended, in order of first use.
  GeneratorPromise* first_generator_ = nullptr;
  GeneratorPromise* last_generator_ = nullptr;
  std::uint64_t next_callback_ = 1;
  bool debug_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool asyncgens_shut_down_ = false;

protected:
  LoopCore() = default;
  virtual ~LoopCore() = default;

private:
  void destroy() noexcept;
  std::uint64_t refs_ = 0;
};

}  // namespace brio::detail
