#include <brio/sync/channel.hpp>

namespace brio {

WouldBlock::~WouldBlock() = default;
BrokenResourceError::~BrokenResourceError() = default;
ClosedResourceError::~ClosedResourceError() = default;
EndOfChannel::~EndOfChannel() = default;

namespace detail {

// ---- ChannelEnd

ChannelEnd::ChannelEnd(Ref<ChannelBase> channel, ChannelSide side) noexcept
    : channel_(std::move(channel)), side_(side) {
  ++(side == ChannelSide::send ? channel_->open_senders_ : channel_->open_receivers_);
}

ChannelEnd::~ChannelEnd() = default;

void ChannelEnd::require_open() const {
  if (closed_) throw ClosedResourceError();
}

void ChannelEnd::close() {
  if (std::exchange(closed_, true)) return;
  const Ref<ChannelEnd> keep(this);
  channel_->end_closed(side_, *this);
}

// ---- the waits

bool ChannelWait::begin(PromiseBase& promise) {
  ChannelBase& channel = end_.channel();
  channel.bind("Memory channel");
  (end_.side() == ChannelSide::send ? channel.senders_ : channel.receivers_).push_back(*this);
  return suspend(promise);
}

void ChannelSendWait::finish() {
  leave();
  check();
  if (outcome_ == Outcome::closed) throw ClosedResourceError();
  if (outcome_ == Outcome::gone) throw BrokenResourceError();
}

bool ChannelReceiveWait::finish() {
  leave();
  ChannelBase& channel = end_.channel();
  if (interrupted()) {
    if (woken() && outcome_ == Outcome::item) channel.give_back_reservation();
    throw_interrupted();
  }
  if (outcome_ == Outcome::closed) throw ClosedResourceError();
  // The end was announced while an item was reserved for a receiver that was cancelled since.
  if (outcome_ == Outcome::gone) return channel.used() > 0;
  --channel.reserved_;
  return true;
}

// ---- ChannelBase

void ChannelBase::reserve_for_next() {
  if (receivers_.wake_next()) ++reserved_;
}

void ChannelBase::accept_next() {
  if (WaitNode* first = senders_.first_waiting()) {
    accept(static_cast<ChannelSendWait&>(*first).item());
    senders_.wake_next();
  }
}

void ChannelBase::give_back_reservation() {
  --reserved_;
  if (receivers_gone())
    drop_unreserved();
  else
    reserve_for_next();
}

void ChannelBase::drop_unreserved() noexcept {
  drop_items(reserved_);
  items_ = reserved_;
}

void ChannelBase::wake_users(WaitList& line, const ChannelEnd* end, ChannelWait::Outcome outcome) {
  for (WaitNode* at = line.first_waiting(); at; at = line.after(*at)) {
    auto& wait = static_cast<ChannelWait&>(*at);
    if (!wait.pending() || (end && &wait.end_ != end)) continue;
    wait.outcome_ = outcome;
    wait.wake();
  }
}

void ChannelBase::end_closed(ChannelSide side, const ChannelEnd& end) {
  using enum ChannelWait::Outcome;
  if (side == ChannelSide::send) {
    wake_users(senders_, &end, closed);
    if (--open_senders_ == 0) wake_users(receivers_, nullptr, gone);
  } else {
    wake_users(receivers_, &end, closed);
    if (--open_receivers_ == 0) {
      wake_users(senders_, nullptr, gone);
      drop_unreserved();
    }
  }
}

MemoryChannelStatistics ChannelBase::statistics() const noexcept {
  return {.current_buffer_used = used(),
          .max_buffer_size = max_,
          .open_send_channels = open_senders_,
          .open_receive_channels = open_receivers_,
          .tasks_waiting_send = senders_.count_waiting(),
          .tasks_waiting_receive = receivers_.count_waiting()};
}

// ---- handles

Ref<ChannelEnd> ChannelHandle::clone_end(ChannelSide side) const {
  end().require_open();
  return Ref<ChannelEnd>(new ChannelEnd(Ref<ChannelBase>(&end().channel()), side));
}

void ChannelHandle::throw_moved_from() { throw ClosedResourceError("moved from"); }

void require_sendable(const ChannelEnd& end) {
  end.require_open();
  if (end.channel().receivers_gone()) throw BrokenResourceError();
}

void throw_would_block() { throw WouldBlock(); }
void throw_end_of_channel() { throw EndOfChannel(); }

}  // namespace detail
}  // namespace brio
