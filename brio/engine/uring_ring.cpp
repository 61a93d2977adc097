#include <brio/engine/detail/uring_ring.hpp>

#include <brio/core/engine.hpp>
#include <brio/core/exceptions.hpp>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <new>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace brio::engine {

namespace {

// One descriptor in 16 may complete in the same instant before the kernel has to keep a list.
constexpr unsigned completions_per_entry = 16;
constexpr unsigned short buffer_group = 0;

int this_thread() noexcept {
  static thread_local const int id = ::gettid();
  return id;
}

// A fork's child gets a copy of each ring's descriptor, and as long as one stands the requests in
// the ring go on and hold their files: a parent's ring would outlive the parent's loop. So the
// child closes its copies at once. The lock is held over the fork, so that the child finds it
// whole.
class OpenRings {
public:
  static OpenRings& instance() {
    static OpenRings* const rings = new OpenRings;  // never destroyed: forks happen late as well
    return *rings;
  }
  void add(int fd) {
    const std::lock_guard guard(mutex_);
    descriptors_.push_back(fd);
  }
  void remove(int fd) noexcept {
    const std::lock_guard guard(mutex_);
    std::erase(descriptors_, fd);
  }

private:
  OpenRings() {
    ::pthread_atfork([] { instance().mutex_.lock(); }, [] { instance().mutex_.unlock(); },
                     [] {
                       OpenRings& rings = instance();
                       for (const int fd : rings.descriptors_) ::close(fd);
                       rings.descriptors_.clear();
                       rings.mutex_.unlock();
                     });
  }
  std::mutex mutex_;
  std::vector<int> descriptors_;
};

}  // namespace

Ring::Ring(unsigned entries) : entries_(entries) { open(); }

void Ring::open() {
  io_uring_params parameters{};
  // Disabled at first, so that it belongs to the thread that runs the loop, not to its maker.
  parameters.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL |
                     IORING_SETUP_R_DISABLED | IORING_SETUP_TASKRUN_FLAG |
                     IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN;
  parameters.cq_entries = entries_ * completions_per_entry;
  const int result = io_uring_queue_init_params(entries_, &ring_, &parameters);
  if (result < 0) throw_oserror(-result, "io_uring_setup");
  open_ = true;
  thread_ = 0;
  io_uring_ring_dontfork(&ring_);
  OpenRings::instance().add(ring_.ring_fd);
}

void Ring::shut() noexcept {
  if (!std::exchange(open_, false)) return;
  OpenRings::instance().remove(ring_.ring_fd);
  io_uring_queue_exit(&ring_);
}

void Ring::close() noexcept {
  shut();
  if (eventfd_ >= 0) ::close(std::exchange(eventfd_, -1));
}

void Ring::leave_to_parent() noexcept {
  // liburing would unmap what was not inherited, and hit what has been mapped there since. The
  // ring's descriptor went with the fork.
  open_ = false;
  if (eventfd_ >= 0) ::close(std::exchange(eventfd_, -1));
}

void Ring::renew() {
  shut();
  open();
  if (eventfd_ >= 0) (void)notify();
}

bool Ring::in_other_thread() const noexcept { return thread_ != 0 && thread_ != this_thread(); }

void Ring::enable() noexcept {
  if (thread_ != 0) [[likely]]
    return;
  io_uring_register(static_cast<unsigned>(ring_.ring_fd), IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  thread_ = this_thread();
}

// ---- being watched

int Ring::watchable() noexcept {
  if (eventfd_ >= 0 || !open_) return eventfd_;
  eventfd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (eventfd_ >= 0 && !notify()) ::close(std::exchange(eventfd_, -1));
  return eventfd_;
}

// What completed before the eventfd was known is told by hand.
bool Ring::notify() noexcept {
  if (io_uring_register_eventfd(&ring_, eventfd_) < 0) return false;
  const std::uint64_t one = 1;
  if (io_uring_cq_ready(&ring_) > 0) {
    [[maybe_unused]] const auto put = ::write(eventfd_, &one, sizeof one);
  }
  return true;
}

void Ring::calm_watchers() noexcept {
  if (eventfd_ < 0) return;
  std::uint64_t value = 0;
  [[maybe_unused]] const auto got = ::read(eventfd_, &value, sizeof value);
}

// ---- requests

io_uring_sqe* Ring::prepare(Request request) {
  io_uring_sqe* entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) [[unlikely]] {
    enter();
    entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) throw_oserror(EBUSY, "io_uring submission");
  }
  io_uring_sqe_set_data64(entry, request.pack());
  return entry;
}

void Ring::prepare_poll(Request request, unsigned events) {
  io_uring_sqe* const entry = prepare(request);
  io_uring_prep_poll_add(entry, request.fd, events);
}

void Ring::prepare_receive(Request request) {
  io_uring_sqe* const entry = prepare(request);
  io_uring_prep_recv_multishot(entry, request.fd, nullptr, 0, 0);
  entry->flags |= IOSQE_BUFFER_SELECT;
  entry->buf_group = buffer_group;
}

void Ring::prepare_accept(Request request) {
  io_uring_sqe* const entry = prepare(request);
  io_uring_prep_multishot_accept(entry, request.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

void Ring::prepare_read(Request request, void* to, unsigned size) {
  io_uring_sqe* const entry = prepare(request);
  io_uring_prep_read(entry, request.fd, to, size, 0);
}

void Ring::prepare_cancel(Request request) {
  const Request own{RequestKind::cancel, request.round, request.fd};
  io_uring_sqe* const entry = prepare(own);
  io_uring_prep_cancel64(entry, request.pack(), 0);
  entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

void Ring::prepare_cancel_all() {
  const Request own{RequestKind::cancel, 0, -1};
  io_uring_sqe* const entry = prepare(own);
  io_uring_prep_cancel64(entry, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
}

// ---- the system call

void Ring::entered(int result, const char* what) {
  ++enters_;
  if (result > 0) submitted_ += static_cast<std::size_t>(result);
  // EBUSY, EAGAIN: first the completions that are there must be taken.
  if (result >= 0 || result == -ETIME || result == -EINTR || result == -EBUSY || result == -EAGAIN)
    return;
  throw_oserror(-result, what);
}

void Ring::enter() noexcept {
  enable();
  const int result = io_uring_submit_and_get_events(&ring_);
  ++enters_;
  if (result > 0) submitted_ += static_cast<std::size_t>(result);
}

void Ring::look() {
  enable();
  calm_watchers();
  const unsigned flags = std::atomic_ref(*ring_.sq.kflags).load(std::memory_order_relaxed);
  if (io_uring_sq_ready(&ring_) == 0 && (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) == 0)
    return;
  entered(io_uring_submit_and_get_events(&ring_), "io_uring_enter");
}

void Ring::wait(Duration timeout) {
  enable();
  calm_watchers();
  if (timeout < Duration::zero()) {
    entered(io_uring_submit_and_wait(&ring_, 1), "io_uring_enter");
    return;
  }
  timeout = rounded_wait(timeout);
  __kernel_timespec spec{};
  spec.tv_sec = timeout.count() / 1'000'000'000;
  spec.tv_nsec = timeout.count() % 1'000'000'000;
  io_uring_cqe* first = nullptr;
  entered(io_uring_submit_and_wait_timeout(&ring_, &first, 1, &spec, nullptr), "io_uring_enter");
}

// ---- buffers

void BufferRing::Free::operator()(void* memory) const noexcept { std::free(memory); }

BufferRing::BufferRing(unsigned count, std::size_t size)
    : count_(count),
      size_(size),
      // Not zeroed: only what the kernel has written is ever read, and untouched pages cost
      // nothing.
      memory_(std::make_unique_for_overwrite<char[]>(count * size)),
      ring_(static_cast<io_uring_buf_ring*>(
          std::aligned_alloc(4096, (count * sizeof(io_uring_buf) + 4095) / 4096 * 4096))),
      places_(count),
      returned_(count) {
  if (!ring_) throw std::bad_alloc();
}

bool BufferRing::attach(Ring& ring) noexcept {
  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(ring_.get());
  registration.ring_entries = count_;
  registration.bgid = buffer_group;
  io_uring_buf_ring_init(ring_.get());
  if (const int result = io_uring_register_buf_ring(&ring.raw(), &registration, 0); result < 0) {
    errno = -result;
    return false;
  }
  returned_count_ = 0;
  for (unsigned i = 0; i < count_; ++i) offer(static_cast<std::uint16_t>(i), static_cast<int>(i));
  io_uring_buf_ring_advance(ring_.get(), static_cast<int>(count_));
  return true;
}

void BufferRing::offer(std::uint16_t buffer, int place) noexcept {
  io_uring_buf_ring_add(ring_.get(), memory_.get() + buffer * size_, static_cast<unsigned>(size_),
                        buffer, io_uring_buf_ring_mask(count_), place);
}

void BufferRing::refill() noexcept {
  if (returned_count_ == 0) return;
  for (std::size_t i = 0; i < returned_count_; ++i) offer(returned_[i], static_cast<int>(i));
  io_uring_buf_ring_advance(ring_.get(), static_cast<int>(returned_count_));
  returned_count_ = 0;
}

}  // namespace brio::engine
