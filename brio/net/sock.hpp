// The loop's operations on plain sockets (loop.sock_recv and its kin).
//
// Each tries the system call first and watches the descriptor only when it would block. The socket
// must be non-blocking (checked in debug mode, ValueError) and must not belong to a transport
// (RuntimeError). One operation per direction may wait on a socket: a second one takes the first
// one's place, which then waits for ever, as in asyncio.
//
// Cancellation: the wait ends, nothing is lost. Bytes or connections that arrived meanwhile stay
// in the kernel for the next call; what sock_sendall had sent is sent.
//
// A TransportSocket is passed by value; a Socket converts. Keep the Socket open meanwhile.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/net/address.hpp>
#include <brio/net/socket.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <utility>

namespace brio {

/// At most `nbytes` bytes as soon as there are any; "" is the peer's end. Throws OSError.
[[nodiscard]] BRIO_API Coro<std::string> sock_recv(net::TransportSocket sock, std::size_t nbytes);
/// The same into memory of the caller, which must stay valid until this ends; the count.
[[nodiscard]] BRIO_API Coro<std::size_t> sock_recv_into(net::TransportSocket sock,
                                                        std::span<char> buffer);
/// One datagram of at most `nbytes` bytes, and its sender. Throws OSError.
[[nodiscard]] BRIO_API Coro<std::pair<std::string, net::SocketAddress>> sock_recvfrom(
    net::TransportSocket sock, std::size_t nbytes);
/// The same into memory of the caller.
[[nodiscard]] BRIO_API Coro<std::pair<std::size_t, net::SocketAddress>> sock_recvfrom_into(
    net::TransportSocket sock, std::span<char> buffer);
/// Sends all of `data`. After an error or a cancellation nobody knows how much was sent.
BRIO_API Coro<void> sock_sendall(net::TransportSocket sock, std::string data);
/// Sends one datagram to `address`; the count. Throws OSError.
BRIO_API Coro<std::size_t> sock_sendto(net::TransportSocket sock, std::string data,
                                       net::SocketAddress address);
/// Connects to `address`. Throws OSError naming it.
BRIO_API Coro<void> sock_connect(net::TransportSocket sock, net::SocketAddress address);
/// Looks `host` up in the socket's family, takes the first answer and connects to it.
BRIO_API Coro<void> sock_connect(net::TransportSocket sock, std::string host, int port);
/// One connection of a listening socket, non-blocking and close-on-exec, and its peer's address.
/// Throws OSError.
[[nodiscard]] BRIO_API Coro<std::pair<net::Socket, net::SocketAddress>> sock_accept(
    net::TransportSocket sock);

}  // namespace brio
