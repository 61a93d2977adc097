// A worker's channel, seen from the pool.
#include <brio/exec/process_manager.hpp>

#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>

namespace brio::detail {

void Worker::begin(std::uint64_t id, RemoteJob job) {
  id_ = id;
  job_ = std::move(job);
  sent_ = 0;
  busy_ = true;
}

void Worker::send() noexcept {
  while (wants_to_send() && !lost_) {
    WireHeader header{.kind = WireKind::call, .id = id_, .size = job_.bytes.size()};
    iovec parts[2];
    int count = 0;
    std::size_t skip = sent_;
    if (skip < sizeof header) {
      parts[count++] = {reinterpret_cast<char*>(&header) + skip, sizeof header - skip};
      skip = 0;
    } else {
      skip -= sizeof header;
    }
    if (skip < job_.bytes.size())
      parts[count++] = {job_.bytes.data() + skip, job_.bytes.size() - skip};
    msghdr message{};
    message.msg_iov = parts;
    message.msg_iovlen = static_cast<std::size_t>(count);
    const ssize_t sent = ::sendmsg(process_.channel.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return;  // full; or at an end, which receive() will find
    sent_ += static_cast<std::size_t>(sent);
  }
  // The worker has it all.
  if (busy_ && !wants_to_send()) {
    job_.bytes = {};
    sent_ = sizeof(WireHeader);
  }
}

std::optional<WireFrame> Worker::receive() {
  while (!lost_) {
    const std::span<char> space = reader_.space();
    const ssize_t got = ::recv(process_.channel.get(), space.data(), space.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
    if (got <= 0) {
      lost_ = true;
      return std::nullopt;
    }
    if (reader_.filled(static_cast<std::size_t>(got))) return reader_.take();
  }
  return std::nullopt;
}

RemoteJob Worker::finish() {
  busy_ = false;
  ++calls_;
  return std::exchange(job_, {});
}

void Worker::close() noexcept {
  closing_ = true;
  // Not close(): should anyone else have this end, the worker would not hear of it.
  ::shutdown(process_.channel.get(), SHUT_WR);
}

}  // namespace brio::detail
