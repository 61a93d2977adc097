#include <brio/http/response.hpp>

#include <brio/http/detail/response_state.hpp>
#include <brio/http/detail/text.hpp>

#include <algorithm>
#include <utility>

namespace brio::http {
namespace detail {

namespace {
// Most that one read gives, so that a decoder cannot fill the memory at once.
constexpr std::size_t largest_part = 256 * 1024;
}  // namespace

void ResponseState::attach(std::shared_ptr<Exchange> exchange,
                           std::optional<ContentDecoder> decoder, Task<> writer) {
  content_length = exchange->content_length();
  exchange_ = std::move(exchange);
  decoder_ = std::move(decoder);
  writer_ = std::move(writer);
  if (exchange_->finished()) {
    wire_ended();
    ended_ = true;
  }
}

void ResponseState::wire_ended() {
  trailers_ = exchange_->trailers();
  let_go();
}

void ResponseState::let_go() noexcept {
  if (writer_ && !writer_.done()) writer_.cancel();
  exchange_.reset();
}

std::shared_ptr<Exchange> ResponseState::upgrade(std::shared_ptr<Protocol> next) {
  if (!exchange_) throw RuntimeError("this connection cannot be upgraded");
  exchange_->upgrade(std::move(next));
  ended_ = true;
  return std::exchange(exchange_, nullptr);
}

void ResponseState::release() noexcept {
  if (!exchange_) return;
  if (!error_) error_ = std::make_exception_ptr(RuntimeError("Connection closed"));
  if (reading_) exchange_->abort(error_);
  let_go();
}

bool ResponseState::decode(std::string& out, std::size_t n) {
  std::string_view rest = std::string_view(coded_).substr(coded_taken_);
  const std::size_t before = rest.size();
  decoder_->decode(rest, out, n);
  coded_taken_ += before - rest.size();
  return !out.empty();
}

Coro<std::string> ResponseState::read_some(std::shared_ptr<ResponseState> self, std::size_t n) {
  n = std::min(n, largest_part);
  if (n == 0) co_return std::string();
  while (!self->ended_) {
    if (self->error_) std::rethrow_exception(self->error_);
    if (self->reading_) throw RuntimeError("another coroutine is reading this response already");
    try {
      if (self->decoder_) {
        std::string out;
        if (self->decode(out, n)) co_return out;
      }
      std::string part;
      if (self->exchange_) {
        const std::shared_ptr<Exchange> exchange = self->exchange_;
        struct Reading {
          bool& flag;
          ~Reading() { flag = false; }
        } reading{self->reading_ = true};
        part = co_await exchange->read_body(self->decoder_ ? largest_part : n);
        if (self->exchange_ && exchange->finished()) self->wire_ended();
      }
      if (part.empty()) {
        if (self->decoder_) self->decoder_->finish();
        self->ended_ = true;
      } else if (!self->decoder_) {
        co_return part;
      } else {
        self->coded_ = std::move(part);
        self->coded_taken_ = 0;
      }
    } catch (const std::exception&) {
      // Not a cancellation: the body is lost, and so is the connection unless it had ended.
      self->error_ = std::current_exception();
      self->let_go();
      throw;
    }
  }
  co_return std::string();
}

Coro<std::string> ResponseState::read_all(std::shared_ptr<ResponseState> self) {
  while (!self->whole_) {
    std::string part = co_await read_some(self, largest_part);
    if (part.empty()) {
      self->whole_ = std::move(self->collected_);
      break;
    }
    if (self->collected_.size() + part.size() > self->max_read_size) {
      self->release();
      throw PayloadTooLarge("Response payload is larger than the limit of " +
                            std::to_string(self->max_read_size) + " bytes");
    }
    if (self->collected_.empty()) {
      self->collected_ = std::move(part);
      if (!self->decoder_ && self->content_length) {
        self->collected_.reserve(std::min<std::uint64_t>(*self->content_length, 64U << 20));
      }
    } else {
      self->collected_ += part;
    }
  }
  co_return *self->whole_;
}

AsyncGenerator<std::string> ResponseState::pieces(std::shared_ptr<ResponseState> self,
                                                  std::size_t n) {
  while (true) {
    std::string part = co_await read_some(self, n);
    if (part.empty()) co_return;
    co_yield std::move(part);
  }
}

}  // namespace detail

// ---- ResponseContent

BRIO_CORO_WRAPPER Coro<std::string> ResponseContent::read(std::size_t n) const {
  return detail::ResponseState::read_some(state_, n);
}
BRIO_CORO_WRAPPER Coro<std::string> ResponseContent::readany() const {
  return detail::ResponseState::read_some(state_, detail::largest_part);
}
BRIO_CORO_WRAPPER AsyncGenerator<std::string> ResponseContent::iter_chunked(std::size_t n) const {
  if (n == 0) throw ValueError("iter_chunked needs a size above 0");
  return detail::ResponseState::pieces(state_, n);
}
BRIO_CORO_WRAPPER AsyncGenerator<std::string> ResponseContent::iter_any() const {
  return detail::ResponseState::pieces(state_, detail::largest_part);
}
bool ResponseContent::at_eof() const noexcept { return state_->at_eof(); }

// ---- ClientResponse

ClientResponse::ClientResponse(std::shared_ptr<detail::ResponseState> state)
    : state_(std::move(state)) {}

ClientResponse::~ClientResponse() {
  if (state_) state_->release();
}

ClientResponse& ClientResponse::operator=(ClientResponse&& other) noexcept {
  if (this != &other) {
    if (state_) state_->release();
    state_ = std::move(other.state_);
  }
  return *this;
}

int ClientResponse::status() const noexcept { return state_->head.status; }
const std::string& ClientResponse::reason() const noexcept { return state_->head.reason; }
HttpVersion ClientResponse::version() const noexcept { return state_->head.version; }
const std::string& ClientResponse::method() const noexcept { return state_->method; }
const URL& ClientResponse::url() const noexcept { return state_->url; }
const URL& ClientResponse::real_url() const noexcept { return state_->real_url; }
const ResponseHead& ClientResponse::head() const noexcept { return state_->head; }
const Headers& ClientResponse::headers() const noexcept { return state_->head.headers; }
const std::vector<RedirectStep>& ClientResponse::history() const noexcept {
  return state_->history;
}
std::optional<std::uint64_t> ClientResponse::content_length() const noexcept {
  return state_->content_length;
}
const Headers& ClientResponse::trailers() const noexcept { return state_->trailers(); }

std::string ClientResponse::content_type() const {
  const std::string type = detail::media_type(headers().get("Content-Type", ""));
  return type.empty() ? "application/octet-stream" : type;
}

std::optional<std::string> ClientResponse::charset() const {
  return detail::media_parameter(headers().get("Content-Type", ""), "charset");
}

BRIO_CORO_WRAPPER Coro<std::string> ClientResponse::read() const {
  return detail::ResponseState::read_all(state_);
}

namespace {
Coro<std::string> read_text(std::shared_ptr<detail::ResponseState> state, std::string encoding) {
  const std::string bytes = co_await detail::ResponseState::read_all(std::move(state));
  co_return detail::to_utf8(bytes, encoding);
}
}  // namespace

BRIO_CORO_WRAPPER Coro<std::string> ClientResponse::text(
    std::optional<std::string> encoding) const {
  if (!encoding) encoding = charset();
  return read_text(state_, std::move(encoding).value_or("utf-8"));
}

void ClientResponse::raise_for_status() const {
  if (ok()) return;
  release();
  const std::string text =
      reason().empty() ? std::string(reason_phrase(status())) : state_->head.reason;
  throw ClientResponseError(real_url().without_userinfo().str(), status(), text, headers());
}

void ClientResponse::release() const noexcept { state_->release(); }

}  // namespace brio::http
