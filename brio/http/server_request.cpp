#include <brio/http/server_request.hpp>

#include <brio/http/detail/server_connection.hpp>
#include <brio/http/detail/target.hpp>
#include <brio/http/detail/text.hpp>
#include <brio/http/fields.hpp>
#include <brio/http/forms.hpp>
#include <brio/http/url.hpp>

#include <algorithm>

namespace brio::http {
namespace {

// Path and query as one, whatever the target's form.
std::string_view path_qs(const ReceivedRequest& head) noexcept {
  if (head.form != TargetForm::absolute) return head.target;
  return detail::split_absolute(head.target).path;
}

}  // namespace

std::string_view Request::method() const noexcept { return connection_->parser().head().method; }
std::string_view Request::target() const noexcept { return connection_->parser().head().target; }

std::string_view Request::raw_path() const noexcept {
  const std::string_view whole = path_qs(connection_->parser().head());
  const std::string_view path = whole.substr(0, whole.find('?'));
  return path.empty() ? "/" : path;
}

std::string Request::path() const { return percent_decode(raw_path()); }

std::string_view Request::query_string() const noexcept {
  const std::string_view whole = path_qs(connection_->parser().head());
  const std::size_t mark = whole.find('?');
  return mark == std::string_view::npos ? std::string_view() : whole.substr(mark + 1);
}

Pairs Request::query() const { return parse_form(query_string()); }

std::optional<std::string> Request::query(std::string_view name) const {
  for (auto& [key, value] : query()) {
    if (key == name) return std::move(value);
  }
  return std::nullopt;
}

HttpVersion Request::version() const noexcept { return connection_->parser().head().version; }
const Headers& Request::headers() const noexcept { return connection_->parser().head().headers; }
std::string_view Request::scheme() const noexcept { return secure() ? "https" : "http"; }
bool Request::secure() const noexcept { return connection_->secure(); }

std::string_view Request::host() const noexcept {
  const ReceivedRequest& head = connection_->parser().head();
  // RFC 9112 §3.2.2: a whole URL says more than the field.
  if (head.form == TargetForm::absolute) return detail::split_absolute(head.target).authority;
  return head.headers.get("Host", "");
}

const std::string& Request::remote() const { return connection_->remote(); }

std::string Request::content_type() const {
  std::string type = detail::media_type(headers().get("Content-Type", ""));
  return type.empty() ? "application/octet-stream" : type;
}

std::optional<std::string> Request::content_type_parameter(std::string_view name) const {
  return header_parameter(headers().get("Content-Type", ""), name);
}

std::optional<std::uint64_t> Request::content_length() const noexcept {
  return connection_->parser().content_length();
}

Pairs Request::cookies() const {
  Pairs pairs;
  for (std::string_view rest : headers().getall("Cookie")) {
    while (!rest.empty()) {
      const std::size_t end = std::min(rest.find(';'), rest.size());
      const std::string_view pair = trimmed(rest.substr(0, end));
      rest.remove_prefix(std::min(end + 1, rest.size()));
      const std::size_t equals = pair.find('=');
      if (equals == std::string_view::npos || equals == 0) continue;
      std::string_view value = trimmed(pair.substr(equals + 1));
      if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
        value = value.substr(1, value.size() - 2);
      }
      pairs.emplace_back(trimmed(pair.substr(0, equals)), value);
    }
  }
  return pairs;
}

std::optional<std::string> Request::cookie(std::string_view name) const {
  for (auto& [key, value] : cookies()) {
    if (key == name) return std::move(value);
  }
  return std::nullopt;
}

bool Request::keep_alive() const noexcept { return connection_->parser().keep_alive(); }

const std::shared_ptr<Transport>& Request::transport() const noexcept {
  return connection_->transport();
}

bool Request::disconnected() const noexcept { return connection_->client_ended(); }

std::string_view Request::match_info(std::string_view name) const noexcept {
  for (const auto& [key, value] : match_info_) {
    if (key == name) return value;
  }
  return {};
}

bool Request::can_read_body() const noexcept { return connection_->parser().has_body(); }

BRIO_CORO_WRAPPER Coro<std::string> Request::read_some(std::size_t max) {
  return detail::ServerConnection::read_body(connection_->shared_from_this(), max);
}

Coro<std::string> Request::read() {
  if (body_) co_return *body_;
  const std::size_t most = connection_->options().client_max_size;
  const auto refuse = [most] {
    return HTTPException(413, "the body is larger than " + std::to_string(most) + " bytes");
  };
  if (content_length().value_or(0) > most) throw refuse();
  // Kept in the request, so that a cancelled read loses nothing.
  while (true) {
    const std::string part = co_await read_some(most + 1 - collected_.size());
    if (part.empty()) break;
    collected_ += part;
    if (collected_.size() > most) throw refuse();
  }
  body_ = std::move(collected_);
  co_return *body_;
}

Coro<Pairs> Request::post() {
  if (content_type() != "application/x-www-form-urlencoded") co_return Pairs();
  co_return parse_form(co_await read());
}

const Headers& Request::trailers() const noexcept { return connection_->parser().trailers(); }

void Request::reset() {
  if (!match_info_.empty()) match_info_.clear();
  if (!state_.empty()) state_.clear();
  body_.reset();
  if (!collected_.empty()) collected_ = {};
}

}  // namespace brio::http
