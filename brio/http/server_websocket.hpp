// WebSockets on the server (aiohttp.web.WebSocketResponse).
//
//     Coro<Response> handler(Request& request) {
//       WebSocketResponse ws;
//       co_await ws.prepare(request);
//       while (auto message = co_await ws.next()) {
//         if (message->type == WSMsgType::text) co_await ws.send_str("got " + message->data);
//       }
//       co_return ws;
//     }
#pragma once

#include <brio/http/server_request.hpp>
#include <brio/http/server_response.hpp>
#include <brio/http/websocket.hpp>
#include <brio/http/websocket_handshake.hpp>

#include <functional>
#include <string>
#include <vector>

namespace brio::http {

/// Keyword arguments of WebSocketResponse.
struct WebSocketOptions {
  /// How long close() waits for the client's close frame, and for the client to hang up.
  Duration timeout = std::chrono::seconds(10);
  /// Default of receive()'s timeout; nothing: wait for ever.
  std::optional<Duration> receive_timeout = std::nullopt;
  /// Answer the client's close frame, once receive() has come to it.
  bool autoclose = true;
  /// Answer pings, at once.
  bool autoping = true;
  /// Send a ping when nothing has come for so long; end the connection when nothing comes for half
  /// of it after that.
  std::optional<Duration> heartbeat = std::nullopt;
  /// Subprotocols that can be spoken. The first one of the client's that is among them is chosen.
  std::vector<std::string> protocols = {};
  /// permessage-deflate, where the client offers it; nothing: never.
  std::optional<WSDeflateOptions> compress = WSDeflateOptions{};
  /// Largest message, decompressed; 0 for any. A larger one closes with 1009.
  std::uint64_t max_msg_size = std::uint64_t(4) << 20;
  /// Largest frame on the wire; 0 for any.
  std::uint64_t max_frame_size = 0;
  /// Origins that may connect beside the server's own, as browsers write them
  /// ("https://example.com"); "*" for all.
  ///
  /// A page of any site can have a browser open a WebSocket here, with the user's cookies, and read
  /// from it (cross-site WebSocket hijacking): neither CORS nor the same-origin policy hold for
  /// WebSockets. So a request with an Origin of another host is refused. A client that is no
  /// browser sends none, and is let in.
  std::vector<std::string> origins = {};
  /// Decides instead of `origins`, also about requests without Origin: true lets in.
  std::function<bool(const Request&)> check_origin = {};
};

/// A WebSocket that a handler answers with. When the server shuts down it is closed with 1001.
class BRIO_API WebSocketResponse : public WebSocket {
public:
  explicit WebSocketResponse(WebSocketOptions options = {});
  WebSocketResponse(WebSocketResponse&&) noexcept = default;
  WebSocketResponse& operator=(WebSocketResponse&&) noexcept = default;
  ~WebSocketResponse();

  /// Fields of the answer beside those of the handshake; of use before prepare.
  [[nodiscard]] Headers& headers() noexcept { return headers_; }
  /// Whether prepare would succeed, as far as the request's head tells.
  [[nodiscard]] bool can_prepare(const Request& request) const;
  /// Answers the handshake (RFC 6455 §4.2). Throws HTTPException for what is none: 405 for a method
  /// other than GET, 426 for another version than 13, 403 for an origin that may not connect, 400
  /// else; RuntimeError where a response has begun already.
  Coro<> prepare(Request& request);

  /// What the handler returns. Throws RuntimeError before prepare.
  operator Response() const;

private:
  void check(const Request& request) const;
  [[nodiscard]] bool may_connect(const Request& request) const;
  [[nodiscard]] std::string choose_protocol(const Request& request) const;

  WebSocketOptions options_;
  Headers headers_;
};

}  // namespace brio::http
