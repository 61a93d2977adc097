#include <brio/net/sock.hpp>

#include <brio/core/loop.hpp>
#include <brio/net/fd_wait.hpp>
#include <brio/net/loop_state.hpp>
#include <brio/net/resolver.hpp>
#include <brio/net/system_calls.hpp>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>

namespace brio {

using net::Socket;
using net::SocketAddress;
using net::TransportSocket;
using net::detail::FdReady;
using net::detail::loop_for_socket;
using net::detail::LoopState;
using net::detail::would_block;

namespace {

struct PeerAddress {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr* raw() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  SocketAddress value() { return SocketAddress::from_raw(raw(), length); }
};

// Memory for `nbytes`: the loop's, so that only what came is copied. A datagram that is longer than
// that would be cut, so more is got for one; of a stream the rest comes with the next call.
class Room {
public:
  Room(EventLoop& loop, int fd, std::size_t nbytes) : loan_(loop) {
    if (nbytes <= loan_.size() || is_stream(fd)) {
      memory_ = std::span(loan_.data(), std::min(nbytes, loan_.size()));
    } else {
      own_ = std::make_unique_for_overwrite<char[]>(nbytes);
      memory_ = std::span(own_.get(), nbytes);
    }
  }
  [[nodiscard]] char* data() const noexcept { return memory_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return memory_.size(); }

private:
  static bool is_stream(int fd) noexcept {
    int type = 0;
    socklen_t length = sizeof type;
    return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) != 0 || type == SOCK_STREAM;
  }
  LoopState::Loan loan_;
  std::unique_ptr<char[]> own_;
  std::span<char> memory_;
};

// Nothing: would block.
std::optional<std::string> try_recv(EventLoop& loop, int fd, std::size_t nbytes) {
  const Room room(loop, fd, nbytes);
  const ssize_t count = ::recv(fd, room.data(), room.size(), 0);
  if (count >= 0) return std::string(room.data(), static_cast<std::size_t>(count));
  if (would_block(errno)) return std::nullopt;
  throw_oserror(errno, "recv");
}

std::optional<std::pair<std::string, SocketAddress>> try_recvfrom(EventLoop& loop, int fd,
                                                                  std::size_t nbytes) {
  const Room room(loop, fd, nbytes);
  PeerAddress peer;
  const ssize_t count = ::recvfrom(fd, room.data(), room.size(), 0, peer.raw(), &peer.length);
  if (count >= 0) {
    return std::pair(std::string(room.data(), static_cast<std::size_t>(count)), peer.value());
  }
  if (would_block(errno)) return std::nullopt;
  throw_oserror(errno, "recvfrom");
}

}  // namespace

Coro<std::string> sock_recv(TransportSocket sock, std::size_t nbytes) {
  EventLoop& loop = loop_for_socket(sock.fileno());
  for (;;) {
    if (auto data = try_recv(loop, sock.fileno(), nbytes)) co_return *std::move(data);
    co_await FdReady(loop, sock.fileno(), Interest::read);
  }
}

Coro<std::size_t> sock_recv_into(TransportSocket sock, std::span<char> buffer) {
  EventLoop& loop = loop_for_socket(sock.fileno());
  for (;;) {
    const ssize_t count = ::recv(sock.fileno(), buffer.data(), buffer.size(), 0);
    if (count >= 0) co_return static_cast<std::size_t>(count);
    if (!would_block(errno)) throw_oserror(errno, "recv");
    co_await FdReady(loop, sock.fileno(), Interest::read);
  }
}

Coro<std::pair<std::string, SocketAddress>> sock_recvfrom(TransportSocket sock,
                                                          std::size_t nbytes) {
  EventLoop& loop = loop_for_socket(sock.fileno());
  for (;;) {
    if (auto got = try_recvfrom(loop, sock.fileno(), nbytes)) co_return *std::move(got);
    co_await FdReady(loop, sock.fileno(), Interest::read);
  }
}

Coro<std::pair<std::size_t, SocketAddress>> sock_recvfrom_into(TransportSocket sock,
                                                               std::span<char> buffer) {
  EventLoop& loop = loop_for_socket(sock.fileno());
  for (;;) {
    PeerAddress peer;
    const ssize_t count =
        ::recvfrom(sock.fileno(), buffer.data(), buffer.size(), 0, peer.raw(), &peer.length);
    if (count >= 0) co_return std::pair(static_cast<std::size_t>(count), peer.value());
    if (!would_block(errno)) throw_oserror(errno, "recvfrom");
    co_await FdReady(loop, sock.fileno(), Interest::read);
  }
}

Coro<void> sock_sendall(TransportSocket sock, std::string data) {
  EventLoop& loop = loop_for_socket(sock.fileno());
  std::size_t sent = 0;
  while (sent < data.size()) {
    const ssize_t count =
        ::send(sock.fileno(), data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
    if (count >= 0) {
      sent += static_cast<std::size_t>(count);
      continue;
    }
    if (!would_block(errno)) throw_oserror(errno, "send");
    co_await FdReady(loop, sock.fileno(), Interest::write);
  }
}

Coro<std::size_t> sock_sendto(TransportSocket sock, std::string data, SocketAddress address) {
  EventLoop& loop = loop_for_socket(sock.fileno());
  for (;;) {
    const ssize_t count = ::sendto(sock.fileno(), data.data(), data.size(), MSG_NOSIGNAL,
                                   address.raw(), address.raw_length());
    if (count >= 0) co_return static_cast<std::size_t>(count);
    if (!would_block(errno)) throw_oserror(errno, "sendto " + address.to_string());
    co_await FdReady(loop, sock.fileno(), Interest::write);
  }
}

Coro<void> sock_connect(TransportSocket sock, SocketAddress address) {
  EventLoop& loop = loop_for_socket(sock.fileno());
  if (::connect(sock.fileno(), address.raw(), address.raw_length()) == 0) co_return;
  // An interrupted connect goes on in the kernel like one in progress. EAGAIN does not: it is a
  // Unix listener with a full queue, and nothing is under way.
  if (errno != EINPROGRESS && errno != EINTR) {
    throw_oserror(errno, "connect to " + address.to_string());
  }
  co_await FdReady(loop, sock.fileno(), Interest::write);
  if (const int error = sock.take_error(); error != 0) {
    throw_oserror(error, "connect to " + address.to_string());
  }
}

Coro<void> sock_connect(TransportSocket sock, std::string host, int port) {
  const net::AddrInfoHints hints{sock.family(), sock.type(), sock.proto(), 0};
  const auto answers = co_await brio::getaddrinfo(host, std::to_string(port), hints);
  if (answers.empty()) throw OSError(ENOENT, "getaddrinfo for '" + host + "'");
  co_await sock_connect(sock, answers.front().address);
}

Coro<std::pair<Socket, SocketAddress>> sock_accept(TransportSocket sock) {
  EventLoop& loop = loop_for_socket(sock.fileno());
  for (;;) {
    PeerAddress peer;
    const int fd = ::accept4(sock.fileno(), peer.raw(), &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) co_return std::pair(Socket::adopt(fd), peer.value());
    if (!would_block(errno) && errno != ECONNABORTED) throw_oserror(errno, "accept");
    co_await FdReady(loop, sock.fileno(), Interest::read);
  }
}

}  // namespace brio
