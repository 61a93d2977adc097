#include <brio/http/server_websocket.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/http/detail/file_body.hpp>
#include <brio/http/detail/server_connection.hpp>
#include <brio/http/detail/websocket_connection.hpp>

#include <algorithm>
#include <utility>

namespace brio::http {

WebSocketResponse::WebSocketResponse(WebSocketOptions options) : options_(std::move(options)) {}
WebSocketResponse::~WebSocketResponse() = default;

bool WebSocketResponse::can_prepare(const Request& request) const {
  try {
    check(request);
    return true;
  } catch (const HTTPException&) {
    return false;
  }
}

void WebSocketResponse::check(const Request& request) const {
  const Headers& fields = request.headers();
  if (request.method() != "GET") {
    throw HTTPException(405, "a WebSocket begins with GET", {{"Allow", "GET"}});
  }
  if (request.version() < HttpVersion{1, 1}) {
    throw HTTPException(400, "a WebSocket needs HTTP/1.1");
  }
  if (!fields.has_token("Upgrade", "websocket") || !fields.has_token("Connection", "Upgrade")) {
    throw HTTPException(426, "this is a WebSocket",
                        {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}});
  }
  if (fields.getall("Sec-WebSocket-Version") != std::vector<std::string_view>{"13"}) {
    throw HTTPException(426, "unsupported version of WebSocket",
                        {{"Upgrade", "websocket"}, {"Sec-WebSocket-Version", "13"}});
  }
  const auto keys = fields.getall("Sec-WebSocket-Key");
  if (keys.size() != 1 || !is_websocket_key(keys.front())) {
    throw HTTPException(400, "invalid Sec-WebSocket-Key");
  }
  // Behind the head come frames; nobody could tell a body from them.
  if (request.can_read_body()) throw HTTPException(400, "a WebSocket begins without a body");
  if (!may_connect(request)) throw HTTPException(403, "this origin may not connect");
}

bool WebSocketResponse::may_connect(const Request& request) const {
  if (options_.check_origin) return options_.check_origin(request);
  const auto origins = request.headers().getall("Origin");
  if (origins.empty()) return true;
  const std::string_view origin = origins.front();
  const auto is_allowed = [&](const std::string& allowed) {
    return allowed == "*" || iequals(allowed, origin);
  };
  return origins.size() == 1 &&
         (is_same_origin(origin, request.host(), request.secure()) ||
          std::any_of(options_.origins.begin(), options_.origins.end(), is_allowed));
}

std::string WebSocketResponse::choose_protocol(const Request& request) const {
  const auto& ours = options_.protocols;
  for (auto& offered : list_of_tokens(request.headers(), "Sec-WebSocket-Protocol")) {
    if (std::find(ours.begin(), ours.end(), offered) != ours.end()) return std::move(offered);
  }
  return {};
}

// A coroutine for the sake of those who await it, as in aiohttp: nothing is waited for.
Coro<> WebSocketResponse::prepare(Request& request) {
  if (connection_) throw RuntimeError("prepare was called already");
  check(request);
  detail::WebSocketSettings settings{
      .limits = {.max_msg_size = options_.max_msg_size, .max_frame_size = options_.max_frame_size},
      .close_timeout = options_.timeout,
      .receive_timeout = options_.receive_timeout,
      .heartbeat = options_.heartbeat,
      .autoping = options_.autoping,
      .autoclose = options_.autoclose,
      .protocol = choose_protocol(request)};
  Headers fields{
      {"Upgrade", "websocket"},
      {"Connection", "Upgrade"},
      {"Sec-WebSocket-Accept", websocket_accept(request.headers().at("Sec-WebSocket-Key"))}};
  if (!settings.protocol.empty()) fields.add("Sec-WebSocket-Protocol", settings.protocol);
  if (options_.compress) {
    std::optional<DeflateAnswer> answer;
    try {
      answer = answer_deflate(request.headers(), *options_.compress);
    } catch (const ValueError& error) {
      throw HTTPException(400, error.what());
    }
    if (answer) {
      fields.add("Sec-WebSocket-Extensions", answer->field);
      settings.deflate = answer->params;
      settings.level = options_.compress->level;
      settings.mem_level = options_.compress->mem_level;
      settings.min_size = options_.compress->min_size;
    }
  }
  fields.extend(headers_);
  auto connection = std::make_shared<detail::WebSocketConnection>(std::move(settings));
  request.connection_->upgrade(fields, connection, [connection] {
    connection->begin_close(WSCloseCode::going_away, "the server stops");
  });
  connection_ = std::move(connection);
  co_return;
}

WebSocketResponse::operator Response() const {
  static_cast<void>(connection());
  Response response;
  response.sent_ = true;
  return response;
}

}  // namespace brio::http
