// What is asked of a WebSocket: keep-alive, and the calls that wait.
#include <brio/core/exceptions.hpp>
#include <brio/core/loop.hpp>
#include <brio/http/detail/utf8.hpp>
#include <brio/http/detail/websocket_connection.hpp>
#include <brio/http/errors.hpp>

#include <cerrno>
#include <utility>

namespace brio::http::detail {

// ---- keep-alive

TimePoint WebSocketConnection::now() const { return transport_->get_loop().time(); }

// One timer, which looks whether something has come and is set anew; so what comes costs none.
void WebSocketConnection::beat() {
  if (closed_ || lost_) return;
  const Duration heartbeat = *settings_.heartbeat;
  const TimePoint moment = now();
  if (reading_paused_ || (ping_sent_ && heard_ >= *ping_sent_)) ping_sent_.reset();
  TimePoint next = (reading_paused_ ? moment : heard_) + heartbeat;
  if (ping_sent_) {
    next = *ping_sent_ + heartbeat / 2;
    if (next <= moment) return heartbeat_failed();
  } else if (next <= moment) {
    ping_sent_ = moment;
    next = moment + heartbeat / 2;
    if (!closing()) {
      std::string out;
      writer_.control(out, WSMsgType::ping, {});
      transport_->write(std::move(out));
    }
  }
  heartbeat_timer_ = transport_->get_loop().call_at(next, [this] { beat(); });
}

void WebSocketConnection::heartbeat_failed() {
  error_ = std::make_exception_ptr(ServerTimeoutError("No PONG received in time"));
  if (!ending_) {
    ending_ = true;
    queued_ += overhead;
    queue_.push_back({.type = WSMsgType::error,
                      .extra = "No PONG received in time",
                      .code = WSCloseCode::abnormal_closure,
                      .error = error_});
  }
  finish(WSCloseCode::abnormal_closure, {});
  hang_up();
}

void WebSocketConnection::write_pong(std::string_view payload) {
  if (lost_ || transport_->is_closing()) return;
  // A peer that takes nothing gets the last one (RFC 6455 §5.5.3), so that pings fill no memory.
  if (writing_paused_) {
    pong_due_.emplace(payload);
    return;
  }
  std::string out;
  writer_.control(out, WSMsgType::pong, payload);
  transport_->write(std::move(out));
}

// ---- waiting

void WebSocketConnection::wake_receiver() {
  if (receiver_ && !receiver_.done()) receiver_.set_result();
}

void WebSocketConnection::wake_all(std::vector<Future<>>& waiters) {
  for (const Future<>& waiter : std::exchange(waiters, {})) {
    if (!waiter.done()) waiter.set_result();
  }
}

Coro<> WebSocketConnection::wait_for_message(std::shared_ptr<WebSocketConnection> self,
                                             std::optional<Duration> timeout) {
  EventLoop& loop = get_running_loop();
  const Future<> mine = loop.create_future<>();
  self->receiver_ = mine;
  struct Timer {
    TimerHandle handle;
    ~Timer() { handle.cancel(); }
  } timer;
  bool late = false;
  if (timeout) {
    timer.handle = loop.call_later(*timeout, [&late, &mine] {
      late = true;
      if (!mine.done()) mine.set_result();
    });
  }
  co_await mine;
  // What came at the same moment is there for the next call.
  if (late) throw TimeoutError("no WebSocket message in time");
}

Coro<WSMessage> WebSocketConnection::receive(std::shared_ptr<WebSocketConnection> self,
                                             std::optional<Duration> timeout) {
  if (self->receiver_ && !self->receiver_.done()) {
    throw RuntimeError("Concurrent call to receive() is not allowed");
  }
  if (!timeout) timeout = self->settings_.receive_timeout;
  while (true) {
    if (!self->queue_.empty()) co_return self->dequeue();
    if (self->closing()) {
      // Such a loop would never give way to anybody else.
      constexpr unsigned patience = 5;
      if (++self->asked_after_end_ >= patience)
        throw RuntimeError("WebSocket connection is closed.");
      WSMessage end{.type = self->closed_ ? WSMsgType::closed : WSMsgType::closing};
      co_return end;
    }
    co_await wait_for_message(self, timeout);
  }
}

Coro<> WebSocketConnection::send(std::shared_ptr<WebSocketConnection> self, WSMsgType type,
                                 std::string_view data, std::optional<bool> compress) {
  if (self->closing() || self->lost_ || self->transport_->is_closing()) {
    throw_oserror(ECONNRESET, "writing to a WebSocket that is closed");
  }
  std::string out;
  if (type == WSMsgType::text || type == WSMsgType::binary) {
    self->writer_.message(out, type, data,
                          compress.value_or(data.size() >= self->settings_.min_size));
  } else {
    self->writer_.control(out, type, data);
  }
  self->transport_->write(std::move(out));
  while (self->writing_paused_ && !self->closed_ && !self->lost_) {
    const Future<> mine = get_running_loop().create_future<>();
    self->writers_.push_back(mine);
    co_await mine;
  }
  if (self->lost_) throw_oserror(ECONNRESET, "writing to a WebSocket");
}

Coro<bool> WebSocketConnection::close(std::shared_ptr<WebSocketConnection> self, int code,
                                      std::string reason) {
  constexpr std::size_t most_of_reason = 123;
  if (!is_close_code(code)) throw ValueError("no close code: " + std::to_string(code));
  if (reason.size() > most_of_reason || !is_utf8(reason)) {
    throw ValueError("the reason of a close is UTF-8 of at most 123 bytes");
  }
  if (self->closed_) co_return false;
  self->begin_close(code, reason);
  while (!self->closed_) {
    const Future<> mine = get_running_loop().create_future<>();
    self->closers_.push_back(mine);
    co_await mine;
  }
  co_return true;
}

}  // namespace brio::http::detail
