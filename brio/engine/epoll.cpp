#include <brio/engine/epoll.hpp>

#include <brio/core/detail/descriptor_table.hpp>
#include <brio/core/exceptions.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <string>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace brio::engine {

namespace {

constexpr std::uint32_t to_events(Interest interest) {
  std::uint32_t events = 0;
  if ((interest & Interest::read) != Interest::none) events |= EPOLLIN;
  if ((interest & Interest::write) != Interest::none) events |= EPOLLOUT;
  return events;
}

// To the nanosecond where the kernel knows epoll_pwait2 (5.11); elsewhere every timeout is rounded
// up to a millisecond. A timer never fires early.
int wait(int epoll, epoll_event* events, int capacity, Duration timeout) {
  if (timeout <= Duration::zero())
    return epoll_wait(epoll, events, capacity, timeout == Duration::zero() ? 0 : -1);
#ifdef SYS_epoll_pwait2
  static std::atomic<bool> precise{true};  // loops of several threads ask
  if (precise) {
    timeout = rounded_wait(timeout);
    const timespec spec{static_cast<time_t>(timeout.count() / 1'000'000'000),
                        static_cast<long>(timeout.count() % 1'000'000'000)};
    const long count = syscall(SYS_epoll_pwait2, epoll, events, capacity, &spec, nullptr, 0);
    if (count >= 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(count);
    precise = false;
  }
#endif
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
  return epoll_wait(epoll, events, capacity,
                    static_cast<int>(std::min<std::int64_t>(millis, 86'400'000)));
}

}  // namespace

EpollEngine::EpollEngine() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) throw_oserror(errno, "epoll_create1");
  wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = wake_;
  if (wake_ < 0 || epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) < 0) {
    const int error = errno;
    close();
    throw_oserror(error, "eventfd for the event loop");
  }
}

EpollEngine::~EpollEngine() { close(); }

void EpollEngine::close() noexcept {
  if (epoll_ >= 0) ::close(epoll_);
  if (wake_ >= 0) ::close(wake_);
  epoll_ = wake_ = -1;
  watched_ = 0;
}

void EpollEngine::watch(int fd, Interest interest) {
  // A forked child shares the epoll set: what it took out would be gone for its parent as well.
  if (fork_depth_ != detail::fork_depth()) return;
  const auto index = static_cast<std::size_t>(fd);
  const Interest before = brio::detail::place_of(interest_, index);
  if (before == interest) return;
  epoll_event event{};
  event.events = to_events(interest);
  event.data.fd = fd;
  const int operation = before == Interest::none     ? EPOLL_CTL_ADD
                        : interest == Interest::none ? EPOLL_CTL_DEL
                                                     : EPOLL_CTL_MOD;
  int result = epoll_ctl(epoll_, operation, fd, &event);
  // The descriptor was closed, and perhaps opened anew, behind our back: epoll forgot it.
  if (result < 0 && operation == EPOLL_CTL_MOD && errno == ENOENT)
    result = epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event);
  if (result < 0 && operation == EPOLL_CTL_ADD && errno == EEXIST)
    result = epoll_ctl(epoll_, EPOLL_CTL_MOD, fd, &event);
  if (result < 0 && operation != EPOLL_CTL_DEL)
    throw_oserror(errno, "watching descriptor " + std::to_string(fd));
  if (before == Interest::none) ++watched_;
  if (interest == Interest::none) --watched_;
  interest_[index] = interest;
}

void EpollEngine::poll(Duration timeout, Sink& sink) {
  std::array<epoll_event, 256> events;  // NOLINT: filled by the kernel
  const int count = wait(epoll_, events.data(), static_cast<int>(events.size()), timeout);
  if (count < 0) {
    if (errno == EINTR) return;
    throw_oserror(errno, "epoll_wait");
  }
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    if (event.data.fd == wake_) {
      std::uint64_t value = 0;
      [[maybe_unused]] const auto got = ::read(wake_, &value, sizeof value);
      continue;
    }
    const auto index = static_cast<std::size_t>(event.data.fd);
    const Interest watched = index < interest_.size() ? interest_[index] : Interest::none;
    Interest ready = Interest::none;
    if (event.events & ~static_cast<std::uint32_t>(EPOLLOUT)) ready = ready | Interest::read;
    if (event.events & ~static_cast<std::uint32_t>(EPOLLIN)) ready = ready | Interest::write;
    ready = ready & watched;
    if (ready != Interest::none) sink.descriptor_ready(event.data.fd, ready);
  }
}

void EpollEngine::wake() noexcept {
  const int saved = errno;  // also called from signal handlers
  const std::uint64_t one = 1;
  if (wake_ >= 0) {
    [[maybe_unused]] const auto put = ::write(wake_, &one, sizeof one);
  }
  errno = saved;
}

}  // namespace brio::engine
