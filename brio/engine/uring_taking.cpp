// What readers and servers take of what the kernel has brought.
#include <brio/engine/detail/uring_engine.hpp>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <sys/socket.h>
#include <utility>

namespace brio::engine {

// All that had come is taken: if the flow has ended meanwhile, it may begin again.
void UringEngine::Impl::go_on(int fd, UringDescriptor& descriptor) {
  if (!descriptor.flowing && !descriptor.holding()) note_change(fd, descriptor);
}

void UringEngine::Impl::has_read_directly(int fd, std::size_t count) {
  UringDescriptor& descriptor = descriptors_[static_cast<std::size_t>(fd)];
  const bool little = count < options_.buffer_size;
  descriptor.small_reads = little ? static_cast<std::uint8_t>(descriptor.small_reads + 1) : 0;
  if (descriptor.small_reads < UringDescriptor::calm_after) return;
  descriptor.bulk = false;
  note_change(fd, descriptor);
}

void UringEngine::Impl::put_aside(UringDescriptor& descriptor) {
  if (descriptor.first_buffer == UringDescriptor::no_buffer) return;
  if (!descriptor.aside) descriptor.aside = std::make_unique<KeptAside>();
  std::string& bytes = descriptor.aside->bytes;
  while (descriptor.first_buffer != UringDescriptor::no_buffer) {
    const std::int32_t buffer = descriptor.first_buffer;
    const std::string_view filled = buffers_->filled(buffer).substr(descriptor.first_at);
    bytes.append(filled);
    descriptor.first_at = 0;
    descriptor.first_buffer = buffers_->next(buffer);
    buffers_->give_back(buffer);
  }
}

std::size_t UringEngine::Impl::copy_out(UringDescriptor& descriptor, char* to,
                                        std::size_t capacity) noexcept {
  std::size_t copied = 0;
  if (descriptor.aside && descriptor.aside->has_bytes()) {
    KeptAside& aside = *descriptor.aside;
    copied = aside.bytes.copy(to, capacity, aside.bytes_at);
    aside.bytes_at += copied;
    if (!aside.has_bytes()) descriptor.aside = nullptr;
  }
  while (copied < capacity && descriptor.first_buffer != UringDescriptor::no_buffer) {
    const std::int32_t buffer = descriptor.first_buffer;
    const std::string_view filled = buffers_->filled(buffer).substr(descriptor.first_at);
    const std::size_t count = filled.copy(to + copied, capacity - copied);
    copied += count;
    if (count < filled.size()) {
      descriptor.first_at += static_cast<std::uint32_t>(count);
      break;
    }
    descriptor.first_at = 0;
    descriptor.first_buffer = buffers_->next(buffer);
    buffers_->give_back(buffer);
  }
  return copied;
}

Transfer UringEngine::Impl::receive(int fd, std::span<char> scratch) noexcept {
  UringDescriptor& descriptor = descriptors_[static_cast<std::size_t>(fd)];
  const bool aside = descriptor.aside && descriptor.aside->has_bytes();
  const std::int32_t first = descriptor.first_buffer;
  if (!aside && first != UringDescriptor::no_buffer &&
      buffers_->next(first) == UringDescriptor::no_buffer) {
    // One buffer, as with every small message: lent as it is, and the kernel's again from the next
    // poll on.
    const std::string_view filled = buffers_->filled(first).substr(descriptor.first_at);
    const std::size_t count = std::min(filled.size(), scratch.size());
    if (count < filled.size()) {
      descriptor.first_at += static_cast<std::uint32_t>(count);
    } else {
      descriptor.first_at = 0;
      descriptor.first_buffer = UringDescriptor::no_buffer;
      buffers_->give_back(first);
      go_on(fd, descriptor);
    }
    return {.data = filled.data(), .count = count};
  }
  if (aside || first != UringDescriptor::no_buffer) {
    const std::size_t count = copy_out(descriptor, scratch.data(), scratch.size());
    go_on(fd, descriptor);
    return {.data = scratch.data(), .count = count};
  }
  if (std::exchange(descriptor.has_error, false)) return {.error = descriptor.error};
  if (descriptor.ended) return {};
  return {.error = EAGAIN};
}

int UringEngine::Impl::take_connection(int fd, UringDescriptor& descriptor, sockaddr* peer,
                                       unsigned* length) noexcept {
  KeptAside& aside = *descriptor.aside;
  const int accepted = aside.connections[aside.connections_at++];
  if (!aside.has_connections()) {
    aside.connections.clear();
    aside.connections_at = 0;
    go_on(fd, descriptor);
  }
  // A peer that has gone already has no name any more; the first read will say so.
  if (::getpeername(accepted, peer, length) < 0) *length = 0;
  return accepted;
}

int UringEngine::Impl::accept(int fd, sockaddr* peer, unsigned* length) noexcept {
  UringDescriptor& descriptor = descriptors_[static_cast<std::size_t>(fd)];
  if (descriptor.aside && descriptor.aside->has_connections())
    return take_connection(fd, descriptor, peer, length);
  if (!std::exchange(descriptor.has_error, false)) return -EAGAIN;
  go_on(fd, descriptor);
  return -descriptor.error;
}

}  // namespace brio::engine
