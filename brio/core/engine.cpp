#include <brio/core/engine.hpp>

#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>

namespace brio {

Engine::~Engine() = default;

// A readiness engine has nothing to prepare: the calls are made when the descriptor is ready.

void Engine::adopt(int /*fd*/, Purpose /*purpose*/) {}
void Engine::forget(int /*fd*/) noexcept {}

Transfer Engine::receive(int fd, std::span<char> scratch) noexcept {
  const ssize_t count = ::recv(fd, scratch.data(), scratch.size(), MSG_DONTWAIT);
  if (count < 0) return {.error = errno};
  return {.data = scratch.data(), .count = static_cast<std::size_t>(count)};
}

int Engine::accept(int fd, sockaddr* peer, unsigned* length) noexcept {
  const int accepted = ::accept4(fd, peer, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  return accepted < 0 ? -errno : accepted;
}

int Engine::accept_rest(int /*fd*/, sockaddr* /*peer*/, unsigned* /*length*/) noexcept {
  return -EAGAIN;
}

Transfer Engine::send(int fd, const iovec* parts, std::size_t count) noexcept {
  ssize_t sent = 0;
  if (count == 1) {
    sent = ::send(fd, parts->iov_base, parts->iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
  } else {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = count;
    sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  if (sent < 0) return {.error = errno};
  return {.count = static_cast<std::size_t>(sent)};
}

}  // namespace brio
