#include <brio/net/sock_fds.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/loop.hpp>
#include <brio/net/fd_wait.hpp>
#include <brio/net/loop_state.hpp>
#include <brio/net/sock.hpp>
#include <brio/net/system_calls.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <sys/socket.h>

namespace brio {

using net::ReceivedFds;
using net::Socket;
using net::TransportSocket;
using net::detail::FdReady;
using net::detail::loop_for_socket;
using net::detail::LoopState;
using net::detail::would_block;

namespace {

void check_count(std::size_t count) {
  if (count > net::max_fds_per_message)
    throw ValueError("a message carries at most " + std::to_string(net::max_fds_per_message) +
                     " descriptors, not " + std::to_string(count));
}

// A control message's memory, aligned as one.
struct Control {
  alignas(cmsghdr) char bytes[CMSG_SPACE(net::max_fds_per_message * sizeof(int))];
};

// How many bytes went with the descriptors. Nothing: would block.
std::optional<std::size_t> try_send(int to, const std::string& data, const std::vector<int>& fds) {
  iovec part{const_cast<char*>(data.data()), data.size()};
  Control control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (!fds.empty()) {
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size() * sizeof(int));
  }
  const ssize_t sent = ::sendmsg(to, &message, MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (would_block(errno)) return std::nullopt;
  throw_oserror(errno, "sending descriptors");
}

// Takes over every descriptor that the message brought.
std::vector<Socket> owned(msghdr& message) {
  std::vector<Socket> fds;
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof fd);
      fds.push_back(Socket::adopt(fd));
    }
  }
  return fds;
}

std::optional<ReceivedFds> try_receive(EventLoop& loop, int from, std::size_t nbytes,
                                       std::size_t maxfds) {
  const LoopState::Loan loan(loop);
  iovec part{loan.data(), std::min(nbytes, loan.size())};
  Control control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes;
  message.msg_controllen = CMSG_SPACE(maxfds * sizeof(int));
  const ssize_t count = ::recvmsg(from, &message, MSG_CMSG_CLOEXEC);
  if (count < 0) {
    if (would_block(errno)) return std::nullopt;
    throw_oserror(errno, "receiving descriptors");
  }
  ReceivedFds received;
  received.fds = owned(message);
  received.data.assign(loan.data(), static_cast<std::size_t>(count));
  received.truncated = (message.msg_flags & MSG_CTRUNC) != 0;
  // The padding of the control message may have had room for one more.
  if (received.fds.size() > maxfds) {
    received.fds.erase(received.fds.begin() + static_cast<std::ptrdiff_t>(maxfds),
                       received.fds.end());
    received.truncated = true;
  }
  return received;
}

}  // namespace

Coro<void> sock_send_fds(TransportSocket sock, std::string data, std::vector<int> fds) {
  EventLoop& loop = loop_for_socket(sock.fileno());
  check_count(fds.size());
  if (data.empty()) throw ValueError("descriptors travel with at least one byte");
  if (std::ranges::any_of(fds, [](int fd) { return fd < 0; }))
    throw ValueError("a descriptor to be sent is closed");
  std::optional<std::size_t> sent;
  while (!(sent = try_send(sock.fileno(), data, fds)))
    co_await FdReady(loop, sock.fileno(), Interest::write);
  if (*sent < data.size()) co_await sock_sendall(sock, data.substr(*sent));
}

Coro<ReceivedFds> sock_recv_fds(TransportSocket sock, std::size_t nbytes, std::size_t maxfds) {
  EventLoop& loop = loop_for_socket(sock.fileno());
  check_count(maxfds);
  for (;;) {
    if (auto received = try_receive(loop, sock.fileno(), nbytes, maxfds))
      co_return *std::move(received);
    co_await FdReady(loop, sock.fileno(), Interest::read);
  }
}

}  // namespace brio
