// What a worker process does.
#include <brio/core/logging.hpp>
#include <brio/exec/process_frames.hpp>
#include <brio/exec/process_worker.hpp>
#include <brio/exec/remote_error.hpp>

#include <cerrno>
#include <sys/socket.h>
#include <sys/uio.h>

namespace brio::detail {

namespace {

// False at the end of the channel: between frames, the pool has no more work; in the middle of one,
// it is gone.
bool receive_frame(int channel, WireReader& reader) {
  for (;;) {
    const std::span<char> space = reader.space();
    const ssize_t got = ::recv(channel, space.data(), space.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    if (reader.filled(static_cast<std::size_t>(got))) return true;
  }
}

bool send_all(int channel, const void* data, std::size_t size) {
  const auto* next = static_cast<const char*>(data);
  while (size > 0) {
    const ssize_t sent = ::send(channel, next, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    next += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

std::string error_text(const std::exception_ptr& error) {
  serial::Writer writer;
  write_error(writer, error);
  return writer.take();
}

WireFrame answer_to(const WireFrame& call, std::size_t max_message_size) {
  WireFrame answer{.kind = WireKind::value, .id = call.id};
  std::exception_ptr error;
  try {
    serial::Reader reader(call.payload);
    serial::Writer writer;
    run_call(reader, writer);
    if (writer.text().size() > max_message_size)
      throw concurrent::SerializationError("the result has " +
                                           std::to_string(writer.text().size()) +
                                           " bytes, more than the pool's max_message_size");
    answer.payload = writer.take();
  } catch (...) {
    error = std::current_exception();
  }
  if (error) {
    answer.kind = WireKind::error;
    answer.payload = error_text(error);
    if (answer.payload.size() > max_message_size)
      answer.payload = error_text(std::make_exception_ptr(
          concurrent::SerializationError("the error's message is too long: " + type_name(error))));
  }
  return answer;
}

}  // namespace

int serve_calls(int channel, std::size_t max_message_size) noexcept {
  // Its own limit on what it is sent is the pool's as well: the pool has checked it.
  WireReader reader(max_message_size);
  try {
    while (receive_frame(channel, reader)) {
      const WireFrame call = reader.take();
      const WireFrame answer = answer_to(call, max_message_size);
      const WireHeader header{.kind = answer.kind, .id = answer.id, .size = answer.payload.size()};
      if (!send_all(channel, &header, sizeof header) ||
          !send_all(channel, answer.payload.data(), answer.payload.size()))
        break;
      // Without its initializer a worker is of no use.
      if (call.id == 0 && answer.kind == WireKind::error) break;
    }
    return 0;
  } catch (const std::exception& error) {
    log(LogLevel::critical, "brio.concurrent",
        std::string("a worker process cannot go on: ") + error.what());
    return 1;
  }
}

}  // namespace brio::detail
