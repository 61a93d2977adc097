#include <brio/net/fd_wait.hpp>

namespace brio::net::detail {

bool FdReady::begin(brio::detail::PromiseBase& promise) {
  // The watcher first: when it cannot be had, the await throws and nothing is suspended.
  const auto ready = [this] { wake(); };
  handle_ =
      direction_ == Interest::read ? loop_->add_reader(fd_, ready) : loop_->add_writer(fd_, ready);
  return suspend(promise);
}

void FdReady::unwatch() noexcept {
  if (!handle_ || handle_.cancelled()) return;
  handle_ = Handle();
  try {
    if (direction_ == Interest::read) {
      loop_->remove_reader(fd_);
    } else {
      loop_->remove_writer(fd_);
    }
  } catch (...) {
    // The descriptor was closed under us; the engine has forgotten it.
  }
}

}  // namespace brio::net::detail
