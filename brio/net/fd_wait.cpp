#include <brio/net/fd_wait.hpp>

#include <brio/core/detail/descriptor_table.hpp>
#include <brio/core/exceptions.hpp>

#include <cerrno>
#include <string>
#include <utility>

namespace brio::net::detail {

bool FdReady::begin(brio::detail::PromiseBase& promise) {
  // The watcher first: when it cannot be had, the await throws and nothing is suspended.
  auto& list = loop_->local<FdWaits>();
  list.add(*this);
  list_ = &list;
  return suspend(promise);
}

void FdReady::leave() noexcept {
  if (list_) std::exchange(list_, nullptr)->remove(*this);
}

void FdReady::throw_closed() const {
  throw_oserror(EBADF, "waiting for descriptor " + std::to_string(fd_) + ", which was closed");
}

FdWaits::~FdWaits() {
  for (auto& directions : by_descriptor_) {
    for (Waits& waits : directions) {
      for (FdReady* waiter = waits.first; waiter; waiter = waiter->next_) waiter->list_ = nullptr;
    }
  }
}

FdWaits::Waits* FdWaits::find(int fd, Interest direction) noexcept {
  const auto index = static_cast<std::size_t>(fd);
  if (fd < 0 || index >= by_descriptor_.size()) return nullptr;
  return &by_descriptor_[index][direction == Interest::read ? 0 : 1];
}

void FdWaits::add(FdReady& waiter) {
  const int fd = waiter.fd_;
  const Interest direction = waiter.direction_;
  const auto ready = [this, fd, direction] {
    const Waits* const waits = find(fd, direction);
    for (FdReady* one = waits ? waits->first : nullptr; one; one = one->next_) one->wake();
  };
  EventLoop& loop = *waiter.loop_;
  loop.set_forget_hook([](EventLoop& of, int closing) { of.local<FdWaits>().end(closing); });
  // Also where others wait: our watcher may have been replaced, or the number be another file's.
  Handle handle =
      direction == Interest::read ? loop.add_reader(fd, ready) : loop.add_writer(fd, ready);
  // The number is an open descriptor's: the loop watches it.
  brio::detail::place_of(by_descriptor_, static_cast<std::size_t>(fd));
  Waits& waits = *find(fd, direction);
  waits.handle = std::move(handle);
  FdReady** last = &waits.first;
  while (*last) last = &(*last)->next_;
  *last = &waiter;
}

void FdWaits::remove(FdReady& waiter) noexcept {
  Waits& waits = *find(waiter.fd_, waiter.direction_);
  FdReady** place = &waits.first;
  while (*place != &waiter) place = &(*place)->next_;
  *place = waiter.next_;
  if (waits.first) return;
  const Handle handle = std::exchange(waits.handle, Handle());
  if (handle.cancelled()) return;
  try {
    if (waiter.direction_ == Interest::read) {
      waiter.loop_->remove_reader(waiter.fd_);
    } else {
      waiter.loop_->remove_writer(waiter.fd_);
    }
  } catch (...) {
    // The descriptor was closed under us by other means; the engine has forgotten it.
  }
}

void FdWaits::end(int fd) noexcept {
  for (const Interest direction : {Interest::read, Interest::write}) {
    Waits* const waits = find(fd, direction);
    if (!waits) return;
    FdReady* waiter = std::exchange(waits->first, nullptr);
    waits->handle = Handle();
    while (waiter) {
      FdReady* const next = std::exchange(waiter->next_, nullptr);
      waiter->list_ = nullptr;
      waiter->closed_ = true;
      waiter->wake();
      waiter = next;
    }
  }
}

}  // namespace brio::net::detail
