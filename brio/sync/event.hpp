// Event: a flag that tasks can wait for (asyncio.Event).
#pragma once

#include <brio/sync/detail/wait_list.hpp>

namespace brio {

class Event;

namespace detail {

class BRIO_API EventWait final : public WaitNode {
public:
  bool begin(Event& event, PromiseBase& promise);
  void finish();
};

/// `co_await event.wait()`.
class [[nodiscard]] EventAwaiter {
public:
  explicit EventAwaiter(Event& event) noexcept : event_(&event) {}
  [[nodiscard]] bool await_ready() noexcept;
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return wait_.make().begin(*event_, caller.promise());
  }
  bool await_resume() {
    if (wait_) [[unlikely]]
      wait_->finish();
    return true;
  }

private:
  Event* event_;
  LateWait<EventWait> wait_;
};

}  // namespace detail

/// A flag, at first not set (asyncio.Event).
class BRIO_API Event : private detail::LoopBound {
public:
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  /// Is the flag up?
  [[nodiscard]] bool is_set() const noexcept { return set_; }
  /// Sets the flag and wakes every task that waits now. A clear() before they run does not take
  /// that back.
  void set() {
    if (set_) return;
    set_ = true;
    waiters_.wake_all();
  }
  /// Takes the flag down; later waits suspend.
  void clear() noexcept { set_ = false; }
  /// Waits until the flag is set; gives true. Does not suspend if it is. Throws RuntimeError if the
  /// event is bound to another loop. Cancellation leaves nothing behind.
  [[nodiscard]] detail::EventAwaiter wait() noexcept { return detail::EventAwaiter(*this); }

private:
  friend class detail::EventWait;
  bool set_ = false;
  detail::WaitList waiters_;
};

inline bool detail::EventAwaiter::await_ready() noexcept {
  wait_.reset();
  return event_->is_set();
}

}  // namespace brio
