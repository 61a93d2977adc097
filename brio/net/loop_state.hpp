// What the rooms net and tls keep once per loop: the memory into which all connections read, and
// the list of the living transports.
#pragma once

#include <brio/core/config.hpp>
#include <brio/net/transport.hpp>

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace brio {
class EventLoop;
}

namespace brio::net::detail {

/// One object per loop (EventLoop::local).
///
/// The registry owns each transport from its making until connection_lost, so that a program may
/// drop its handles and the connection still lives, as in asyncio where the selector holds it.
class BRIO_API LoopState {
public:
  static constexpr std::size_t read_buffer_size = 256 * 1024;

  LoopState() = default;
  LoopState(const LoopState&) = delete;
  LoopState& operator=(const LoopState&) = delete;
  /// The loop is closed: what is still here is abandoned, in debug mode with a warning.
  ~LoopState();

  [[nodiscard]] static LoopState& of(EventLoop& loop);

  /// Keeps `transport`, which owns descriptor `fd`, alive until release(fd).
  void keep(int fd, std::shared_ptr<BaseTransport> transport);
  /// The transport that owned `fd`, if any: hold it until you are done with it.
  std::shared_ptr<BaseTransport> release(int fd) noexcept;
  [[nodiscard]] BaseTransport* find(int fd) const noexcept;
  /// Throws RuntimeError when a transport owns `fd`: nobody else may watch or read it then.
  void ensure_no_transport(int fd) const;
  /// Every transport that is alive now, oldest descriptor first.
  [[nodiscard]] std::vector<std::shared_ptr<BaseTransport>> transports() const;

  /// A loan of a read buffer, given back by the destructor.
  class BRIO_API Loan {
  public:
    explicit Loan(EventLoop& loop);
    Loan(const Loan&) = delete;
    Loan& operator=(const Loan&) = delete;
    ~Loan();
    [[nodiscard]] char* data() const noexcept { return memory_.get(); }
    [[nodiscard]] std::size_t size() const noexcept { return read_buffer_size; }
    [[nodiscard]] std::span<char> span() const noexcept { return {data(), size()}; }

  private:
    std::vector<std::unique_ptr<char[]>>& home_;
    std::unique_ptr<char[]> memory_;
  };

private:
  std::vector<std::shared_ptr<BaseTransport>> by_descriptor_;
  // One is enough for plain sockets; a TLS layer decrypts into a second while the first is lent.
  std::vector<std::unique_ptr<char[]>> buffers_;
};

/// The running loop, for an operation on the plain socket `fd`. Throws RuntimeError when a
/// transport owns it, and in debug mode ValueError when it is blocking.
[[nodiscard]] BRIO_API EventLoop& loop_for_socket(int fd);

}  // namespace brio::net::detail
