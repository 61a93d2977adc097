// Inside brio/engine: the io_uring engine itself. io_uring.cpp has what it wants of the kernel and
// what the kernel answers, uring_taking.cpp what readers take of that.
#pragma once

#include <brio/engine/io_uring.hpp>

#include <brio/engine/detail/uring_descriptor.hpp>
#include <brio/engine/detail/uring_ring.hpp>

#include <memory>
#include <vector>

namespace brio::engine {

// How a descriptor's requests go:
//
//   watch(), adopt()   only note what is wanted, and that it changed
//   poll()             tells the kernel what changed, waits, and takes in what has completed
//   the sink           is told of each descriptor that has something, in the order of completion
//
// A poll is one-shot and made again after it has fired, which is what level-triggered means. A flow
// (a multishot receive or accept) goes on until it is cancelled, ends by itself or runs out of
// buffers; it counts as under way until the kernel's last word on it.
class UringEngine::Impl {
public:
  explicit Impl(const UringOptions& options);
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { close(); }

  void watch(int fd, Interest interest);
  void adopt(int fd, Purpose purpose);
  void forget(int fd) noexcept;
  Transfer receive(int fd, std::span<char> scratch) noexcept;
  int accept(int fd, sockaddr* peer, unsigned* length) noexcept;
  int accept_rest(int fd, sockaddr* peer, unsigned* length) noexcept;
  void poll(Duration timeout, Sink& sink);
  void wake() noexcept;
  void rest() noexcept;
  void close() noexcept;

  [[nodiscard]] bool adopted(int fd) noexcept {
    const UringDescriptor* const descriptor = find(fd);
    return descriptor != nullptr && descriptor->purpose != Purpose::plain;
  }
  // Is an adopted stream in bulk, and nothing of it on the way any more?
  [[nodiscard]] bool reads_directly(int fd) const noexcept {
    const UringDescriptor& descriptor = descriptors_[static_cast<std::size_t>(fd)];
    return descriptor.bulk && !descriptor.flowing;
  }
  void has_read_directly(int fd, std::size_t count);
  [[nodiscard]] bool watching() const noexcept { return watched_ > 0 || !changed_.empty(); }
  [[nodiscard]] int descriptor() noexcept;
  [[nodiscard]] Counts counts() const noexcept {
    return {.enters = ring_.enters(),
            .submitted = ring_.submitted(),
            .out_of_buffers = out_of_buffers_,
            .in_flight = in_flight_};
  }

private:
  [[nodiscard]] UringDescriptor* find(int fd) noexcept {
    const auto index = static_cast<std::size_t>(fd);
    return fd >= 0 && index < descriptors_.size() ? &descriptors_[index] : nullptr;
  }
  UringDescriptor& at(int fd);
  [[nodiscard]] bool forked() const noexcept { return fork_depth_ != brio::detail::fork_depth(); }
  // May this thread make requests?
  [[nodiscard]] bool usable() const noexcept {
    return wake_ >= 0 && !forked() && !ring_.in_other_thread();
  }

  void note_change(int fd, UringDescriptor& descriptor);
  void note_ready(int fd, UringDescriptor& descriptor, Interest ready);
  void tell_kernel();
  void update(int fd, UringDescriptor& descriptor);
  void begin_flow(int fd, UringDescriptor& descriptor);
  void arm_wake();
  void move_to_this_thread();
  bool make_buffers();

  void take_completions();
  void completed(const Completion& completion);
  void poll_completed(const Completion& completion);
  void flow_completed(const Completion& completion);
  void received(int fd, UringDescriptor& descriptor, const Completion& completion);
  void report(Sink& sink);

  void accept_queued(int fd, UringDescriptor& descriptor);
  int take_connection(int fd, UringDescriptor& descriptor, sockaddr* peer,
                      unsigned* length) noexcept;
  void go_on(int fd, UringDescriptor& descriptor);
  void put_aside(UringDescriptor& descriptor);
  std::size_t copy_out(UringDescriptor& descriptor, char* to, std::size_t capacity) noexcept;
  void drop(UringDescriptor& descriptor) noexcept;

  Ring ring_;
  UringOptions options_;
  std::unique_ptr<BufferRing> buffers_;
  bool no_buffers_ = false;  // the kernel refused them: streams are polled like anything else
  std::vector<UringDescriptor> descriptors_;
  std::vector<int> changed_;
  std::vector<int> listed_;
  std::size_t watched_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t out_of_buffers_ = 0;
  unsigned fork_depth_ = brio::detail::fork_depth();
  int wake_ = -1;
  std::uint64_t wake_value_ = 0;  // the kernel reads into it
  bool wake_armed_ = false;
};

}  // namespace brio::engine
