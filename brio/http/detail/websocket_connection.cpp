#include <brio/http/detail/websocket_connection.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/loop.hpp>

#include <utility>

namespace brio::http::detail {
namespace {

WebSocketReader::Options reader_options(const WebSocketSettings& settings) {
  return {.server = !settings.client, .limits = settings.limits, .deflate = settings.deflate};
}
WebSocketWriter::Options writer_options(const WebSocketSettings& settings) {
  return {.client = settings.client,
          .deflate = settings.deflate,
          .level = settings.level,
          .mem_level = settings.mem_level};
}

}  // namespace

WebSocketConnection::WebSocketConnection(WebSocketSettings settings)
    : settings_(std::move(settings)),
      reader_(reader_options(settings_)),
      writer_(writer_options(settings_)) {}

// ---- what the transport tells

void WebSocketConnection::connection_made(std::shared_ptr<Transport> transport) {
  transport_ = std::move(transport);
  if (!settings_.heartbeat) return;
  heard_ = now();
  beat();
}

void WebSocketConnection::data_received(std::string_view data) {
  if (settings_.heartbeat) heard_ = now();
  if (closed_ || ending_) return;  // nothing counts behind the end
  if (unparsed_.empty()) return parse(data);
  unparsed_ += data;
}

bool WebSocketConnection::eof_received() {
  eof_ = true;
  // The peer has said all; our answers may still reach it.
  if (ending_ && !closed_) return true;
  if (!closed_) finish(WSCloseCode::abnormal_closure, {});
  return false;
}

void WebSocketConnection::connection_lost(std::exception_ptr error) {
  lost_ = true;
  heartbeat_timer_.cancel();
  if (!closed_) {
    if (!error_) error_ = std::move(error);
    finish(close_code_.value_or(WSCloseCode::abnormal_closure), std::move(close_reason_));
  }
  close_timer_.cancel();
  wake_all(writers_);
  transport_.reset();
  held_.reset();
}

void WebSocketConnection::resume_writing() {
  writing_paused_ = false;
  if (pong_due_) write_pong(*std::exchange(pong_due_, std::nullopt));
  wake_all(writers_);
}

// ---- messages that come

void WebSocketConnection::parse(std::string_view data) {
  try {
    while (!ending_ && !full()) {
      auto message = reader_.feed(data);
      if (!message) break;
      take(std::move(*message));
      // Our own close frame went out in the meantime, and theirs has come.
      if (closed_ && !lost_) return;
    }
  } catch (const WebSocketError& error) {
    data = {};
    enqueue_end({.type = WSMsgType::error,
                 .extra = error.what(),
                 .code = error.code(),
                 .error = std::current_exception()});
  }
  if (ending_ || data.empty()) return;
  unparsed_.assign(data);
  pause_reading();
}

// The queue has room again.
void WebSocketConnection::parse_more() {
  if (full() || ending_) return;
  if (!unparsed_.empty()) {
    const std::string data = std::exchange(unparsed_, {});
    parse(data);
  }
  if (unparsed_.empty() && queued_ <= high_water / 4) resume_reading();
}

void WebSocketConnection::take(WSMessage message) {
  switch (message.type) {
    case WSMsgType::ping:
      if (!settings_.autoping) return enqueue(std::move(message));
      if (!closing()) write_pong(message.data);
      break;
    case WSMsgType::pong:
      if (!settings_.autoping) enqueue(std::move(message));
      break;
    case WSMsgType::close:
      if (close_sent_) {
        finish(message.code, std::move(message.extra));
      } else {
        enqueue_end(std::move(message));
      }
      break;
    default:
      // Behind our close frame nobody waits for it any more.
      if (!close_sent_) enqueue(std::move(message));
      break;
  }
}

void WebSocketConnection::enqueue(WSMessage message) {
  queued_ += message.data.size() + overhead;
  queue_.push_back(std::move(message));
  if (full()) pause_reading();
  wake_receiver();
}

void WebSocketConnection::enqueue_end(WSMessage message) {
  ending_ = true;
  if (close_sent_) {
    // A fault instead of the close frame that we wait for.
    error_ = message.error;
    return finish(WSCloseCode::abnormal_closure, {});
  }
  if (message.type == WSMsgType::close) {
    close_code_ = message.code;
    close_reason_ = message.extra;
  }
  arm(settings_.close_timeout, &WebSocketConnection::close_timed_out);
  queued_ += overhead;
  queue_.push_back(std::move(message));
  wake_receiver();
}

WSMessage WebSocketConnection::dequeue() {
  WSMessage message = std::move(queue_.front());
  queue_.pop_front();
  queued_ -= message.data.size() + overhead;
  if (message.type == WSMsgType::close || message.type == WSMsgType::error) {
    if (message.type == WSMsgType::error || settings_.autoclose) answer_end(message);
  } else if (queued_ <= high_water / 4) {
    parse_more();
  }
  return message;
}

// The peer's close frame, or its fault, is reached.
void WebSocketConnection::answer_end(const WSMessage& message) {
  if (closed_) return;
  if (message.type == WSMsgType::error) error_ = message.error;
  write_close(message.code, message.type == WSMsgType::error ? message.extra : "");
  finish(message.code, message.extra);
}

bool WebSocketConnection::answer_queued_end() {
  if (!ending_ || queue_.empty()) return false;
  const WSMessage end = queue_.back();
  if (end.type != WSMsgType::close && end.type != WSMsgType::error) return false;
  answer_end(end);
  return true;
}

void WebSocketConnection::pause_reading() {
  if (reading_paused_ || lost_) return;
  reading_paused_ = true;
  transport_->pause_reading();
}

void WebSocketConnection::resume_reading() {
  if (!std::exchange(reading_paused_, false) || lost_) return;
  // Silence that we made ourselves is not the peer's.
  if (settings_.heartbeat) heard_ = now();
  transport_->resume_reading();
}

// ---- the end

void WebSocketConnection::write_close(int code, std::string_view reason) {
  if (std::exchange(close_sent_, true) || lost_ || transport_->is_closing()) return;
  constexpr std::size_t most_of_reason = 123;
  std::string out;
  writer_.close(out, code, reason.substr(0, most_of_reason));
  transport_->write(std::move(out));
}

void WebSocketConnection::begin_close(int code, std::string_view reason) {
  if (closing() || answer_queued_end()) return;
  write_close(code, reason);
  if (ending_) return finish(close_code_.value_or(code), close_reason_);
  // From here on only the peer's close frame is of interest, so nothing may hold it up.
  arm(settings_.close_timeout, &WebSocketConnection::close_timed_out);
  wake_receiver();
  parse_more();
  if (!closed_) resume_reading();
}

void WebSocketConnection::finish(int code, std::string reason) {
  closed_ = true;
  close_code_ = code;
  close_reason_ = std::move(reason);
  heartbeat_timer_.cancel();
  wake_receiver();
  wake_all(closers_);
  wake_all(writers_);
  linger();
}

// The transport's end. What the peer still sends is read and dropped: to close a socket with bytes
// unread would reset it, and our close frame might never arrive.
void WebSocketConnection::linger() {
  close_timer_.cancel();
  if (lost_ || transport_->is_closing()) return;
  if (eof_ || !close_sent_) return transport_->close();
  arm(settings_.close_timeout, &WebSocketConnection::hang_up);
  if (!settings_.client) {
    if (!transport_->can_write_eof()) return transport_->close();
    transport_->write_eof();
  }
  resume_reading();
}

void WebSocketConnection::arm(Duration delay, void (WebSocketConnection::*then)()) {
  close_timer_.cancel();
  if (lost_) return;
  // The transport keeps this alive as long as it calls, and takes the timer away when it is lost.
  close_timer_ = transport_->get_loop().call_later(delay, [this, then] { (this->*then)(); });
}

void WebSocketConnection::close_timed_out() {
  if (closed_) return;
  // Nobody has come to receive what ends the messages, or, with autoclose off, to close.
  if (ending_ && !close_sent_) return begin_close(WSCloseCode::ok, "");
  error_ = std::make_exception_ptr(TimeoutError("the peer did not answer the close frame"));
  finish(WSCloseCode::abnormal_closure, {});
  hang_up();
}

void WebSocketConnection::hang_up() {
  if (!lost_) transport_->abort();
}

}  // namespace brio::http::detail
