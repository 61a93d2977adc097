// pair(): two connected sockets for scenarios.
#pragma once

#include <brio/core/config.hpp>

#include <concepts>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace brio::testing::trace {

/// A non-blocking socket with the few methods of Python's that scenarios use. Move-only; the
/// destructor closes.
///
/// It converts to what brio's functions take: its descriptor's number
/// (`loop.add_reader(b, …)`), a net::TransportSocket (`sock_recv(a, 10)`), and, moved, a
/// net::Socket (`create_connection(factory, std::move(b))`).
class BRIO_API Sock {
public:
  Sock() noexcept = default;
  /// Takes over an open descriptor.
  explicit Sock(int fd) noexcept : fd_(fd) {}
  Sock(Sock&& other) noexcept : fd_(other.detach()) {}
  Sock& operator=(Sock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Sock() { close(); }

  /// The descriptor.
  [[nodiscard]] int fileno() const noexcept { return fd_; }
  /// How many bytes the kernel took. Throws BlockingIOError and other OSErrors.
  std::size_t send(std::string_view data) const;
  /// At most `size` bytes; "" is the end. Throws BlockingIOError and other OSErrors.
  [[nodiscard]] std::string recv(std::size_t size) const;
  /// shutdown(2) with SHUT_RD, SHUT_WR or SHUT_RDWR. Throws OSError.
  void shutdown(int how) const;
  /// Closes; harmless when it is closed already.
  void close() noexcept;
  /// Gives the descriptor away without closing it.
  [[nodiscard]] int detach() noexcept { return std::exchange(fd_, -1); }

  template <class T>
    requires(std::same_as<T, int> || (std::is_class_v<T> && std::constructible_from<T, int> &&
                                      !std::same_as<T, Sock> && !requires { T::adopt(0); }))
  operator T() const& {
    return T(fd_);
  }
  template <class T>
    requires requires {
      { T::adopt(0) } -> std::same_as<T>;
    }
  operator T() && {
    return T::adopt(detach());
  }

private:
  int fd_ = -1;
};

/// Two connected, non-blocking sockets (socket.socketpair). Throws OSError.
[[nodiscard]] BRIO_API std::pair<Sock, Sock> pair();

}  // namespace brio::testing::trace
