// Sockets as owned descriptors: a thin, move-only twin of Python's socket.socket, without the
// blocking habits. The loop's operations on them (sock_recv, …) are in brio/net/sock.hpp.
#pragma once

#include <brio/core/config.hpp>
#include <brio/net/address.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <type_traits>
#include <utility>

namespace brio::net {

/// What one may do to a socket that somebody else owns: ask and set options, never read, write or
/// close. It is what get_extra_info("socket") gives (asyncio.TransportSocket), and the base of
/// Socket. A view: it holds the descriptor's number and does not keep it open.
class BRIO_API TransportSocket {
public:
  TransportSocket() noexcept = default;
  explicit TransportSocket(int fd) noexcept : fd_(fd) {}

  /// The descriptor, -1 when there is none.
  [[nodiscard]] int fileno() const noexcept { return fd_; }
  /// AF_INET, AF_INET6, AF_UNIX… (SO_DOMAIN). Throws OSError.
  [[nodiscard]] int family() const;
  /// SOCK_STREAM, SOCK_DGRAM… (SO_TYPE). Throws OSError.
  [[nodiscard]] int type() const;
  /// IPPROTO_TCP… (SO_PROTOCOL). Throws OSError.
  [[nodiscard]] int proto() const;
  /// Our end's address. Throws OSError.
  [[nodiscard]] SocketAddress getsockname() const;
  /// The peer's address. Throws OSError (ENOTCONN when there is no peer).
  [[nodiscard]] SocketAddress getpeername() const;

  /// An integer option. Throws OSError.
  [[nodiscard]] int getsockopt(int level, int option) const;
  /// An option that is a C struct, for example `get_option<ucred>(SOL_SOCKET, SO_PEERCRED)`.
  /// Throws OSError.
  template <class T>
  [[nodiscard]] T get_option(int level, int option) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    get_option_bytes(level, option, &value, sizeof value);
    return value;
  }
  /// Sets an option from an int, a bool or a C struct such as `linger{1, 0}`. Throws OSError.
  template <class T>
    requires std::is_trivially_copyable_v<T>
  void setsockopt(int level, int option, const T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      const int number = value ? 1 : 0;
      set_option_bytes(level, option, &number, sizeof number);
    } else {
      set_option_bytes(level, option, &value, sizeof value);
    }
  }
  /// Sets an option that is a name, such as SO_BINDTODEVICE. Throws OSError.
  void setsockopt_text(int level, int option, std::string_view text);

  /// TCP_NODELAY; does nothing on a socket that is not TCP.
  void set_nodelay(bool on = true);
  /// SO_KEEPALIVE. Throws OSError.
  void set_keepalive(bool on = true);
  /// Process, user and group of a Unix peer at the time of its connect (SO_PEERCRED).
  /// Throws OSError.
  [[nodiscard]] ucred peer_credentials() const;
  /// SO_ERROR, which it clears: the errno of a finished non-blocking connect, 0 for none.
  [[nodiscard]] int take_error() const;

protected:
  int fd_ = -1;

private:
  void get_option_bytes(int level, int option, void* value, std::size_t size) const;
  void set_option_bytes(int level, int option, const void* value, std::size_t size);
};

/// An owned socket. Every one made here is close-on-exec and non-blocking. Move-only; the
/// destructor closes. A call that would block throws BlockingIOError, as in Python.
class BRIO_API Socket : public TransportSocket {
public:
  Socket() noexcept = default;
  /// socket(2). Throws OSError.
  explicit Socket(int family, int type = SOCK_STREAM, int proto = 0);
  /// Takes over an open descriptor as it is (blocking or not).
  [[nodiscard]] static Socket adopt(int fd) noexcept;
  /// Two connected ends, AF_UNIX by default (socket.socketpair). Throws OSError.
  [[nodiscard]] static std::pair<Socket, Socket> pair(int type = SOCK_STREAM);

  Socket(Socket&& other) noexcept : TransportSocket(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() { close(); }

  /// True while a descriptor is held.
  [[nodiscard]] explicit operator bool() const noexcept { return fd_ >= 0; }
  /// Closes now; harmless when it is closed already. What waits for it in this thread's loop
  /// (sock_recv and its kin) throws OSError (EBADF), and its readers and writers are removed.
  /// Errors of close(2) are not reported: the descriptor is gone in any case.
  void close() noexcept;
  /// Gives the descriptor away without closing it (socket.detach).
  [[nodiscard]] int detach() noexcept { return std::exchange(fd_, -1); }
  /// A second descriptor for the same socket, close-on-exec. Throws OSError.
  [[nodiscard]] Socket dup() const;

  /// O_NONBLOCK on or off. Throws OSError.
  void setblocking(bool blocking);
  /// Does O_NONBLOCK not stand?
  [[nodiscard]] bool getblocking() const;

  /// bind(2), listen(2), shutdown(2). Throw OSError; bind's names the address.
  void bind(const SocketAddress& address);
  /// listen(2). Throws OSError.
  void listen(int backlog = 128);
  /// shutdown(2) with SHUT_RD, SHUT_WR or SHUT_RDWR. Throws OSError.
  void shutdown(int how);
  /// Starts or makes a connection. Returns true when it stands, false when it is under way (wait
  /// until the socket is writable, then take_error()). Throws OSError naming the address.
  bool connect(const SocketAddress& address);
  /// One connection and its peer's address. Throws BlockingIOError when none waits, OSError.
  [[nodiscard]] std::pair<Socket, SocketAddress> accept();

  /// At most `size` bytes of what has arrived; "" is end-of-file. Throws BlockingIOError, OSError.
  [[nodiscard]] std::string recv(std::size_t size);
  /// The same into a buffer of the caller; the count, 0 for end-of-file.
  std::size_t recv_into(void* buffer, std::size_t size);
  /// How many bytes the kernel took. Never raises SIGPIPE. Throws BlockingIOError, OSError.
  std::size_t send(std::string_view data);
};

/// The descriptor of a listening or datagram socket bound to `address`, for servers of one's own.
/// Throws OSError ("bind to 127.0.0.1:80 failed: …").
[[nodiscard]] BRIO_API Socket bound_socket(const SocketAddress& address, int type = SOCK_STREAM,
                                           bool reuse_address = true);

}  // namespace brio::net
