// Descriptors over Unix sockets: to hand a file, a pipe or an accepted connection to another
// process (SCM_RIGHTS, unix(7)).
//
// As sock_recv and its kin: the socket must be non-blocking and must not belong to a transport.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/net/socket.hpp>

#include <cstddef>
#include <string>
#include <vector>

namespace brio {

namespace net {

/// What sock_recv_fds has received. Move-only, as its descriptors are.
struct ReceivedFds {
  ReceivedFds() = default;
  ReceivedFds(ReceivedFds&&) = default;
  ReceivedFds& operator=(ReceivedFds&&) = default;
  // A vector of what cannot be copied claims that it can.
  ReceivedFds(const ReceivedFds&) = delete;
  ReceivedFds& operator=(const ReceivedFds&) = delete;
  ~ReceivedFds() = default;

  /// The bytes that came along; "" is the peer's end.
  std::string data;
  /// Each owned, close-on-exec, blocking or not as its sender had it. A Socket here holds any kind
  /// of descriptor; brio::os::Descriptor takes it over.
  std::vector<Socket> fds;
  /// More had been sent than there was room for; the kernel has closed the rest.
  bool truncated = false;
};

/// The most descriptors that one message may carry (SCM_MAX_FD of Linux).
inline constexpr std::size_t max_fds_per_message = 253;

}  // namespace net

/// Sends all of `data` over a Unix socket, and duplicates of the descriptors `fds` with its first
/// byte; the caller's own stay open, and must until this ends. `data` must not be empty:
/// descriptors travel with bytes only. Throws ValueError for that, for more than
/// net::max_fds_per_message and for a negative number; OSError. Cancelled before it is sent it
/// sends nothing, else as sock_sendall. Source: socket.send_fds.
BRIO_API Coro<void> sock_send_fds(net::TransportSocket sock, std::string data,
                                  std::vector<int> fds);

/// At most `nbytes` bytes and the descriptors, at most `maxfds`, that came with them. Bytes of
/// messages with other descriptors are not mixed in. Throws ValueError for a maxfds above
/// net::max_fds_per_message, OSError. Cancellation loses nothing. Source: socket.recv_fds.
[[nodiscard]] BRIO_API Coro<net::ReceivedFds> sock_recv_fds(net::TransportSocket sock,
                                                            std::size_t nbytes,
                                                            std::size_t maxfds = 1);

}  // namespace brio
