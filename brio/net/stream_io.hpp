// A stream socket on its loop's engine, and nothing else: no flow control, no buffering, no order
// of events.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/loop.hpp>
#include <brio/net/socket.hpp>

#include <cstddef>
#include <span>
#include <sys/uio.h>

namespace brio::net::detail {

/// A stream socket on a loop.
///
/// The owner is told that it may receive or send, in the order that the engine reports, and then
/// calls receive() or send(). Not told any more once it has said stop, also not of an event that
/// was collected before.
class BRIO_API StreamIO {
public:
  class Owner {
  public:
    virtual void io_readable() = 0;
    virtual void io_writable() = 0;

  protected:
    Owner() = default;
    ~Owner() = default;
    Owner(const Owner&) = default;
    Owner& operator=(const Owner&) = default;
  };

  /// What a call came to: a count, or the errno that stopped it.
  struct Result : Transfer {
    /// Nothing happened; try again when told.
    [[nodiscard]] bool again() const noexcept;
  };

  /// `purpose`: plain for sockets whose owner receives by himself, as datagrams need.
  StreamIO(EventLoop& loop, Socket socket, Purpose purpose = Purpose::stream) noexcept
      : loop_(&loop), socket_(std::move(socket)), purpose_(purpose) {}
  StreamIO(const StreamIO&) = delete;
  StreamIO& operator=(const StreamIO&) = delete;
  /// Does not unwatch: stop first, while the loop lives.
  ~StreamIO() = default;

  void start_reading(Owner& owner);
  void stop_reading();
  void start_writing(Owner& owner);
  void stop_writing();

  /// At most buffer.size() bytes, in `buffer` or lent by the engine until it polls again; a count
  /// of 0 without an error is the peer's end. To be called when told that there is something.
  [[nodiscard]] Result receive(std::span<char> buffer) noexcept;
  [[nodiscard]] Result send(const char* data, std::size_t size) noexcept;
  [[nodiscard]] Result send(const iovec* parts, std::size_t count) noexcept;
  /// Ends the sending side; an errno or 0.
  int shutdown_writing() noexcept;
  /// Stops everything and closes the descriptor.
  void close() noexcept;

  [[nodiscard]] Socket& socket() noexcept { return socket_; }
  [[nodiscard]] const Socket& socket() const noexcept { return socket_; }
  [[nodiscard]] EventLoop& loop() const noexcept { return loop_->loop(); }

private:
  void adopt();

  brio::detail::Ref<brio::detail::LoopCore> loop_;  // a closed one can still be asked
  Socket socket_;
  Purpose purpose_;
  bool adopted_ = false;  // the engine knows the purpose
  bool reading_ = false;
  bool writing_ = false;
};

}  // namespace brio::net::detail
