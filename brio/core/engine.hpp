// What the loop asks of an I/O engine. core knows this interface alone; brio/engine implements it.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/time.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

struct iovec;
struct sockaddr;

namespace brio {

/// Readiness interest in a descriptor.
enum class Interest : std::uint8_t { none = 0, read = 1, write = 2, both = 3 };

[[nodiscard]] constexpr Interest operator|(Interest a, Interest b) noexcept {
  return static_cast<Interest>(static_cast<unsigned>(a) | static_cast<unsigned>(b));
}
[[nodiscard]] constexpr Interest operator&(Interest a, Interest b) noexcept {
  return static_cast<Interest>(static_cast<unsigned>(a) & static_cast<unsigned>(b));
}

/// What a descriptor is to its engine.
enum class Purpose : std::uint8_t {
  plain,     ///< watched, and nothing else: its owner makes the system calls
  stream,    ///< a stream socket that is read with Engine::receive alone
  listener,  ///< a listening socket whose connections are taken with Engine::accept alone
};

/// What Engine::receive or Engine::send came to: a count, or the errno that stopped it.
struct Transfer {
  /// What was received. Lent: it stays until the engine polls again.
  const char* data = nullptr;
  /// Bytes; a receive of none without an error is the peer's end.
  std::size_t count = 0;
  /// EAGAIN: nothing happened, wait for the descriptor to become ready.
  int error = 0;
};

/// How long an engine is to wait for a timer that is due in `timeout`. Waits below 10 ms are exact.
/// Longer ones are rounded up to whole milliseconds, as asyncio does with every wait: tasks that
/// began their sleeps a moment apart then wake in the same iteration.
[[nodiscard]] constexpr Duration rounded_wait(Duration timeout) noexcept {
  if (timeout < std::chrono::milliseconds(10)) return timeout;
  return std::chrono::ceil<std::chrono::milliseconds>(timeout);
}

/// An I/O engine and the clock that goes with it. Owned by one EventLoop; every call but wake()
/// comes from the loop's thread.
///
/// All I/O is told of by descriptor: watch() says in what the loop is interested, and poll()
/// reports which descriptors have something. What that something is depends on the descriptor's
/// purpose. For a plain one it is readiness, and its owner makes the system call. From an adopted
/// one, receive() or accept() takes it: a readiness engine makes the system call there and then, in
/// the callback as asyncio does; a completion engine has let the kernel do it meanwhile, and hands
/// over what has come.
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

  /// The owner of socket `fd` will read it through this engine alone, until forget(). The engine
  /// may then read ahead of it while reading is of interest; what has come when the interest ends
  /// is kept for the next receive() or accept(). Nothing may be of interest yet.
  virtual void adopt(int fd, Purpose purpose);
  /// To be called before an adopted or watched `fd` is closed. When it returns, the kernel has let
  /// go of it: closing really closes. What had come and was not taken is dropped.
  virtual void forget(int fd) noexcept;
  /// Takes what has come on an adopted stream, at most scratch.size() bytes: in `scratch`, or lent
  /// from the engine's own memory.
  [[nodiscard]] virtual Transfer receive(int fd, std::span<char> scratch) noexcept;
  /// Takes the next connection of an adopted listener: a non-blocking, close-on-exec descriptor,
  /// and the peer's address in `peer` (`length` bytes). Or -errno; -EAGAIN: there is none.
  [[nodiscard]] virtual int accept(int fd, sockaddr* peer, unsigned* length) noexcept;
  /// Ends accepting on an adopted listener that is of no interest any more, and takes the next
  /// connection which the engine has accepted ahead; -EAGAIN: there is none left. If the kernel may
  /// have told this engine alone of what still waits in its queue, that is taken as well.
  [[nodiscard]] virtual int accept_rest(int fd, sockaddr* peer, unsigned* length) noexcept;
  /// Sends as much as the kernel takes at once; never raises SIGPIPE.
  [[nodiscard]] virtual Transfer send(int fd, const iovec* parts, std::size_t count) noexcept;

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
  /// The loop stops running for now, and may never run again: what is still to be told to the
  /// kernel is told.
  virtual void rest() noexcept {}
  /// The loop is closed: free the descriptors. wake() stays safe to call.
  virtual void close() noexcept = 0;
};

namespace detail {
/// How often this process is a fork's child, counting its forebears. An engine made before the
/// last fork belongs to the parent.
[[nodiscard]] BRIO_API unsigned fork_depth() noexcept;
/// The engine that policy and BRIO_LOOP choose; made by the engine room.
BRIO_API std::unique_ptr<Engine> make_default_engine();
}  // namespace detail

}  // namespace brio
