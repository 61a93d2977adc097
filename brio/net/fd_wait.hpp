// Waiting for a descriptor's readiness, for one task.
#pragma once

#include <brio/core/detail/future_base.hpp>
#include <brio/core/loop.hpp>

namespace brio::net::detail {

/// `co_await FdReady(loop, fd, Interest::read)`: returns when the descriptor is ready, or was.
///
/// The watcher goes when the wait ends, one turn after a cancellation; a watcher that somebody
/// else has put in its place meanwhile is left alone.
class FdReady : public brio::detail::Waiter {
public:
  FdReady(EventLoop& loop, int fd, Interest direction) noexcept
      : loop_(&loop), fd_(fd), direction_(direction) {}
  ~FdReady() override { unwatch(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return begin(caller.promise());
  }
  void await_resume() {
    unwatch();
    check();
  }

private:
  BRIO_API bool begin(brio::detail::PromiseBase& promise);
  BRIO_API void unwatch() noexcept;

  EventLoop* loop_;
  int fd_;
  Interest direction_;
  Handle handle_;
};

}  // namespace brio::net::detail
