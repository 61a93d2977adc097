// WebSockets on the client (aiohttp.ClientWebSocketResponse).
//
//     auto ws = co_await session.ws_connect("wss://example.com/chat");
//     co_await ws.send_str("hello");
//     while (auto message = co_await ws.next()) use(message->data);
//     co_await ws.close();
#pragma once

#include <brio/http/message.hpp>
#include <brio/http/websocket.hpp>
#include <brio/http/websocket_handshake.hpp>

#include <memory>

namespace brio::http {

class ClientSession;

/// A WebSocket that ClientSession::ws_connect has opened.
class BRIO_API ClientWebSocketResponse : public WebSocket {
public:
  ClientWebSocketResponse(ClientWebSocketResponse&&) noexcept = default;
  ClientWebSocketResponse& operator=(ClientWebSocketResponse&&) noexcept = default;
  ~ClientWebSocketResponse();

  /// The server's answer to the handshake.
  [[nodiscard]] const ResponseHead& head() const noexcept { return head_; }

private:
  friend class ClientSession;
  ClientWebSocketResponse(std::shared_ptr<detail::WebSocketConnection> connection,
                          ResponseHead head);

  ResponseHead head_;
};

}  // namespace brio::http
