#include <brio/http/websocket.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/logging.hpp>
#include <brio/http/detail/utf8.hpp>
#include <brio/http/detail/websocket_connection.hpp>

#include <utility>

namespace brio::http {

using detail::WebSocketConnection;

WSMessageTypeError::~WSMessageTypeError() = default;

WebSocket& WebSocket::operator=(WebSocket&& other) noexcept {
  if (this != &other) {
    let_go();
    connection_ = std::move(other.connection_);
  }
  return *this;
}

WebSocket::~WebSocket() { let_go(); }

void WebSocket::let_go() noexcept {
  if (!connection_) return;
  try {
    const bool failing = std::uncaught_exceptions() > 0;
    connection_->begin_close(failing ? WSCloseCode::internal_error : WSCloseCode::ok, "");
  } catch (const std::exception& error) {
    log(LogLevel::error, "brio.http", std::string("Error closing a WebSocket: ") + error.what());
  }
  connection_.reset();
}

const std::shared_ptr<WebSocketConnection>& WebSocket::connection() const {
  if (!connection_) throw RuntimeError("Call .prepare() first");
  return connection_;
}

namespace {

using Ref = std::shared_ptr<WebSocketConnection>;

Coro<std::optional<WSMessage>> next_of(Ref connection) {
  WSMessage message = co_await WebSocketConnection::receive(connection, std::nullopt);
  if (message.type == WSMsgType::close || message.type == WSMsgType::closing ||
      message.type == WSMsgType::closed) {
    co_return std::nullopt;
  }
  co_return message;
}

Coro<std::string> data_of(Ref connection, WSMsgType wanted, std::optional<Duration> timeout) {
  WSMessage message = co_await WebSocketConnection::receive(connection, timeout);
  if (message.type != wanted) {
    throw WSMessageTypeError("Received message " + std::to_string(static_cast<int>(message.type)) +
                             " is not " + (wanted == WSMsgType::text ? "text" : "binary"));
  }
  co_return std::move(message.data);
}

}  // namespace

BRIO_CORO_WRAPPER Coro<WSMessage> WebSocket::receive(std::optional<Duration> timeout) {
  return WebSocketConnection::receive(connection(), timeout);
}
BRIO_CORO_WRAPPER Coro<std::optional<WSMessage>> WebSocket::next() { return next_of(connection()); }
BRIO_CORO_WRAPPER Coro<std::string> WebSocket::receive_str(std::optional<Duration> timeout) {
  return data_of(connection(), WSMsgType::text, timeout);
}
BRIO_CORO_WRAPPER Coro<std::string> WebSocket::receive_bytes(std::optional<Duration> timeout) {
  return data_of(connection(), WSMsgType::binary, timeout);
}

BRIO_CORO_WRAPPER Coro<> WebSocket::send_str(std::string_view data, std::optional<bool> compress) {
  if (!detail::is_utf8(data)) throw ValueError("a text message must be UTF-8");
  return WebSocketConnection::send(connection(), WSMsgType::text, data, compress);
}
BRIO_CORO_WRAPPER Coro<> WebSocket::send_bytes(std::string_view data,
                                               std::optional<bool> compress) {
  return WebSocketConnection::send(connection(), WSMsgType::binary, data, compress);
}
BRIO_CORO_WRAPPER Coro<> WebSocket::ping(std::string_view payload) {
  return WebSocketConnection::send(connection(), WSMsgType::ping, payload, false);
}
BRIO_CORO_WRAPPER Coro<> WebSocket::pong(std::string_view payload) {
  return WebSocketConnection::send(connection(), WSMsgType::pong, payload, false);
}
BRIO_CORO_WRAPPER Coro<bool> WebSocket::close(int code, std::string message) {
  return WebSocketConnection::close(connection(), code, std::move(message));
}

bool WebSocket::closed() const noexcept { return !connection_ || connection_->closed(); }
std::optional<int> WebSocket::close_code() const noexcept {
  return closed() && connection_ ? connection_->close_code() : std::nullopt;
}
const std::string& WebSocket::close_reason() const noexcept {
  static const std::string none;
  return connection_ ? connection_->close_reason() : none;
}
std::exception_ptr WebSocket::exception() const noexcept {
  return connection_ ? connection_->exception() : nullptr;
}
const std::string& WebSocket::protocol() const noexcept {
  static const std::string none;
  return connection_ ? connection_->settings().protocol : none;
}
std::optional<WSDeflateParams> WebSocket::compress() const noexcept {
  return connection_ ? connection_->settings().deflate : std::nullopt;
}
std::any WebSocket::get_extra_info(std::string_view name) const {
  return connection_ && connection_->transport() ? connection_->transport()->get_extra_info(name)
                                                 : std::any();
}

}  // namespace brio::http
