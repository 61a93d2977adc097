// Event: a flag that tasks can wait for (asyncio.Event).
#pragma once

#include <brio/sync/detail/wait_list.hpp>

namespace brio {

class Event;

namespace detail {

/// `co_await event.wait()`.
class BRIO_API EventWait : public WaitNode {
public:
  explicit EventWait(Event& event) noexcept : event_(&event) {}
  [[nodiscard]] bool await_ready() const noexcept;
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return begin(caller.promise());
  }
  bool await_resume() {
    if (waited()) [[unlikely]]
      finish();
    return true;
  }

private:
  bool begin(PromiseBase& promise);
  void finish();
  Event* event_;
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
    if (!waiters_.empty()) waiters_.wake_all();
  }
  /// Takes the flag down; later waits suspend.
  void clear() noexcept { set_ = false; }
  /// Waits until the flag is set; gives true. Does not suspend if it is. Throws RuntimeError if the
  /// event is bound to another loop. Cancellation leaves nothing behind.
  [[nodiscard]] detail::EventWait wait() noexcept { return detail::EventWait(*this); }

private:
  friend class detail::EventWait;
  bool set_ = false;
  detail::WaitList waiters_;
};

inline bool detail::EventWait::await_ready() const noexcept { return event_->is_set(); }

}  // namespace brio
