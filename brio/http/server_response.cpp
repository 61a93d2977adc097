#include <brio/http/server_response.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/http/detail/file_body.hpp>
#include <brio/http/detail/server_connection.hpp>
#include <brio/http/fields.hpp>
#include <brio/http/message.hpp>

#include <algorithm>

namespace brio::http {
namespace {

void check_status(int status) {
  if (status < 200 || status > 999) {
    throw ValueError("a response's status is 200 to 999, not " + std::to_string(status));
  }
}

void check_text(std::string_view text, const char* what) {
  if (!is_field_value(text)) throw ValueError("invalid character in the " + std::string(what));
}

// RFC 6265 §4.1.1: cookie-octet.
bool is_cookie_value(std::string_view value) noexcept {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return c > 0x20 && c < 0x7f && c != '"' && c != ',' && c != ';' && c != '\\';
  });
}

// av-octet: what ends an attribute must not stand in it.
void check_attribute(std::string_view value, const char* what) {
  check_text(value, what);
  if (value.find(';') != std::string_view::npos) {
    throw ValueError("';' in the " + std::string(what));
  }
}

}  // namespace

Response::Response(std::string body, ResponseOptions options)
    : status_(options.status),
      reason_(std::move(options.reason)),
      content_type_(std::move(options.content_type)),
      body_(std::move(body)),
      headers_(std::move(options.headers)) {
  if (status_ != 200) check_status(status_);
  if (reason_) check_text(*reason_, "reason phrase");
  if (!content_type_.empty()) check_text(content_type_, "content type");
}

Response::Response(Response&&) noexcept = default;
Response& Response::operator=(Response&&) noexcept = default;
Response::~Response() = default;

void Response::set_status(int status, std::optional<std::string> reason) {
  check_status(status);
  if (reason) check_text(*reason, "reason phrase");
  status_ = status;
  reason_ = std::move(reason);
}

std::string_view Response::reason() const noexcept {
  return reason_ ? std::string_view(*reason_) : reason_phrase(status_);
}

std::string_view Response::content_type() const noexcept {
  if (!content_type_.empty()) return content_type_;
  if (const auto own = headers_.get("Content-Type")) return {};
  if (body_.empty()) return {};
  return "text/plain; charset=utf-8";
}

void Response::set_content_type(std::string type) {
  check_text(type, "content type");
  content_type_ = std::move(type);
}

void Response::set_cookie(std::string_view name, std::string_view value, CookieOptions options) {
  if (!is_token(name)) throw ValueError("invalid cookie name '" + std::string(name) + "'");
  if (!is_cookie_value(value)) throw ValueError("invalid character in a cookie's value");
  check_attribute(options.path, "cookie's path");
  check_attribute(options.samesite, "cookie's samesite");
  std::string text = std::string(name) + "=" + std::string(value);
  if (options.domain) {
    check_attribute(*options.domain, "cookie's domain");
    text += "; Domain=" + *options.domain;
  }
  if (options.expires) text += "; Expires=" + format_http_date(*options.expires);
  if (options.max_age) text += "; Max-Age=" + std::to_string(options.max_age->count());
  if (!options.path.empty()) text += "; Path=" + options.path;
  if (options.secure) text += "; Secure";
  if (options.httponly) text += "; HttpOnly";
  if (!options.samesite.empty()) text += "; SameSite=" + options.samesite;
  headers_.add("Set-Cookie", text);
}

void Response::del_cookie(std::string_view name, std::string_view path) {
  set_cookie(name, "",
             {.expires = std::chrono::sys_seconds{},
              .max_age = std::chrono::seconds(0),
              .path = std::string(path)});
}

Response json_response(std::string body, ResponseOptions options) {
  if (options.content_type.empty()) options.content_type = "application/json";
  return {std::move(body), std::move(options)};
}

StreamResponse::StreamResponse(ResponseOptions options) : head_(std::move(options)) {}
StreamResponse::~StreamResponse() = default;

Coro<> StreamResponse::prepare(Request& request) {
  if (connection_) throw RuntimeError("prepare was called already");
  if (head_.content_type().empty() && !head_.headers().contains("Content-Type")) {
    head_.set_content_type("application/octet-stream");
  }
  const auto connection = request.connection_->shared_from_this();
  connection->begin_stream(head_, length_);
  connection_ = connection;
  exchange_ = connection->exchange();
  co_await detail::ServerConnection::drain(connection);
}

detail::ServerConnection& StreamResponse::connection() const {
  if (!connection_) throw RuntimeError("write before prepare");
  if (exchange_ != connection_->exchange()) throw RuntimeError("write to an answer that has ended");
  return *connection_;
}

Coro<> StreamResponse::write(std::string_view data) {
  connection().stream(data);
  co_await detail::ServerConnection::drain(connection_);
}

Coro<> StreamResponse::write_eof(std::string_view data, Headers trailers) {
  detail::ServerConnection& to = connection();
  if (to.stream_ended()) co_return;
  if (!data.empty()) to.stream(data);
  to.end_stream(trailers);
  co_await detail::ServerConnection::drain(connection_);
}

StreamResponse::operator Response() const {
  Response response;
  response.sent_ = true;
  response.status_ = head_.status();
  return response;
}

HTTPException::HTTPException(int status, const std::string& detail, Headers headers)
    : std::runtime_error(!detail.empty()
                             ? detail
                             : std::to_string(status) + ": " + std::string(reason_phrase(status))),
      status_(status),
      headers_(std::move(headers)) {
  check_status(status);
}
HTTPException::~HTTPException() = default;

Response HTTPException::response() const {
  return {std::string(what()), {.status = status_, .headers = headers_}};
}

}  // namespace brio::http
