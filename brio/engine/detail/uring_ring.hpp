// Inside brio/engine: liburing as the io_uring engine uses it, requests that name a descriptor, and
// a ring of buffers.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/time.hpp>

#include <liburing.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace brio::engine {

enum class RequestKind : std::uint8_t { poll, receive, accept, wake, cancel };

// What a request carries to the kernel and back: 8 bits of kind, 24 of round, 32 of descriptor.
struct Request {
  RequestKind kind{};
  std::uint32_t round = 0;
  int fd = -1;

  [[nodiscard]] constexpr std::uint64_t pack() const noexcept {
    return static_cast<std::uint64_t>(kind) << 56 | static_cast<std::uint64_t>(round) << 32 |
           static_cast<std::uint32_t>(fd);
  }
  [[nodiscard]] static constexpr Request unpack(std::uint64_t data) noexcept {
    return {static_cast<RequestKind>(data >> 56), static_cast<std::uint32_t>(data >> 32) & 0xffffff,
            static_cast<int>(static_cast<std::uint32_t>(data))};
  }
  [[nodiscard]] static constexpr std::uint32_t next_round(std::uint32_t round) noexcept {
    return (round + 1) & 0xffffff;
  }
};

struct Completion {
  Request request;
  std::int32_t result = 0;
  std::int32_t buffer = -1;  // in which the data lies, if there is one
  bool more = false;         // the request goes on
};

// A ring that belongs to the thread which uses it first after its making or renewal.
class Ring {
public:
  explicit Ring(unsigned entries);
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() { close(); }

  // Has another thread used it?
  [[nodiscard]] bool in_other_thread() const noexcept;
  // A new ring in place of this one, with nothing in it. Throws OSError; it may then be tried
  // again.
  void renew();
  void close() noexcept;
  // close() in a forked child, which has the descriptors but not the memory.
  void leave_to_parent() noexcept;

  void prepare_poll(Request request, unsigned events);
  void prepare_receive(Request request);
  void prepare_accept(Request request);
  void prepare_read(Request request, void* to, unsigned size);
  void prepare_cancel(Request request);
  void prepare_cancel_all();

  // Submits, and lets the kernel finish what it can at once.
  void enter() noexcept;
  // The same, if there is anything to submit. Leaves the watchable descriptor as it is.
  void submit() noexcept {
    if (io_uring_sq_ready(&ring_) > 0) enter();
  }
  // enter(), but without a system call when there is nothing to do for one.
  void look();
  // Submits and waits for a completion, at most `timeout`; negative: for ever.
  void wait(Duration timeout);

  template <class F>
  void for_each_completion(F function) {
    if (!open_) return;
    unsigned head = 0;
    unsigned count = 0;
    io_uring_cqe* entry = nullptr;
    io_uring_for_each_cqe(&ring_, head, entry) {
      Completion completion;
      completion.request = Request::unpack(entry->user_data);
      completion.result = entry->res;
      completion.more = (entry->flags & IORING_CQE_F_MORE) != 0;
      if (entry->flags & IORING_CQE_F_BUFFER)
        completion.buffer = static_cast<std::int32_t>(entry->flags >> IORING_CQE_BUFFER_SHIFT);
      ++count;
      function(completion);
    }
    io_uring_cq_advance(&ring_, count);
  }

  // A descriptor that is readable when something has completed or can be completed; -1 if it cannot
  // be had. An eventfd: the ring's own descriptor says nothing of deferred work.
  [[nodiscard]] int watchable() noexcept;
  [[nodiscard]] bool watched() const noexcept { return eventfd_ >= 0; }

  [[nodiscard]] io_uring& raw() noexcept { return ring_; }
  [[nodiscard]] std::size_t enters() const noexcept { return enters_; }
  [[nodiscard]] std::size_t submitted() const noexcept { return submitted_; }

private:
  void open();
  void shut() noexcept;
  void enable() noexcept;
  bool notify() noexcept;
  void calm_watchers() noexcept;
  io_uring_sqe* prepare(Request request);
  void entered(int result, const char* what);

  io_uring ring_{};
  unsigned entries_;
  bool open_ = false;
  int thread_ = 0;  // 0: nobody has used it
  int eventfd_ = -1;
  std::size_t enters_ = 0;
  std::size_t submitted_ = 0;
};

// The buffers into which the kernel receives. A buffer is the kernel's, or filled and linked to
// others of its descriptor, or given back; the kernel gets it again at the next refill.
class BufferRing {
public:
  BufferRing(unsigned count, std::size_t size);
  BufferRing(const BufferRing&) = delete;
  BufferRing& operator=(const BufferRing&) = delete;
  ~BufferRing() = default;

  // Registers them with `ring`: all must be the kernel's or given back. False: it refuses.
  [[nodiscard]] bool attach(Ring& ring) noexcept;

  void fill(std::int32_t buffer, std::uint32_t size) noexcept { at(buffer) = {size, -1}; }
  void link(std::int32_t buffer, std::int32_t next) noexcept { at(buffer).next = next; }
  [[nodiscard]] std::int32_t next(std::int32_t buffer) const noexcept {
    return places_[static_cast<std::size_t>(buffer)].next;
  }
  [[nodiscard]] std::string_view filled(std::int32_t buffer) const noexcept {
    const auto index = static_cast<std::size_t>(buffer);
    return {memory_.get() + index * size_, places_[index].size};
  }
  void give_back(std::int32_t buffer) noexcept {
    returned_[returned_count_++] = static_cast<std::uint16_t>(buffer);
  }
  void refill() noexcept;

private:
  struct Place {
    std::uint32_t size = 0;
    std::int32_t next = -1;
  };
  struct Free {
    void operator()(void* memory) const noexcept;
  };

  [[nodiscard]] Place& at(std::int32_t buffer) noexcept {
    return places_[static_cast<std::size_t>(buffer)];
  }
  void offer(std::uint16_t buffer, int place) noexcept;

  unsigned count_;
  std::size_t size_;
  std::unique_ptr<char[]> memory_;
  std::unique_ptr<io_uring_buf_ring, Free> ring_;
  std::vector<Place> places_;
  std::vector<std::uint16_t> returned_;  // each buffer at most once, so it never grows
  std::size_t returned_count_ = 0;
};

}  // namespace brio::engine
