// WebSockets, as both sides have them once they are open (RFC 6455).
//
//     while (auto message = co_await ws.next()) {
//       if (message->type == WSMsgType::text) co_await ws.send_str(message->data);
//     }
//
// A server opens one with WebSocketResponse (server_websocket.hpp), a client with
// ClientSession::ws_connect.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/time.hpp>
#include <brio/http/websocket_frames.hpp>

#include <any>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace brio::http {

namespace detail {
class WebSocketConnection;
}  // namespace detail

/// receive_str or receive_bytes met a message of another type (aiohttp.WSMessageTypeError).
class BRIO_API WSMessageTypeError : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
  WSMessageTypeError(const WSMessageTypeError&) = default;
  WSMessageTypeError& operator=(const WSMessageTypeError&) = default;
  ~WSMessageTypeError() override;
};

/// An open WebSocket: what aiohttp's WebSocketResponse and ClientWebSocketResponse have in common.
/// Move-only. An object that goes closes its connection, without waiting: with code 1000, or 1011
/// where an exception takes it away.
///
/// One coroutine may receive while others send. Messages are read ahead, 64 KiB of them; then the
/// peer has to wait (back-pressure).
class BRIO_API WebSocket {
public:
  WebSocket(const WebSocket&) = delete;
  WebSocket& operator=(const WebSocket&) = delete;
  WebSocket(WebSocket&&) noexcept = default;
  WebSocket& operator=(WebSocket&& other) noexcept;

  /// The next message. After the messages comes what ended them: `close` (the peer closes; we have
  /// answered, unless autoclose is off), `error` (the peer broke the protocol or a limit, or did
  /// not answer a heartbeat), `closing` (we close) or `closed`.
  ///
  /// Throws TimeoutError after `timeout` (default: the option receive_timeout), RuntimeError while
  /// another coroutine receives, and when asked time and again behind the end. Cancellation loses
  /// no message.
  [[nodiscard]] Coro<WSMessage> receive(std::optional<Duration> timeout = std::nullopt);
  /// The next message, for loops; nothing once the WebSocket closes (`async for msg in ws`). An
  /// `error` is a message here, the last one. Throws and cancels as receive.
  [[nodiscard]] Coro<std::optional<WSMessage>> next();
  /// The data of the next message. Throws as receive, WSMessageTypeError where it is no text.
  [[nodiscard]] Coro<std::string> receive_str(std::optional<Duration> timeout = std::nullopt);
  /// The data of the next message. Throws as receive, WSMessageTypeError where it is not binary.
  [[nodiscard]] Coro<std::string> receive_bytes(std::optional<Duration> timeout = std::nullopt);

  /// Sends a text message, and waits while the peer is slow to take what was sent before. `data`,
  /// which must be UTF-8, is lent until then. `compress`: whether to; default: where it was agreed
  /// on. Throws ValueError for what is not UTF-8, ConnectionResetError where the WebSocket is
  /// closing or closed. Cancellation: the message was taken, and will be sent.
  Coro<> send_str(std::string_view data, std::optional<bool> compress = std::nullopt);
  /// The same for a binary message.
  Coro<> send_bytes(std::string_view data, std::optional<bool> compress = std::nullopt);
  /// Sends a ping with a payload of at most 125 bytes. The answer is no message, unless autoping is
  /// off. Throws ValueError, ConnectionResetError.
  Coro<> ping(std::string_view payload = {});
  /// Sends a pong that was not asked for. Throws as ping. Pings are answered without it, unless
  /// autoping is off.
  Coro<> pong(std::string_view payload = {});

  /// Closes: sends a close frame and waits for the peer's, for as long as the option for it says
  /// (then close_code() is 1006). What comes before the peer's frame is dropped. False where the
  /// WebSocket was closed already. Throws ValueError for a code or reason (at most 123 bytes) that
  /// cannot be sent. Cancellation: closing goes on by itself.
  Coro<bool> close(int code = WSCloseCode::ok, std::string message = {});

  /// Whether it is closed: by both sides, or by the connection's end.
  [[nodiscard]] bool closed() const noexcept;
  /// The code that the peer closed with; 1006 where none came; nothing as long as it is open.
  [[nodiscard]] std::optional<int> close_code() const noexcept;
  /// The reason that the peer closed with.
  [[nodiscard]] const std::string& close_reason() const noexcept;
  /// What broke the connection; null where nothing did.
  [[nodiscard]] std::exception_ptr exception() const noexcept;
  /// The subprotocol that was agreed on (aiohttp: ws_protocol on the server's side); "" for none.
  [[nodiscard]] const std::string& protocol() const noexcept;
  /// What was agreed on for compression (aiohttp's compress); nothing: none.
  [[nodiscard]] std::optional<WSDeflateParams> compress() const noexcept;
  /// See BaseTransport; empty once the connection is gone.
  [[nodiscard]] std::any get_extra_info(std::string_view name) const;

protected:
  WebSocket() noexcept = default;
  ~WebSocket();

  /// The connection. Throws RuntimeError before it is open.
  [[nodiscard]] const std::shared_ptr<detail::WebSocketConnection>& connection() const;
  std::shared_ptr<detail::WebSocketConnection> connection_;

private:
  void let_go() noexcept;
};

}  // namespace brio::http
