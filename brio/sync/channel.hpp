// Memory channels: a queue with two kinds of ends, each of which can be cloned and closed
// (trio.open_memory_channel).
//
//     auto [sender, receiver] = brio::open_memory_channel<int>(16);
//     co_await sender.send(1);             // elsewhere: int x = co_await receiver.receive();
//
// Closing the last sender lets receivers empty the buffer and then gives them EndOfChannel; closing
// the last receiver gives senders BrokenResourceError. So each side learns that the other is gone,
// which a Queue cannot tell.
#pragma once

#include <brio/sync/detail/channel_base.hpp>
#include <brio/sync/detail/stores.hpp>
#include <brio/sync/resource_errors.hpp>

#include <cstddef>
#include <limits>
#include <optional>
#include <utility>

namespace brio {

template <class T>
class MemorySendChannel;
template <class T>
class MemoryReceiveChannel;

namespace detail {

template <class T>
class Channel final : public ChannelBase {
public:
  explicit Channel(std::size_t max_buffer_size) noexcept : ChannelBase(max_buffer_size) {}
  void add(T&& item) {
    buffer_.push(std::move(item));
    item_added();
  }
  /// For one who has none reserved; can_receive() must be true.
  T take() {
    before_take();
    return take_reserved();
  }
  T take_reserved() {
    item_taken();
    return buffer_.pop();
  }

protected:
  void accept(void* item) override { add(std::move(*static_cast<T*>(item))); }
  void drop_items(std::size_t count) noexcept override { buffer_.truncate(count); }

private:
  FifoStore<T> buffer_;
};

/// `co_await sender.send(item)`.
template <class T>
class [[nodiscard]] ChannelSend {
public:
  ChannelSend(Ref<ChannelEnd> end, T&& item) : end_(std::move(end)), item_(std::move(item)) {}
  [[nodiscard]] bool await_ready() {
    if (!end_) [[unlikely]]
      throw_awaited_twice();
    wait_.reset();
    return end_->closed() || end_->channel().receivers_gone() || end_->channel().can_send();
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return wait_.make(*end_, &item_).begin(caller.promise());
  }
  void await_resume() {
    if (wait_) {
      wait_->finish();
    } else {
      require_sendable(*end_);
      static_cast<Channel<T>&>(end_->channel()).add(std::move(item_));
    }
    end_ = {};
  }

private:
  Ref<ChannelEnd> end_;  // empty once the item is sent
  T item_;
  LateWait<ChannelSendWait> wait_;
};

/// `co_await receiver.next()`.
template <class T>
class [[nodiscard]] ChannelNext {
public:
  explicit ChannelNext(Ref<ChannelEnd> end) noexcept : end_(std::move(end)) {}
  [[nodiscard]] bool await_ready() noexcept {
    wait_.reset();
    return end_->closed() || end_->channel().can_receive() || end_->channel().senders_gone();
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return wait_.make(*end_).begin(caller.promise());
  }
  std::optional<T> await_resume() {
    auto& channel = static_cast<Channel<T>&>(end_->channel());
    if (wait_) {
      if (wait_->finish()) return channel.take_reserved();
      return std::nullopt;
    }
    end_->require_open();
    if (channel.can_receive()) return channel.take();
    return std::nullopt;
  }

private:
  Ref<ChannelEnd> end_;
  LateWait<ChannelReceiveWait> wait_;
};

/// `co_await receiver.receive()`.
template <class T>
class [[nodiscard]] ChannelReceive : public ChannelNext<T> {
public:
  using ChannelNext<T>::ChannelNext;
  T await_resume() {
    std::optional<T> item = ChannelNext<T>::await_resume();
    if (!item) throw_end_of_channel();
    return std::move(*item);
  }
};

/// What both handles can do.
class BRIO_API ChannelHandle {
public:
  ChannelHandle() noexcept = default;
  explicit ChannelHandle(Ref<ChannelEnd> end) noexcept : end_(std::move(end)) {}
  ChannelHandle(ChannelHandle&&) noexcept = default;
  ChannelHandle& operator=(ChannelHandle&& other) noexcept {
    std::swap(end_, other.end_);
    return *this;
  }
  ~ChannelHandle() {
    if (end_) end_->close();
  }

  /// Closes this end, as its destructor does. Tasks that are using it get ClosedResourceError. Does
  /// nothing if it is closed.
  void close() {
    if (end_) end_->close();
  }
  /// Was it closed (or moved from)?
  [[nodiscard]] bool closed() const noexcept { return !end_ || end_->closed(); }
  /// The state of the whole channel.
  [[nodiscard]] MemoryChannelStatistics statistics() const { return end().channel().statistics(); }

protected:
  /// Throws ClosedResourceError for a handle that was moved from.
  [[nodiscard]] ChannelEnd& end() const {
    if (!end_) [[unlikely]]
      throw_moved_from();
    return *end_;
  }
  [[nodiscard]] Ref<ChannelEnd> clone_end(ChannelSide side) const;

private:
  [[noreturn]] static void throw_moved_from();
  Ref<ChannelEnd> end_;
};

}  // namespace detail

/// The end that items go into (trio.MemorySendChannel). Move-only; clone() makes another one.
template <class T>
class MemorySendChannel : public detail::ChannelHandle {
public:
  using detail::ChannelHandle::ChannelHandle;

  /// Waits until there is room in the buffer, or a receiver that waits, and sends `item`. Throws
  /// ClosedResourceError if this end is or gets closed, BrokenResourceError if no receiver is left,
  /// RuntimeError if the channel is bound to another loop. Does not suspend if there is room.
  ///
  /// Cancellation: the item goes with this call, unless a receiver took it in the same iteration;
  /// then it has arrived, and CancelledError is thrown all the same.
  [[nodiscard]] detail::ChannelSend<T> send(T item) {
    return {detail::Ref<detail::ChannelEnd>(&end()), std::move(item)};
  }
  /// send() that throws WouldBlock instead of waiting.
  void send_nowait(T item) {
    detail::require_sendable(end());
    auto& channel = static_cast<detail::Channel<T>&>(end().channel());
    if (!channel.can_send()) detail::throw_would_block();
    channel.add(std::move(item));
  }
  /// A further end of the same channel. Throws ClosedResourceError if this one is closed.
  [[nodiscard]] MemorySendChannel clone() const {
    return MemorySendChannel(this->clone_end(detail::ChannelSide::send));
  }
};

/// The end that items come out of (trio.MemoryReceiveChannel). Move-only; clone() makes another
/// one. Each item goes to one receiver.
template <class T>
class MemoryReceiveChannel : public detail::ChannelHandle {
public:
  using detail::ChannelHandle::ChannelHandle;

  /// Waits for an item, first come, first served. Throws EndOfChannel when all senders are closed
  /// and the buffer is empty, ClosedResourceError if this end is or gets closed, RuntimeError if
  /// the channel is bound to another loop. Does not suspend if an item is there.
  ///
  /// Cancellation: no item is taken; one that was meant for this task stays, at its place, for the
  /// next.
  [[nodiscard]] detail::ChannelReceive<T> receive() {
    return detail::ChannelReceive<T>(detail::Ref<detail::ChannelEnd>(&end()));
  }
  /// receive() that gives nothing at the end of the channel:
  /// `while (auto item = co_await receiver.next())` (async for item in receiver).
  [[nodiscard]] detail::ChannelNext<T> next() {
    return detail::ChannelNext<T>(detail::Ref<detail::ChannelEnd>(&end()));
  }
  /// receive() that throws WouldBlock instead of waiting.
  [[nodiscard]] T receive_nowait() {
    end().require_open();
    auto& channel = static_cast<detail::Channel<T>&>(end().channel());
    if (!channel.can_receive()) {
      if (channel.senders_gone()) detail::throw_end_of_channel();
      detail::throw_would_block();
    }
    return channel.take();
  }
  /// A further end of the same channel. Throws ClosedResourceError if this one is closed.
  [[nodiscard]] MemoryReceiveChannel clone() const {
    return MemoryReceiveChannel(this->clone_end(detail::ChannelSide::receive));
  }
};

/// Both ends of a new channel, for a structured binding.
template <class T>
struct MemoryChannel {
  /// The end that sends.
  MemorySendChannel<T> send_channel;
  /// The end that receives.
  MemoryReceiveChannel<T> receive_channel;
};

/// A max_buffer_size without bound (trio: math.inf).
inline constexpr std::size_t unbounded = std::numeric_limits<std::size_t>::max();

/// A channel that holds up to `max_buffer_size` items that nobody has received yet; with 0, send()
/// waits until a receiver takes the item (trio.open_memory_channel).
template <class T>
[[nodiscard]] MemoryChannel<T> open_memory_channel(std::size_t max_buffer_size) {
  using detail::ChannelEnd;
  using detail::ChannelSide;
  const detail::Ref<detail::ChannelBase> channel(new detail::Channel<T>(max_buffer_size));
  detail::Ref<ChannelEnd> send(new ChannelEnd(channel, ChannelSide::send));
  detail::Ref<ChannelEnd> receive(new ChannelEnd(channel, ChannelSide::receive));
  return {MemorySendChannel<T>(std::move(send)), MemoryReceiveChannel<T>(std::move(receive))};
}

}  // namespace brio
