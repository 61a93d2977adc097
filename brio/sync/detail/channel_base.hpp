// A memory channel without its items: who waits, who is closed, and what is promised to whom.
#pragma once

#include <brio/core/detail/ref.hpp>
#include <brio/sync/detail/wait_list.hpp>

#include <cstddef>
#include <cstdint>

namespace brio {

/// A channel at one moment (trio.MemoryChannelStatistics).
struct MemoryChannelStatistics {
  /// Items waiting in the channel.
  std::size_t current_buffer_used;
  /// How many fit.
  std::size_t max_buffer_size;
  /// Sending ends that are open.
  std::size_t open_send_channels;
  /// Receiving ends that are open.
  std::size_t open_receive_channels;
  /// Tasks that wait for room.
  std::size_t tasks_waiting_send;
  /// Tasks that wait for an item.
  std::size_t tasks_waiting_receive;
};

namespace detail {

class ChannelBase;

enum class ChannelSide : std::uint8_t { send, receive };

/// One end of a channel: what the handle that the user has, and the tasks that use it, share.
class BRIO_API ChannelEnd : public Pooled {
public:
  /// Opens a further end of `channel`.
  ChannelEnd(Ref<ChannelBase> channel, ChannelSide side) noexcept;
  ChannelEnd(const ChannelEnd&) = delete;
  ChannelEnd& operator=(const ChannelEnd&) = delete;
  ~ChannelEnd();

  void ref() noexcept { ++refs_; }
  void unref() noexcept {
    if (--refs_ == 0) delete this;
  }
  [[nodiscard]] bool closed() const noexcept { return closed_; }
  /// Throws ClosedResourceError if closed.
  void require_open() const;
  [[nodiscard]] ChannelBase& channel() const noexcept { return *channel_; }
  [[nodiscard]] ChannelSide side() const noexcept { return side_; }
  /// Those who use this end get ClosedResourceError; if it was the last of its side, those on the
  /// other side learn it. Does nothing the second time.
  void close();

private:
  Ref<ChannelBase> channel_;
  std::uint32_t refs_ = 0;
  ChannelSide side_;
  bool closed_ = false;
};

/// A task in send or receive.
class BRIO_API ChannelWait : public WaitNode {
public:
  enum class Outcome : std::uint8_t {
    item,    // sent, or one is reserved for this receiver
    closed,  // the end was closed under the wait
    gone,    // the other side has closed its last end
  };
  explicit ChannelWait(ChannelEnd& end) noexcept : end_(end) {}
  bool begin(PromiseBase& promise);

protected:
  ChannelEnd& end_;  // the awaiter keeps it
  Outcome outcome_ = Outcome::item;

private:
  friend class ChannelBase;
};

class BRIO_API ChannelSendWait final : public ChannelWait {
public:
  /// `item`: what is sent, of the channel's type.
  ChannelSendWait(ChannelEnd& end, void* item) noexcept : ChannelWait(end), item_(item) {}
  [[nodiscard]] void* item() const noexcept { return item_; }
  /// On resumption: returns if a receiver has taken the item, throws otherwise.
  void finish();

private:
  void* item_;
};

class BRIO_API ChannelReceiveWait final : public ChannelWait {
public:
  using ChannelWait::ChannelWait;
  /// On resumption: true if the first item is this task's now, false at the end of the channel;
  /// throws otherwise.
  bool finish();
};

/// Items stay in the buffer until a receiver runs. One that was woken for an item has it reserved,
/// so nobody who comes in between gets it; if that receiver is cancelled instead, the item is still
/// there, at its place, for the next.
class BRIO_API ChannelBase : private LoopBound {
public:
  ChannelBase(const ChannelBase&) = delete;
  ChannelBase& operator=(const ChannelBase&) = delete;

  void ref() noexcept { ++refs_; }
  void unref() noexcept {
    if (--refs_ == 0) delete this;
  }

  /// Is there room, or somebody who waits for an item?
  [[nodiscard]] bool can_send() noexcept { return used() < max_ || receivers_.first_waiting(); }
  /// Is there an item, in the buffer or with a waiting sender?
  [[nodiscard]] bool can_receive() noexcept { return used() > 0 || senders_.first_waiting(); }
  [[nodiscard]] bool senders_gone() const noexcept { return open_senders_ == 0; }
  [[nodiscard]] bool receivers_gone() const noexcept { return open_receivers_ == 0; }
  [[nodiscard]] MemoryChannelStatistics statistics() const noexcept;

protected:
  explicit ChannelBase(std::size_t max_buffer_size) noexcept : max_(max_buffer_size) {}
  virtual ~ChannelBase() = default;
  /// Moves `item`, a waiting sender's, to the end of the buffer.
  virtual void accept(void* item) = 0;
  /// Drops the newest items until `count` are left.
  virtual void drop_items(std::size_t count) noexcept = 0;

  /// After an item was added to the buffer: reserves it for the first waiting receiver.
  void item_added() {
    ++items_;
    if (receivers_.has_waiting()) reserve_for_next();
  }
  /// Before an item is taken by somebody who has none reserved: the first waiting sender gets rid
  /// of its own.
  void before_take() {
    if (senders_.has_waiting()) accept_next();
  }
  void item_taken() noexcept { --items_; }
  [[nodiscard]] std::size_t used() const noexcept { return items_ - reserved_; }

private:
  friend class ChannelEnd;
  friend class ChannelWait;
  friend class ChannelSendWait;
  friend class ChannelReceiveWait;
  void reserve_for_next();
  void accept_next();
  void give_back_reservation();
  void drop_unreserved() noexcept;
  /// Ends the waits in `line` that use `end` (null: all).
  void wake_users(WaitList& line, const ChannelEnd* end, ChannelWait::Outcome outcome);
  void end_closed(ChannelSide side, const ChannelEnd& end);

  std::size_t max_;
  std::size_t items_ = 0;     // in the buffer
  std::size_t reserved_ = 0;  // of them, promised to receivers that have not run yet
  std::size_t open_senders_ = 0;
  std::size_t open_receivers_ = 0;
  std::size_t refs_ = 0;
  WaitList senders_;
  WaitList receivers_;
};

/// Throw what keeps an end from being used now; return if nothing does.
BRIO_API void require_sendable(const ChannelEnd& end);
[[noreturn]] BRIO_API void throw_would_block();
[[noreturn]] BRIO_API void throw_end_of_channel();

}  // namespace detail
}  // namespace brio
