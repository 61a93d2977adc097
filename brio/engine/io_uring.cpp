#include <brio/engine/io_uring.hpp>

#include <brio/core/detail/descriptor_table.hpp>
#include <brio/core/exceptions.hpp>
#include <brio/engine/detail/uring_engine.hpp>

#include <algorithm>
#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace brio::engine {

namespace {

constexpr int most_queued = 4096;  // connections; the kernel's own limit by default

constexpr unsigned poll_events(Interest interest) noexcept {
  unsigned events = 0;
  if ((interest & Interest::read) != Interest::none) events |= POLLIN;
  if ((interest & Interest::write) != Interest::none) events |= POLLOUT;
  return events;
}

// Errors and hang-ups count as both directions.
constexpr Interest interest_of(unsigned events) noexcept {
  Interest ready = Interest::none;
  if (events & ~static_cast<unsigned>(POLLOUT)) ready = ready | Interest::read;
  if (events & ~static_cast<unsigned>(POLLIN)) ready = ready | Interest::write;
  return ready;
}

// As epoll answers: regular files and folders cannot be watched.
void check_watchable(int fd) {
  struct stat status{};
  int error = 0;
  if (::fstat(fd, &status) < 0)
    error = errno;
  else if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode))
    error = EPERM;
  if (error != 0) throw_oserror(error, "watching descriptor " + std::to_string(fd));
}

constexpr Request poll_of(int fd, const UringDescriptor& descriptor) noexcept {
  return {RequestKind::poll, descriptor.poll_round, fd};
}

constexpr Request flow_of(int fd, const UringDescriptor& descriptor) noexcept {
  return {descriptor.purpose == Purpose::listener ? RequestKind::accept : RequestKind::receive,
          descriptor.flow_round, fd};
}

constexpr Interest without_read(Interest interest) noexcept { return interest & Interest::write; }

}  // namespace

UringEngine::Impl::Impl(const UringOptions& options) : ring_(options.entries), options_(options) {
  wake_ = ::eventfd(0, EFD_CLOEXEC);
  if (wake_ < 0) throw_oserror(errno, "eventfd for the event loop");
}

// ---- what is wanted

UringDescriptor& UringEngine::Impl::at(int fd) {
  return brio::detail::place_of(descriptors_, static_cast<std::size_t>(fd));
}

void UringEngine::Impl::note_change(int fd, UringDescriptor& descriptor) {
  if (descriptor.changed) return;
  changed_.push_back(fd);
  descriptor.changed = true;
}

void UringEngine::Impl::note_ready(int fd, UringDescriptor& descriptor, Interest ready) {
  descriptor.ready = descriptor.ready | ready;
  if (descriptor.listed) return;
  listed_.push_back(fd);
  descriptor.listed = true;
}

void UringEngine::Impl::watch(int fd, Interest interest) {
  if (forked()) return;
  UringDescriptor& descriptor = at(fd);
  if (descriptor.wanted == interest) return;
  if (descriptor.wanted == Interest::none && descriptor.purpose == Purpose::plain)
    check_watchable(fd);
  note_change(fd, descriptor);
  if (descriptor.wanted == Interest::none) ++watched_;
  if (interest == Interest::none) {
    --watched_;
    descriptor.dropped = true;
  }
  descriptor.wanted = interest;
  if (descriptor.purpose == Purpose::plain) return;
  if (descriptor.wants(Interest::read)) {
    if (descriptor.holding()) note_ready(fd, descriptor, Interest::read);
  } else {
    put_aside(descriptor);
  }
}

void UringEngine::Impl::adopt(int fd, Purpose purpose) {
  if (forked()) return;
  forget(fd);
  if (purpose == Purpose::stream && !make_buffers()) return;
  at(fd).purpose = purpose;
}

bool UringEngine::Impl::make_buffers() {
  if (buffers_ || no_buffers_) return !no_buffers_;
  try {
    if (ring_.in_other_thread()) move_to_this_thread();
    buffers_ = std::make_unique<BufferRing>(options_.buffers, options_.buffer_size);
    if (!buffers_->attach(ring_)) buffers_ = nullptr;
  } catch (const std::bad_alloc&) {
    buffers_ = nullptr;
  }
  no_buffers_ = !buffers_;
  return !no_buffers_;
}

void UringEngine::Impl::forget(int fd) noexcept {
  UringDescriptor* const descriptor = find(fd);
  if (descriptor == nullptr) return;
  if (descriptor->wanted != Interest::none) --watched_;
  descriptor->wanted = Interest::none;
  const bool polled = descriptor->polled != Interest::none;
  if ((polled || descriptor->flowing) && usable()) {
    // The kernel holds the file until the requests have ended, so they end now. The completions are
    // taken in by the next poll.
    try {
      if (polled) ring_.prepare_cancel(poll_of(fd, *descriptor));
      if (descriptor->flowing) ring_.prepare_cancel(flow_of(fd, *descriptor));
    } catch (const OSError&) {
      // No room for the request: the kernel lets go of the file when its peer or the ring does.
    }
    ring_.enter();
  }
  drop(*descriptor);
}

int UringEngine::Impl::accept_rest(int fd, sockaddr* peer, unsigned* length) noexcept {
  UringDescriptor* const descriptor = find(fd);
  if (descriptor == nullptr || descriptor->purpose != Purpose::listener) return -EAGAIN;
  if (descriptor->flowing && usable()) {
    try {
      if (!std::exchange(descriptor->ebbing, true)) ring_.prepare_cancel(flow_of(fd, *descriptor));
      ring_.enter();
      take_completions();
      if (!descriptor->flowing) accept_queued(fd, *descriptor);
    } catch (const std::exception&) {
      descriptor->ebbing = false;  // no room for the request: forget() tries once more
    }
  }
  if (!descriptor->aside || !descriptor->aside->has_connections()) return -EAGAIN;
  return take_connection(fd, *descriptor, peer, length);
}

// Of those who share a listener the kernel wakes one for each connection. When that was us, and the
// request ended before it could accept, nobody else has been told that there is something.
void UringEngine::Impl::accept_queued(int fd, UringDescriptor& descriptor) {
  if (!descriptor.aside) descriptor.aside = std::make_unique<KeptAside>();
  std::vector<int>& connections = descriptor.aside->connections;
  for (int i = 0; i < most_queued; ++i) {  // whoever comes after these wakes others
    connections.push_back(-1);             // first its place: what is accepted must not be without
    connections.back() = ::accept4(fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (connections.back() >= 0) continue;
    connections.pop_back();
    return;
  }
}

// Back to a plain descriptor, of the next round.
void UringEngine::Impl::drop(UringDescriptor& descriptor) noexcept {
  while (descriptor.first_buffer != UringDescriptor::no_buffer) {
    const std::int32_t buffer = descriptor.first_buffer;
    descriptor.first_buffer = buffers_->next(buffer);
    buffers_->give_back(buffer);
  }
  if (descriptor.aside) {
    while (descriptor.aside->has_connections())
      ::close(descriptor.aside->connections[descriptor.aside->connections_at++]);
  }
  UringDescriptor fresh;
  fresh.poll_round = Request::next_round(descriptor.poll_round);
  fresh.flow_round = Request::next_round(descriptor.flow_round);
  fresh.changed = descriptor.changed;
  fresh.listed = descriptor.listed;
  descriptor = std::move(fresh);
}

// ---- telling the kernel

void UringEngine::Impl::tell_kernel() {
  for (std::size_t i = 0; i < changed_.size(); ++i) {
    const int fd = changed_[i];
    UringDescriptor& descriptor = descriptors_[static_cast<std::size_t>(fd)];
    descriptor.changed = false;
    update(fd, descriptor);
  }
  changed_.clear();
}

void UringEngine::Impl::update(int fd, UringDescriptor& descriptor) {
  const bool flows = descriptor.reads_ahead();
  if (flows && descriptor.wants(Interest::read)) {
    // Not before all that has come is taken: the reader sets the pace.
    if (!descriptor.flowing && !descriptor.holding()) begin_flow(fd, descriptor);
  } else if (descriptor.flowing && !descriptor.ebbing) {
    ring_.prepare_cancel(flow_of(fd, descriptor));
    descriptor.ebbing = true;
  }

  const bool ahead = flows || descriptor.flowing;
  const Interest polled = ahead ? without_read(descriptor.wanted) : descriptor.wanted;
  const bool another_file =
      std::exchange(descriptor.dropped, false) && descriptor.purpose == Purpose::plain;
  if (descriptor.polled == polled && !(another_file && polled != Interest::none)) return;
  if (descriptor.polled != Interest::none) {
    ring_.prepare_cancel(poll_of(fd, descriptor));
    descriptor.poll_round = Request::next_round(descriptor.poll_round);
    descriptor.polled = Interest::none;
  }
  if (polled == Interest::none) return;
  ring_.prepare_poll(poll_of(fd, descriptor), poll_events(polled));
  descriptor.polled = polled;  // only now: where there was no room, it is tried again
  ++in_flight_;
}

void UringEngine::Impl::begin_flow(int fd, UringDescriptor& descriptor) {
  if (descriptor.purpose == Purpose::stream)
    ring_.prepare_receive(flow_of(fd, descriptor));
  else
    ring_.prepare_accept(flow_of(fd, descriptor));
  descriptor.flowing = true;
  ++in_flight_;
}

void UringEngine::Impl::arm_wake() {
  if (wake_armed_) return;
  ring_.prepare_read({RequestKind::wake, 0, wake_}, &wake_value_, sizeof wake_value_);
  wake_armed_ = true;
  ++in_flight_;
}

// A ring takes requests from one thread alone. With the old ring go the requests in it, but nothing
// that came: the kernel receives and accepts only while the ring's own thread is inside a call.
void UringEngine::Impl::move_to_this_thread() {
  take_completions();
  for (std::size_t i = 0; i < descriptors_.size(); ++i) {
    UringDescriptor& descriptor = descriptors_[i];
    put_aside(descriptor);
    descriptor.poll_round = Request::next_round(descriptor.poll_round);
    descriptor.flow_round = Request::next_round(descriptor.flow_round);
    descriptor.polled = Interest::none;
    descriptor.flowing = descriptor.ebbing = false;
    if (descriptor.wanted != Interest::none) note_change(static_cast<int>(i), descriptor);
  }
  wake_armed_ = false;
  in_flight_ = 0;
  ring_.renew();
  if (buffers_ && !buffers_->attach(ring_))
    throw_oserror(errno, "io_uring buffers in a new thread");
}

void UringEngine::Impl::poll(Duration timeout, Sink& sink) {
  if (ring_.in_other_thread()) move_to_this_thread();
  if (buffers_) buffers_->refill();
  tell_kernel();
  for (const int fd : listed_) {
    const UringDescriptor& descriptor = descriptors_[static_cast<std::size_t>(fd)];
    if (descriptor.holding() && descriptor.wants(Interest::read)) timeout = Duration::zero();
  }
  if (timeout == Duration::zero()) {
    ring_.look();
  } else {
    arm_wake();
    ring_.wait(timeout);
  }
  take_completions();
  report(sink);
}

// ---- completions

void UringEngine::Impl::take_completions() {
  ring_.for_each_completion([this](const Completion& completion) { completed(completion); });
}

void UringEngine::Impl::completed(const Completion& completion) {
  if (completion.request.kind != RequestKind::cancel && !completion.more) --in_flight_;
  switch (completion.request.kind) {
    case RequestKind::poll: poll_completed(completion); break;
    case RequestKind::receive:
    case RequestKind::accept: flow_completed(completion); break;
    case RequestKind::wake: wake_armed_ = false; break;
    case RequestKind::cancel: break;
  }
}

void UringEngine::Impl::poll_completed(const Completion& completion) {
  const int fd = completion.request.fd;
  UringDescriptor* const descriptor = find(fd);
  if (descriptor == nullptr || descriptor->poll_round != completion.request.round) return;
  descriptor->poll_round = Request::next_round(descriptor->poll_round);
  descriptor->polled = Interest::none;
  // A descriptor that was closed behind our back is forgotten, as epoll does.
  if (completion.result < 0) return;
  note_change(fd, *descriptor);  // level-triggered: asked for again if it is still wanted
  note_ready(fd, *descriptor, interest_of(static_cast<unsigned>(completion.result)));
}

void UringEngine::Impl::flow_completed(const Completion& completion) {
  const int fd = completion.request.fd;
  UringDescriptor* const descriptor = find(fd);
  const bool listener = completion.request.kind == RequestKind::accept;
  if (descriptor == nullptr || descriptor->flow_round != completion.request.round) {
    // It came while the descriptor was given up.
    if (completion.buffer >= 0) buffers_->give_back(completion.buffer);
    if (listener && completion.result >= 0) ::close(completion.result);
    return;
  }
  if (!completion.more) {
    descriptor->flowing = descriptor->ebbing = false;
    descriptor->flow_round = Request::next_round(descriptor->flow_round);
    note_change(fd, *descriptor);  // begun again if it is still wanted
  }
  if (completion.result > 0 || (listener && completion.result == 0)) {
    received(fd, *descriptor, completion);
    return;
  }
  const int error = -completion.result;
  if (error == ECANCELED || error == EINTR) return;
  if (error == ENOBUFS && !listener) {
    ++out_of_buffers_;
    return;
  }
  descriptor->error = static_cast<std::int16_t>(error);
  descriptor->has_error = error != 0;
  descriptor->ended = !listener;
  note_ready(fd, *descriptor, Interest::read);
}

void UringEngine::Impl::received(int fd, UringDescriptor& descriptor,
                                 const Completion& completion) {
  if (descriptor.purpose == Purpose::listener) {
    if (!descriptor.aside) descriptor.aside = std::make_unique<KeptAside>();
    descriptor.aside->connections.push_back(completion.result);
  } else {
    const std::int32_t buffer = completion.buffer;
    buffers_->fill(buffer, static_cast<std::uint32_t>(completion.result));
    if (descriptor.first_buffer == UringDescriptor::no_buffer)
      descriptor.first_buffer = buffer;
    else
      buffers_->link(descriptor.last_buffer, buffer);
    descriptor.last_buffer = buffer;
    descriptor.burst += static_cast<std::uint32_t>(completion.result);
    if (descriptor.burst > UringDescriptor::bulk_bytes && !descriptor.bulk) {
      descriptor.bulk = true;
      descriptor.small_reads = 0;
      note_change(fd, descriptor);
    }
    if (!descriptor.wants(Interest::read)) put_aside(descriptor);
  }
  note_ready(fd, descriptor, Interest::read);
}

void UringEngine::Impl::report(Sink& sink) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < listed_.size(); ++i) {
    const int fd = listed_[i];
    UringDescriptor& descriptor = descriptors_[static_cast<std::size_t>(fd)];
    Interest ready = std::exchange(descriptor.ready, Interest::none);
    descriptor.burst = 0;
    if (descriptor.reads_ahead()) ready = without_read(ready);
    if (descriptor.purpose != Purpose::plain && descriptor.holding())
      ready = ready | Interest::read;
    // What is not taken until the next poll is reported again.
    descriptor.listed = descriptor.purpose != Purpose::plain && descriptor.holding();
    if (descriptor.listed) listed_[kept++] = fd;
    ready = ready & descriptor.wanted;
    if (ready != Interest::none) sink.descriptor_ready(fd, ready);
  }
  listed_.resize(kept);
}

// ---- the engine's own life

void UringEngine::Impl::wake() noexcept {
  const int saved = errno;  // also called from signal handlers
  const std::uint64_t one = 1;
  if (wake_ >= 0) {
    [[maybe_unused]] const auto put = ::write(wake_, &one, sizeof one);
  }
  errno = saved;
}

int UringEngine::Impl::descriptor() noexcept {
  if (!usable()) return -1;
  const int watchable = ring_.watchable();
  rest();  // who watches it from outside is to hear of everything, wake-ups included
  return watchable;
}

void UringEngine::Impl::rest() noexcept {
  if (!usable()) return;
  try {
    tell_kernel();
    if (ring_.watched()) arm_wake();
    ring_.submit();
  } catch (...) {
    // The next poll tells it.
  }
}

void UringEngine::Impl::close() noexcept {
  if (wake_ < 0) return;
  if (usable() && in_flight_ > 0) {
    // A closed ring lets go of its files some time later; who asks for the end gets it now.
    try {
      ring_.prepare_cancel_all();
    } catch (const OSError&) {
      // Some time later, then.
    }
    ring_.enter();
  }
  // Connections that the kernel has accepted meanwhile are descriptors of ours.
  if (!forked()) take_completions();
  for (UringDescriptor& descriptor : descriptors_) drop(descriptor);
  if (forked())
    ring_.leave_to_parent();
  else
    ring_.close();
  buffers_ = nullptr;
  ::close(std::exchange(wake_, -1));
  watched_ = 0;
  changed_.clear();
  listed_.clear();
}

UringEngine::UringEngine(UringOptions options) : impl_(std::make_unique<Impl>(options)) {}
UringEngine::~UringEngine() = default;

void UringEngine::watch(int fd, Interest interest) { impl_->watch(fd, interest); }
void UringEngine::adopt(int fd, Purpose purpose) { impl_->adopt(fd, purpose); }
void UringEngine::forget(int fd) noexcept { impl_->forget(fd); }
Transfer UringEngine::receive(int fd, std::span<char> scratch) noexcept {
  if (!impl_->adopted(fd)) return Engine::receive(fd, scratch);
  const Transfer ahead = impl_->receive(fd, scratch);
  if (ahead.error != EAGAIN || !impl_->reads_directly(fd)) return ahead;
  const Transfer direct = Engine::receive(fd, scratch);
  impl_->has_read_directly(fd, direct.count);
  return direct;
}
int UringEngine::accept(int fd, sockaddr* peer, unsigned* length) noexcept {
  return impl_->adopted(fd) ? impl_->accept(fd, peer, length) : Engine::accept(fd, peer, length);
}
int UringEngine::accept_rest(int fd, sockaddr* peer, unsigned* length) noexcept {
  return impl_->accept_rest(fd, peer, length);
}
bool UringEngine::watching() const noexcept { return impl_->watching(); }
void UringEngine::poll(Duration timeout, Sink& sink) { impl_->poll(timeout, sink); }
void UringEngine::wake() noexcept { impl_->wake(); }
int UringEngine::descriptor() const noexcept { return impl_->descriptor(); }
void UringEngine::rest() noexcept { impl_->rest(); }
void UringEngine::close() noexcept { impl_->close(); }
UringEngine::Counts UringEngine::counts() const noexcept { return impl_->counts(); }

}  // namespace brio::engine
