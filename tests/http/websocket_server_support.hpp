// A server's WebSockets in tests: handlers, and a client beside them.
#pragma once

#include "server_support.hpp"
#include "websocket_support.hpp"

#include <brio/core/sleep.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/http/client.hpp>
#include <brio/http/server_websocket.hpp>
#include <brio/sync/event.hpp>

namespace brio::tests {

using namespace std::chrono_literals;
using http::Request;
using http::Response;
using http::WebSocketOptions;
using http::WebSocketResponse;
using http::WSMessage;
using http::WSMsgType;

inline const std::string upgrade_fields =
    "Host: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
inline const std::string upgrade = "GET /chat HTTP/1.1\r\n" + upgrade_fields + "\r\n";
inline const std::string accepted =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

// A handler whose WebSocket is given to `use`.
inline http::Handler websocket(std::function<Coro<>(WebSocketResponse&)> use,
                               WebSocketOptions options = {}) {
  return [use = std::move(use), options](Request& request) -> Coro<Response> {
    WebSocketResponse ws(options);
    co_await ws.prepare(request);
    co_await use(ws);
    co_return ws;
  };
}

inline Coro<> echo(WebSocketResponse& ws) {
  while (auto message = co_await ws.next()) {
    if (message->type == WSMsgType::text) co_await ws.send_str(message->data);
    if (message->type == WSMsgType::binary) co_await ws.send_bytes(message->data);
  }
}

// The bytes that a server answers with behind its 101, up to the end of the connection.
inline std::string frames_for(http::Handler handler, const std::string& sent) {
  const std::string all = answer_to(std::move(handler), upgrade + sent, {.server_header = ""});
  REQUIRE(all.starts_with(accepted));
  return all.substr(all.find("\r\n\r\n") + 4);
}

inline std::string url_of(const http::Server& server) {
  return "ws://127.0.0.1:" + std::to_string(server.port()) + "/";
}

// Runs `body(session, url)` against a server with `handler`.
inline void with_client(http::Handler handler,
                        std::function<Coro<>(http::ClientSession&, std::string)> body) {
  with_http_server(std::move(handler), {}, [&](http::Server& server) -> Coro<> {
    http::ClientSession session;
    auto outcome = co_await as_outcome(body(session, url_of(server)));
    co_await session.close();
    outcome.raise();
  });
}

template <class T>
Coro<std::string> error_of(Coro<T> what) {
  const auto outcome = co_await as_outcome(std::move(what));
  co_return outcome.has_value() ? "" : describe(outcome.error());
}

}  // namespace brio::tests
