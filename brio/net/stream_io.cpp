#include <brio/net/stream_io.hpp>

#include <cerrno>
#include <sys/socket.h>

namespace brio::net::detail {

namespace {
StreamIO::Result result_of(ssize_t count) noexcept {
  if (count < 0) return {0, errno};
  return {static_cast<std::size_t>(count), 0};
}
}  // namespace

bool StreamIO::Result::again() const noexcept {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

void StreamIO::start_reading() {
  if (reading_) return;
  // The owner outlives the registration: it stops before it goes.
  loop_->add_reader(socket_.fileno(), [owner = owner_] { owner->io_readable(); });
  reading_ = true;
}

void StreamIO::stop_reading() {
  if (!reading_) return;
  reading_ = false;
  loop_->remove_reader(socket_.fileno());
}

void StreamIO::start_writing() {
  if (writing_) return;
  loop_->add_writer(socket_.fileno(), [owner = owner_] { owner->io_writable(); });
  writing_ = true;
}

void StreamIO::stop_writing() {
  if (!writing_) return;
  writing_ = false;
  loop_->remove_writer(socket_.fileno());
}

StreamIO::Result StreamIO::receive(std::span<char> buffer) noexcept {
  return result_of(::recv(socket_.fileno(), buffer.data(), buffer.size(), 0));
}

StreamIO::Result StreamIO::send(const char* data, std::size_t size) noexcept {
  return result_of(::send(socket_.fileno(), data, size, MSG_NOSIGNAL));
}

StreamIO::Result StreamIO::send(const iovec* parts, std::size_t count) noexcept {
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts);
  message.msg_iovlen = count;
  return result_of(::sendmsg(socket_.fileno(), &message, MSG_NOSIGNAL));
}

int StreamIO::shutdown_writing() noexcept {
  return ::shutdown(socket_.fileno(), SHUT_WR) == 0 ? 0 : errno;
}

void StreamIO::close() noexcept {
  try {
    stop_reading();
    stop_writing();
  } catch (...) {
    // The engine no longer knows the descriptor; closing it ends every watch all the same.
  }
  socket_.close();
}

}  // namespace brio::net::detail
