#include <brio/net/loop_state.hpp>

#include <brio/core/detail/descriptor_table.hpp>
#include <brio/core/loop.hpp>

#include <fcntl.h>
#include <string>
#include <utility>

namespace brio::net::detail {

LoopState& LoopState::of(EventLoop& loop) { return loop.local<LoopState>(); }

LoopState::~LoopState() {
  // Abandoning one can drop the last handle of another: each is taken out first.
  for (std::size_t fd = 0; fd < by_descriptor_.size(); ++fd) {
    const auto transport = std::exchange(by_descriptor_[fd], nullptr);
    if (!transport) continue;
    if (brio::detail::debug_here()) {
      log(LogLevel::warning, "brio.net", "unclosed transport on descriptor " + std::to_string(fd));
    }
    transport->abandon();
  }
}

void LoopState::keep(int fd, std::shared_ptr<BaseTransport> transport) {
  brio::detail::place_of(by_descriptor_, static_cast<std::size_t>(fd)) = std::move(transport);
}

std::shared_ptr<BaseTransport> LoopState::release(int fd) noexcept {
  const auto index = static_cast<std::size_t>(fd);
  if (fd < 0 || index >= by_descriptor_.size()) return nullptr;
  return std::exchange(by_descriptor_[index], nullptr);
}

BaseTransport* LoopState::find(int fd) const noexcept {
  const auto index = static_cast<std::size_t>(fd);
  return fd >= 0 && index < by_descriptor_.size() ? by_descriptor_[index].get() : nullptr;
}

void LoopState::ensure_no_transport(int fd) const {
  const BaseTransport* owner = find(fd);
  if (owner != nullptr && !owner->is_closing()) {
    throw RuntimeError("File descriptor " + std::to_string(fd) + " is used by a transport");
  }
}

std::vector<std::shared_ptr<BaseTransport>> LoopState::transports() const {
  std::vector<std::shared_ptr<BaseTransport>> living;
  for (const auto& transport : by_descriptor_) {
    if (transport) living.push_back(transport);
  }
  return living;
}

LoopState::Loan::Loan(EventLoop& loop) : home_(of(loop).buffers_) {
  if (home_.empty()) {
    // Not zeroed: it is only ever read where something was written.
    memory_ = std::make_unique_for_overwrite<char[]>(read_buffer_size);
  } else {
    memory_ = std::move(home_.back());
    home_.pop_back();
  }
}

LoopState::Loan::~Loan() {
  if (home_.size() < 4) home_.push_back(std::move(memory_));
}

EventLoop& loop_for_socket(int fd) {
  EventLoop& loop = get_running_loop();
  if (loop.get_debug() && (::fcntl(fd, F_GETFL) & O_NONBLOCK) == 0) {
    throw ValueError("the socket must be non-blocking");
  }
  LoopState::of(loop).ensure_no_transport(fd);
  return loop;
}

}  // namespace brio::net::detail
