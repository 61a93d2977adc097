#include <brio/net/stream_io.hpp>

#include <brio/net/system_calls.hpp>

#include <cerrno>
#include <sys/socket.h>

namespace brio::net::detail {

bool StreamIO::Result::again() const noexcept { return would_block(error); }

void StreamIO::adopt() {
  if (adopted_) return;
  loop().engine().adopt(socket_.fileno(), purpose_);
  adopted_ = true;
}

void StreamIO::start_reading(Owner& owner) {
  if (reading_) return;
  adopt();
  // The owner outlives the registration: it stops before it goes.
  loop().add_reader(socket_.fileno(), [&owner] { owner.io_readable(); });
  reading_ = true;
}

void StreamIO::stop_reading() {
  if (!reading_) return;
  reading_ = false;
  loop().remove_reader(socket_.fileno());
}

void StreamIO::start_writing(Owner& owner) {
  if (writing_) return;
  adopt();
  loop().add_writer(socket_.fileno(), [&owner] { owner.io_writable(); });
  writing_ = true;
}

void StreamIO::stop_writing() {
  if (!writing_) return;
  writing_ = false;
  loop().remove_writer(socket_.fileno());
}

StreamIO::Result StreamIO::receive(std::span<char> buffer) noexcept {
  return {loop().engine().receive(socket_.fileno(), buffer)};
}

StreamIO::Result StreamIO::send(const char* data, std::size_t size) noexcept {
  const iovec part{const_cast<char*>(data), size};
  return send(&part, 1);
}

StreamIO::Result StreamIO::send(const iovec* parts, std::size_t count) noexcept {
  return {loop().engine().send(socket_.fileno(), parts, count)};
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
  if (adopted_) loop().engine().forget(socket_.fileno());
  adopted_ = false;
  socket_.close();
}

}  // namespace brio::net::detail
