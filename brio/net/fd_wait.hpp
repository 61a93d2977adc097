// Waiting for a descriptor's readiness, for one task.
#pragma once

#include <brio/core/detail/future_base.hpp>
#include <brio/core/loop.hpp>

#include <array>
#include <vector>

namespace brio::net::detail {

class FdWaits;

/// `co_await FdReady(loop, fd, Interest::read)`: returns when the descriptor is ready, or was.
///
/// Several tasks may wait for one descriptor: all are woken, and who finds nothing waits again. A
/// watcher that somebody else has put in the place of ours is left alone. Throws OSError (EBADF)
/// when the descriptor is closed meanwhile (EventLoop::forget).
class FdReady : public brio::detail::Waiter {
public:
  FdReady(EventLoop& loop, int fd, Interest direction) noexcept
      : loop_(&loop), fd_(fd), direction_(direction) {}
  ~FdReady() override { leave(); }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return begin(caller.promise());
  }
  void await_resume() {
    leave();
    check();
    if (closed_) throw_closed();
  }

private:
  friend FdWaits;

  BRIO_API bool begin(brio::detail::PromiseBase& promise);
  BRIO_API void leave() noexcept;
  [[noreturn]] BRIO_API void throw_closed() const;

  EventLoop* loop_;
  FdWaits* list_ = nullptr;  // while it is in one
  FdReady* next_ = nullptr;
  int fd_;
  Interest direction_;
  bool closed_ = false;
};

/// Who waits for which descriptor. One object per loop (EventLoop::local).
class FdWaits {
public:
  FdWaits() = default;
  FdWaits(const FdWaits&) = delete;
  FdWaits& operator=(const FdWaits&) = delete;
  /// The loop is closed; frames that still wait are destroyed later.
  ~FdWaits();

  void add(FdReady& waiter);
  void remove(FdReady& waiter) noexcept;
  /// Ends all waits for `fd`: it is about to be closed.
  void end(int fd) noexcept;

private:
  struct Waits {
    FdReady* first = nullptr;  // in the order of coming
    Handle handle;
  };
  [[nodiscard]] Waits* find(int fd, Interest direction) noexcept;

  std::vector<std::array<Waits, 2>> by_descriptor_;  // for reading, for writing
};

}  // namespace brio::net::detail
