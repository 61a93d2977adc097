// The HTTP client: ClientSession and ClientResponse, shaped like aiohttp's.
//
//     brio::http::ClientSession session;
//     auto response = co_await session.get("https://example.com/");
//     response.raise_for_status();
//     std::string text = co_await response.text();
//     co_await session.close();
#pragma once

#include <brio/core/async_generator.hpp>
#include <brio/core/coro.hpp>
#include <brio/core/outcome.hpp>
#include <brio/http/client_websocket.hpp>
#include <brio/http/connector.hpp>
#include <brio/http/content_coding.hpp>
#include <brio/http/cookies.hpp>
#include <brio/http/response.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace brio::http {

namespace detail {
class SessionState;
}  // namespace detail

/// A request's body (aiohttp's `data=`): bytes, or a stream of them.
class BRIO_API RequestBody {
public:
  /// Makes the stream, once for each time that it is sent: a redirect or a retry asks again.
  using Stream = std::function<AsyncGenerator<std::string>()>;

  /// No body.
  RequestBody() = default;
  /// Bytes, sent with their length.
  RequestBody(std::string bytes) : bytes_(std::move(bytes)), present_(true) {}
  RequestBody(const char* bytes) : RequestBody(std::string(bytes)) {}
  /// A stream; sent in chunks where its length is not told. `length` bytes exactly must come.
  static RequestBody stream(Stream make, std::optional<std::uint64_t> length = std::nullopt);

  /// Whether there is a body, be it empty.
  [[nodiscard]] bool present() const noexcept { return present_; }
  /// Its length, where it is known.
  [[nodiscard]] std::optional<std::uint64_t> length() const noexcept {
    return stream_ ? length_ : bytes_.size();
  }
  /// The bytes; empty for a stream.
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
  /// What makes the stream; empty for bytes.
  [[nodiscard]] const Stream& stream_factory() const noexcept { return stream_; }

private:
  std::string bytes_;
  Stream stream_;
  std::optional<std::uint64_t> length_;
  bool present_ = false;
};

/// A URL in either form (aiohttp's StrOrURL).
class BRIO_API StrOrURL {
public:
  StrOrURL(const char* text) : text_(text) {}
  StrOrURL(std::string text) : text_(std::move(text)) {}
  StrOrURL(std::string_view text) : text_(text) {}
  StrOrURL(const URL& url) : text_(url.str()) {}
  /// The URL as text; may be relative, for a session with a base URL.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
  std::string text_;
};

/// User name and password for `Authorization: Basic` (aiohttp.BasicAuth).
struct BasicAuth {
  std::string login;          ///< must not hold a ':'
  std::string password = {};  ///< sent in the clear but for TLS
  /// The field's value. Throws ValueError for a ':' in the login.
  [[nodiscard]] std::string encode() const;
};

/// Keyword arguments of ClientSession::request and its kin.
struct RequestOptions {
  /// Appended to the URL's query.
  std::vector<std::pair<std::string, std::string>> params = {};
  /// Replace the session's fields of the same names.
  Headers headers = {};
  /// Sent beside those of the session's jar, and in place of those of the same names; for this
  /// request and redirects of the same origin.
  Pairs cookies = {};
  /// The body.
  RequestBody data = {};
  /// Default: the session's, or what the URL holds before its '@'.
  std::optional<BasicAuth> auth = std::nullopt;
  /// Follow redirects; HEAD does not unless told.
  std::optional<bool> allow_redirects = std::nullopt;
  /// How many; then TooManyRedirects.
  int max_redirects = 10;
  /// Default: the session's.
  std::optional<ClientTimeout> timeout = std::nullopt;
  /// Throw ClientResponseError for a status of 400 or above. Default: as the session.
  std::optional<bool> raise_for_status = std::nullopt;
  /// Undo gzip and deflate. Default: as the session.
  std::optional<bool> auto_decompress = std::nullopt;
  /// TLS settings for this request; default: the connector's.
  std::shared_ptr<const net::TLSContext> ssl = nullptr;
};

/// Keyword arguments of ClientSession::ws_connect.
struct WSConnectOptions {
  /// Subprotocols to offer, the dearest first.
  std::vector<std::string> protocols = {};
  /// How long close() waits for the server's close frame, and for it to hang up (aiohttp's
  /// ClientWSTimeout.ws_close).
  Duration ws_close = std::chrono::seconds(10);
  /// Default of receive()'s timeout (ws_receive); nothing: wait for ever.
  std::optional<Duration> ws_receive = std::nullopt;
  /// Answer the server's close frame, once receive() has come to it.
  bool autoclose = true;
  /// Answer pings, at once.
  bool autoping = true;
  /// Send a ping when nothing has come for so long; end the connection when nothing comes for half
  /// of it after that.
  std::optional<Duration> heartbeat = std::nullopt;
  /// The Origin field; browsers send theirs always, other clients none.
  std::string origin = {};
  /// Appended to the URL's query.
  std::vector<std::pair<std::string, std::string>> params = {};
  /// Replace the session's fields of the same names.
  Headers headers = {};
  /// As RequestOptions::auth.
  std::optional<BasicAuth> auth = std::nullopt;
  /// As RequestOptions::timeout; for the handshake alone.
  std::optional<ClientTimeout> timeout = std::nullopt;
  /// As RequestOptions::ssl.
  std::shared_ptr<const net::TLSContext> ssl = nullptr;
  /// permessage-deflate to offer; nothing: none (aiohttp's compress=0).
  std::optional<WSDeflateOptions> compress = std::nullopt;
  /// Largest message, decompressed; 0 for any. A larger one closes with 1009.
  std::uint64_t max_msg_size = std::uint64_t(4) << 20;
  /// Largest frame on the wire; 0 for any.
  std::uint64_t max_frame_size = 0;
};

/// Keyword arguments of ClientSession.
struct ClientSessionOptions {
  /// Default: a TCPConnector of its own.
  std::shared_ptr<BaseConnector> connector = nullptr;
  /// Whether close() closes the connector.
  bool connector_owner = true;
  /// Keeps what servers set, and says what goes with a request. Default: a jar of its own; one with
  /// max_cookies = 0 keeps none (aiohttp.DummyCookieJar). May be shared by sessions of one loop.
  std::shared_ptr<CookieJar> cookie_jar = nullptr;
  /// What relative URLs are resolved against.
  std::optional<URL> base_url = std::nullopt;
  /// Sent with each request.
  Headers headers = {};
  /// Credentials for each request to the first origin of its chain of redirects.
  std::optional<BasicAuth> auth = std::nullopt;
  /// See there.
  ClientTimeout timeout = {};
  /// Throw for a status of 400 or above.
  bool raise_for_status = false;
  /// Undo gzip and deflate, and ask for them.
  bool auto_decompress = true;
  /// Limits on what decoding may cost.
  DecoderLimits decoder_limits = {};
  /// Most bytes that read() and text() collect; a larger body can be streamed.
  std::uint64_t max_read_size = std::uint64_t(1) << 30;
};

/// Requests that share connections, headers and settings (aiohttp.ClientSession). Belongs to the
/// loop that it is first used on. close() it; an object that goes without closes what is open.
class BRIO_API ClientSession {
public:
  explicit ClientSession(ClientSessionOptions options = {});
  ClientSession(ClientSession&&) noexcept = default;
  ClientSession& operator=(ClientSession&&) noexcept = default;
  ~ClientSession();

  /// Sends a request and gives the response once its head is there.
  ///
  /// Throws InvalidURL, ClientConnectorError and its kin, ServerDisconnectedError, ClientOSError,
  /// BadHttpMessage, TooManyRedirects, TimeoutError and its kin, ClientResponseError with
  /// raise_for_status, ValueError for a request that cannot be sent, RuntimeError once closed. A
  /// connection that the server had closed while it was idle is replaced once, for an idempotent
  /// method, when nothing of the response had come. Cancellation cuts the connection in use.
  [[nodiscard]] Coro<ClientResponse> request(std::string method, StrOrURL url,
                                             RequestOptions options = {}) const;
  /// GET
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<ClientResponse> get(StrOrURL url,
                                                           RequestOptions options = {}) const {
    return request("GET", std::move(url), std::move(options));
  }
  /// HEAD; does not follow redirects unless told.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<ClientResponse> head(StrOrURL url,
                                                            RequestOptions options = {}) const {
    return request("HEAD", std::move(url), std::move(options));
  }
  /// OPTIONS
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<ClientResponse> options(StrOrURL url,
                                                               RequestOptions options = {}) const {
    return request("OPTIONS", std::move(url), std::move(options));
  }
  /// POST
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<ClientResponse> post(StrOrURL url,
                                                            RequestOptions options = {}) const {
    return request("POST", std::move(url), std::move(options));
  }
  /// PUT
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<ClientResponse> put(StrOrURL url,
                                                           RequestOptions options = {}) const {
    return request("PUT", std::move(url), std::move(options));
  }
  /// PATCH
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<ClientResponse> patch(StrOrURL url,
                                                             RequestOptions options = {}) const {
    return request("PATCH", std::move(url), std::move(options));
  }
  /// DELETE, which C++ keeps for itself: Python's `session.delete`.
  [[nodiscard]] BRIO_CORO_WRAPPER Coro<ClientResponse> delete_(StrOrURL url,
                                                               RequestOptions options = {}) const {
    return request("DELETE", std::move(url), std::move(options));
  }

  /// Opens a WebSocket; `url` may begin with ws:, wss:, http: or https:, and redirects are
  /// followed. The connection counts for the connector's limits, and closes with it.
  ///
  /// Throws as request, WSServerHandshakeError where the server does not agree, or not to what was
  /// offered. Cancellation cuts the connection.
  [[nodiscard]] Coro<ClientWebSocketResponse> ws_connect(StrOrURL url,
                                                         WSConnectOptions options = {}) const;

  /// Closes the connector, if it is the session's own, and refuses further requests. Responses
  /// still being read fail. Harmless when repeated.
  Coro<> close() const;
  /// Its cookies.
  [[nodiscard]] const std::shared_ptr<CookieJar>& cookie_jar() const noexcept;
  /// Whether close() was called.
  [[nodiscard]] bool closed() const noexcept;
  /// Where its connections come from.
  [[nodiscard]] const std::shared_ptr<BaseConnector>& connector() const noexcept;

private:
  static Coro<ClientWebSocketResponse> open_websocket(std::shared_ptr<detail::SessionState> state,
                                                      std::string url, WSConnectOptions options);
  explicit ClientSession(std::shared_ptr<detail::SessionState> state) : state_(std::move(state)) {}
  std::shared_ptr<detail::SessionState> state_;
};

/// Runs `body(ClientSession&)` and closes the session after it, whatever came: Python's
/// `async with aiohttp.ClientSession() as session`.
template <class F>
auto with_session(ClientSessionOptions options, F body)
    -> decltype(body(std::declval<ClientSession&>())) {
  ClientSession session(std::move(options));
  auto outcome = co_await as_outcome(body(session));
  co_await session.close();
  co_return std::move(outcome).value();
}

}  // namespace brio::http
