// What a server's handler answers with (aiohttp.web.Response, StreamResponse, HTTPException).
#pragma once

#include <brio/core/coro.hpp>
#include <brio/http/headers.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace brio::http {

class Request;

namespace detail {
class ServerConnection;
struct FileBody;
}  // namespace detail

/// Keyword arguments of Response.
struct ResponseOptions {
  int status = 200;  ///< 200 to 999
  /// Default: the status's own.
  std::optional<std::string> reason = std::nullopt;
  /// Beside those that the server sets itself (Content-Length, Date, Server, Connection).
  Headers headers = {};
  /// With its charset. Default: "text/plain; charset=utf-8" where there is a body.
  std::string content_type = {};
};

/// How a cookie is set (aiohttp's set_cookie); RFC 6265 §4.1.
struct CookieOptions {
  std::optional<std::string> domain = std::nullopt;                ///< default: the host alone
  std::optional<std::chrono::sys_seconds> expires = std::nullopt;  ///< default: with the session
  std::optional<std::chrono::seconds> max_age = std::nullopt;      ///< likewise
  std::string path = "/";                                          ///< "" leaves it out
  bool secure = false;                                             ///< over TLS only
  bool httponly = false;                                           ///< not for scripts
  std::string samesite = {};  ///< "Strict", "Lax", "None", or "" for none
};

/// An answer that is known as a whole.
class BRIO_API Response {
public:
  /// 200 without a body.
  Response() = default;
  /// `body` with status 200 as text, unless `options` say otherwise. Throws ValueError for a status
  /// outside of 200 to 999, for a reason or content type with a control character.
  Response(std::string body, ResponseOptions options = {});
  Response(std::string_view body, ResponseOptions options = {})
      : Response(std::string(body), std::move(options)) {}
  Response(const char* body, ResponseOptions options = {})
      : Response(std::string(body), std::move(options)) {}
  /// No body.
  Response(ResponseOptions options) : Response(std::string(), std::move(options)) {}
  Response(Response&&) noexcept;
  Response& operator=(Response&&) noexcept;
  ~Response();

  /// The status, 200 unless told.
  [[nodiscard]] int status() const noexcept { return status_; }
  /// Throws ValueError outside of 200 to 999.
  void set_status(int status, std::optional<std::string> reason = std::nullopt);
  /// The reason phrase: what was set, else the status's own.
  [[nodiscard]] std::string_view reason() const noexcept;
  /// Fields beside those that the server sets itself.
  [[nodiscard]] const Headers& headers() const noexcept { return headers_; }
  /// The same, to be changed.
  [[nodiscard]] Headers& headers() noexcept { return headers_; }
  /// The body, where it lies in memory.
  [[nodiscard]] const std::string& body() const noexcept { return body_; }
  /// Puts another body in its place.
  void set_body(std::string body) { body_ = std::move(body); }
  /// See ResponseOptions.
  [[nodiscard]] std::string_view content_type() const noexcept;
  /// Throws ValueError for a control character.
  void set_content_type(std::string type);
  /// Closes the connection behind this response.
  void force_close() noexcept { close_ = true; }

  /// Adds a Set-Cookie. Throws ValueError for a name, value or option that would break it.
  void set_cookie(std::string_view name, std::string_view value, CookieOptions options = {});
  /// Has the client forget a cookie.
  void del_cookie(std::string_view name, std::string_view path = "/");

private:
  friend class detail::ServerConnection;
  friend class StreamResponse;
  friend class WebSocketResponse;
  friend class FileResponse;

  int status_ = 200;
  bool sent_ = false;  // a StreamResponse's: nothing is left to send
  bool close_ = false;
  std::optional<std::string> reason_;
  std::string content_type_;
  std::string body_;
  Headers headers_;
  std::unique_ptr<detail::FileBody> file_;
};

/// `body`, which is JSON already, as application/json.
[[nodiscard]] BRIO_API Response json_response(std::string body, ResponseOptions options = {});

/// An answer that is sent while it is made.
///
///     StreamResponse answer({.content_type = "text/plain"});
///     co_await answer.prepare(request);
///     co_await answer.write("first, ");
///     co_await answer.write_eof("last");
///     co_return answer;
///
/// Without Content-Length it goes in chunks (HTTP/1.0: up to the connection's end).
class BRIO_API StreamResponse {
public:
  explicit StreamResponse(ResponseOptions options = {});
  StreamResponse(StreamResponse&&) noexcept = default;
  StreamResponse& operator=(StreamResponse&&) noexcept = default;
  ~StreamResponse();

  /// See Response; of use before prepare.
  [[nodiscard]] Headers& headers() noexcept { return head_.headers(); }
  /// See Response.
  [[nodiscard]] int status() const noexcept { return head_.status(); }
  /// See Response.
  void set_status(int status, std::optional<std::string> reason = std::nullopt) {
    head_.set_status(status, std::move(reason));
  }
  /// See Response.
  void set_cookie(std::string_view name, std::string_view value, CookieOptions options = {}) {
    head_.set_cookie(name, value, std::move(options));
  }
  /// How long the body will be, exactly; then it is not sent in chunks.
  void set_content_length(std::uint64_t length) { length_ = length; }
  /// Whether prepare was called.
  [[nodiscard]] bool prepared() const noexcept { return connection_ != nullptr; }

  /// Sends the head. Throws RuntimeError when a response to this request has begun already.
  Coro<> prepare(Request& request);
  /// Sends a part of the body, and waits while the client is slow to take what was sent before.
  /// `data` is lent until then. Throws RuntimeError before prepare and after write_eof, ValueError
  /// for more than the declared length, ConnectionResetError where the client has hung up.
  /// Cancellation: the data was taken.
  Coro<> write(std::string_view data);
  /// Sends `data` and ends the body, with `trailers` where it goes in chunks. The server does so
  /// itself, once the handler has returned. Harmless when repeated.
  Coro<> write_eof(std::string_view data = {}, Headers trailers = {});

  /// What the handler returns.
  operator Response() const;

private:
  [[nodiscard]] detail::ServerConnection& connection() const;

  Response head_;
  std::optional<std::uint64_t> length_;
  std::shared_ptr<detail::ServerConnection> connection_;
  std::uint64_t exchange_ = 0;  // which of the connection's
};

/// Throw it in a handler to answer with it (aiohttp.web.HTTPException, FastAPI's HTTPException).
class BRIO_API HTTPException : public std::runtime_error {
public:
  /// The body is `detail`, or "404: Not Found".
  explicit HTTPException(int status, const std::string& detail = {}, Headers headers = {});
  HTTPException(const HTTPException&) = default;
  HTTPException& operator=(const HTTPException&) = default;
  ~HTTPException() override;
  /// The status to answer with.
  [[nodiscard]] int status() const noexcept { return status_; }
  /// Fields to answer with.
  [[nodiscard]] const Headers& headers() const noexcept { return headers_; }
  /// The answer.
  [[nodiscard]] Response response() const;

private:
  int status_;
  Headers headers_;
};

}  // namespace brio::http
