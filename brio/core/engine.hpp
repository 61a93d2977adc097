// What the loop asks of an I/O engine. core knows this interface alone; brio/engine implements it.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/time.hpp>

#include <cstdint>
#include <memory>

namespace brio {

/// Readiness interest in a descriptor.
enum class Interest : std::uint8_t { none = 0, read = 1, write = 2, both = 3 };

[[nodiscard]] constexpr Interest operator|(Interest a, Interest b) noexcept {
  return static_cast<Interest>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr Interest operator&(Interest a, Interest b) noexcept {
  return static_cast<Interest>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}

/// How long an engine is to wait for a timer that is due in `timeout`. Waits below 10 ms are exact.
/// Longer ones are rounded up to whole milliseconds, as asyncio does with every wait: tasks that
/// began their sleeps a moment apart then wake in the same iteration.
[[nodiscard]] constexpr Duration rounded_wait(Duration timeout) noexcept {
  if (timeout < std::chrono::milliseconds(10)) return timeout;
  return std::chrono::ceil<std::chrono::milliseconds>(timeout);
}

/// An I/O engine and the clock that goes with it. Owned by one EventLoop; every call but wake()
/// comes from the loop's thread.
class BRIO_API Engine {
public:
  /// Gets told, during poll, what has become ready.
  class Sink {
  public:
    /// Errors and hang-ups count as both directions that are watched.
    virtual void descriptor_ready(int fd, Interest ready) = 0;

  protected:
    ~Sink() = default;
    Sink() = default;
    Sink(const Sink&) = default;
    Sink& operator=(const Sink&) = default;
  };

  Engine() = default;
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine();

  /// "epoll", "io_uring", …
  [[nodiscard]] virtual const char* name() const noexcept = 0;
  /// The loop's clock: monotonic.
  [[nodiscard]] virtual TimePoint now() = 0;
  /// Replaces the interest in `fd` (level-triggered). Throws OSError if fd cannot be watched.
  virtual void watch(int fd, Interest interest) = 0;
  /// True while anything is watched: if not, an iteration that has work skips the poll. The loop
  /// asks after each watch().
  [[nodiscard]] virtual bool watching() const noexcept = 0;
  /// Waits until something is ready, a wake() or `timeout`; negative: no timeout; zero: only looks.
  /// Reports what is ready to `sink` in the order that the system gives. May return early.
  virtual void poll(Duration timeout, Sink& sink) = 0;
  /// Makes a poll under way, or the next one, return. Any thread, and signal handlers.
  virtual void wake() noexcept = 0;
  /// A descriptor that is readable when poll would find something, for embedding the loop in
  /// another one; -1 if there is none.
  [[nodiscard]] virtual int descriptor() const noexcept { return -1; }
  /// The loop is closed: free the descriptors. wake() stays safe to call.
  virtual void close() noexcept = 0;
};

namespace detail {
/// The engine that policy and BRIO_LOOP choose; made by the engine room.
BRIO_API std::unique_ptr<Engine> make_default_engine();
}  // namespace detail

}  // namespace brio
