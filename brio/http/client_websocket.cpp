#include <brio/http/client_websocket.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/http/client.hpp>
#include <brio/http/detail/response_state.hpp>
#include <brio/http/detail/websocket_connection.hpp>

#include <algorithm>
#include <utility>

namespace brio::http {
namespace {

// "wss://host" as "https://host": the same hosts, ports and paths (RFC 6455 §3).
std::string http_url(std::string url) {
  const std::string_view scheme = std::string_view(url).substr(0, url.find(':'));
  if (iequals(scheme, "ws") || iequals(scheme, "wss")) url.replace(0, 2, "http");
  return url;
}

Headers handshake(const WSConnectOptions& options, const std::string& key) {
  Headers fields = options.headers;
  fields.set("Upgrade", "websocket");
  fields.set("Connection", "Upgrade");
  fields.set("Sec-WebSocket-Version", "13");
  fields.set("Sec-WebSocket-Key", key);
  std::string protocols;
  for (const std::string& protocol : options.protocols) {
    if (!is_token(protocol)) throw ValueError("invalid subprotocol '" + protocol + "'");
    protocols += (protocols.empty() ? "" : ", ") + protocol;
  }
  if (!protocols.empty()) fields.set("Sec-WebSocket-Protocol", protocols);
  if (!options.origin.empty()) fields.set("Origin", options.origin);
  if (options.compress) fields.set("Sec-WebSocket-Extensions", offer_deflate(*options.compress));
  return fields;
}

// What the server's answer agrees on (RFC 6455 §4.1). Throws ValueError.
detail::WebSocketSettings agree(const ClientResponse& response, const WSConnectOptions& options,
                                const std::string& key) {
  const Headers& fields = response.headers();
  if (response.status() != 101) throw ValueError("Invalid response status");
  if (!fields.has_token("Upgrade", "websocket")) throw ValueError("Invalid upgrade header");
  if (!fields.has_token("Connection", "Upgrade")) throw ValueError("Invalid connection header");
  const auto accepts = fields.getall("Sec-WebSocket-Accept");
  if (accepts.size() != 1 || accepts.front() != websocket_accept(key)) {
    throw ValueError("Invalid challenge response");
  }
  const auto chosen = fields.getall("Sec-WebSocket-Protocol");
  const bool offered =
      chosen.size() == 1 && std::find(options.protocols.begin(), options.protocols.end(),
                                      chosen.front()) != options.protocols.end();
  if (!chosen.empty() && !offered) throw ValueError("Invalid subprotocol");
  const WSDeflateOptions deflate = options.compress.value_or(WSDeflateOptions{});
  return {
      .client = true,
      .limits = {.max_msg_size = options.max_msg_size, .max_frame_size = options.max_frame_size},
      .deflate = agree_deflate(fields, options.compress),
      .level = deflate.level,
      .mem_level = deflate.mem_level,
      .min_size = deflate.min_size,
      .close_timeout = options.ws_close,
      .receive_timeout = options.ws_receive,
      .heartbeat = options.heartbeat,
      .autoping = options.autoping,
      .autoclose = options.autoclose,
      .protocol = std::string(chosen.empty() ? std::string_view() : chosen.front())};
}

}  // namespace

ClientWebSocketResponse::ClientWebSocketResponse(
    std::shared_ptr<detail::WebSocketConnection> connection, ResponseHead head)
    : head_(std::move(head)) {
  connection_ = std::move(connection);
}
ClientWebSocketResponse::~ClientWebSocketResponse() = default;

BRIO_CORO_WRAPPER Coro<ClientWebSocketResponse> ClientSession::ws_connect(
    StrOrURL url, WSConnectOptions options) const {
  return open_websocket(state_, http_url(url.text()), std::move(options));
}

Coro<ClientWebSocketResponse> ClientSession::open_websocket(
    std::shared_ptr<detail::SessionState> state, std::string url, WSConnectOptions options) {
  const ClientSession session(std::move(state));
  const std::string key = websocket_key();
  RequestOptions request{.params = options.params,
                         .headers = handshake(options, key),
                         .auth = options.auth,
                         .timeout = options.timeout,
                         .raise_for_status = false,
                         .ssl = options.ssl};
  const ClientResponse response = co_await session.get(std::move(url), std::move(request));
  detail::WebSocketSettings settings;
  try {
    settings = agree(response, options, key);
  } catch (const ValueError& error) {
    throw WSServerHandshakeError(response.url().str(), response.status(), error.what(),
                                 response.headers());
  }
  auto connection = std::make_shared<detail::WebSocketConnection>(std::move(settings));
  connection->hold(response.state_->upgrade(connection));
  ClientWebSocketResponse ws(std::move(connection), response.head());
  co_return ws;
}

}  // namespace brio::http
