// The grammar is Boost.Beast's http::basic_parser. It reads structured parts (a head, a chunk's
// size line) from one contiguous buffer only; the Impl below keeps the unfinished part, and adds
// the checks that Beast leaves out. Bodies pass through without a copy.
#include <brio/http/parser.hpp>

#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#define BOOST_BEAST_HEADER_ONLY 1
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>

namespace brio::http {
namespace {

namespace beast = boost::beast;
using beast::http::field;
using ErrorCode = beast::error_code;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

[[noreturn]] void refuse(const std::string& why) {
  throw BadHttpMessage("invalid HTTP response: " + why);
}

// One message as Beast's parser reports it, plus the checks. Exceptions pass through Beast: the
// parser is not used again after one.
class Message final : public beast::http::basic_parser<false> {
public:
  enum class Part { head, chunk_line, body };

  Message(const ResponseParser::Options& options, const ParserLimits& limits)
      : limits_(limits), upgrade_(options.upgrade), connect_(options.method == "CONNECT") {
    header_limit(static_cast<std::uint32_t>(
        std::min<std::size_t>(limits.max_header_bytes, std::numeric_limits<std::int32_t>::max())));
    body_limit(boost::none);
    if (limits.max_body_size) body_limit(*limits.max_body_size);
    if (options.method == "HEAD" || connect_) {
      skip(true);
      no_body_ = true;
    }
  }

  ResponseHead head;
  Headers trailers;
  std::string_view body;
  Part part = Part::head;
  bool head_done = false;
  bool finished = false;
  bool chunk_before = false;  // a chunk line begins with the end of the chunk before it

  bool has_body() const {
    return head_done && !no_body_ && head.status >= 200 && head.status != 204 &&
           head.status != 304 && content_length().value_or(1) != 0;
  }
  bool upgraded() const {
    return head.status == 101 || (connect_ && head.status >= 200 && head.status < 300);
  }
  bool reusable() const {
    if (!head_done) return false;
    // A body where none may be is not skipped, so it would be read as the next response.
    const bool misplaced =
        (head.status == 204 || connect_) && (chunked() || content_length().value_or(0) != 0);
    return keep_alive() && !upgraded() && !misplaced;
  }

private:
  void on_request_impl(beast::http::verb, beast::string_view, beast::string_view, int,
                       ErrorCode&) override {}

  void on_response_impl(int status, beast::string_view reason, int version, ErrorCode&) override {
    if (status < 100) refuse("status " + std::to_string(status));
    if (status == 101 && !upgrade_) refuse("101 that nobody asked for");
    if (reason.size() > limits_.max_line_size) refuse("status line over the limit");
    head.version = {version / 10, version % 10};
    head.status = status;
    head.reason.assign(reason.data(), reason.size());
  }

  void on_field_impl(field name, beast::string_view name_text, beast::string_view value,
                     ErrorCode&) override {
    Headers& fields = head_done ? trailers : head.headers;
    if (name_text.size() + value.size() > limits_.max_field_size) {
      refuse("header field over the limit");
    }
    if (fields.size() >= limits_.max_headers) refuse("too many header fields");
    if (name == field::transfer_encoding) {
      // Beast ignores a coding that it does not know and reads to the end of the stream.
      if (!iequals(view(value), "chunked")) refuse("Transfer-Encoding other than chunked");
      if (head.version < HttpVersion{1, 1}) refuse("Transfer-Encoding in HTTP/1.0");
    } else if (name == field::content_length) {
      // Beast has refused lengths that differ. The same one several times is kept once, so that
      // nobody further on has to understand a list (RFC 9110 §8.6).
      if (fields.contains("Content-Length")) return;
      value = value.substr(0, value.find_first_of(", \t"));
    }
    fields.add(view(name_text), view(value));
  }

  void on_header_impl(ErrorCode&) override {
    head_done = true;
    part = chunked() ? Part::chunk_line : Part::body;
  }

  void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}

  std::size_t on_body_impl(beast::string_view data, ErrorCode&) override {
    body = view(data);
    return data.size();
  }

  void on_chunk_header_impl(std::uint64_t size, beast::string_view extensions,
                            ErrorCode&) override {
    chunk_extensions_ += extensions.size();
    if (chunk_extensions_ > limits_.max_chunk_extensions) refuse("chunk extensions over the limit");
    if (size > 0) {
      part = Part::body;
      chunk_before = true;
    }
  }

  std::size_t on_chunk_body_impl(std::uint64_t remaining, beast::string_view data,
                                 ErrorCode&) override {
    body = view(data);
    if (remaining == data.size()) part = Part::chunk_line;
    return data.size();
  }

  void on_finish_impl(ErrorCode&) override { finished = true; }

  const ParserLimits& limits_;
  std::size_t chunk_extensions_ = 0;
  bool upgrade_;
  bool connect_;
  bool no_body_ = false;
};

}  // namespace

class ResponseParser::Impl {
public:
  explicit Impl(const Options& options)
      : method_(options.method), upgrade_(options.upgrade), limits_(options.limits) {
    restart();
  }

  Step feed(std::string_view input) {
    if (failed_) refuse("fed after an error");
    // Cleared again on every way out but by an exception.
    failed_ = true;
    const Step step = advance(input);
    failed_ = false;
    return step;
  }

  void feed_eof() {
    if (!message_->head_done || is_interim()) {
      failed_ = true;
      throw ServerDisconnectedError(got_some() ? "Server disconnected inside a response's head"
                                               : "Server disconnected");
    }
    if (is_complete()) return;
    ErrorCode error;
    message_->put_eof(error);
    if (!error) return;
    failed_ = true;
    std::string text = "Response payload is not completed: the connection ended after " +
                       std::to_string(body_bytes_);
    if (const auto length = content_length()) text += " of " + std::to_string(*length);
    throw ClientPayloadError(text + " bytes");
  }

  bool is_complete() const { return message_->finished && !is_interim(); }
  bool got_some() const {
    return informational_ > 0 || !unfinished_.empty() || message_->got_some();
  }
  std::optional<std::uint64_t> content_length() const {
    if (!message_->head_done) return std::nullopt;
    const auto length = message_->content_length();
    return length ? std::optional<std::uint64_t>(*length) : std::nullopt;
  }

  Message& message() { return *message_; }
  const Message& message() const { return *message_; }

private:
  bool is_interim() const {
    return message_->head_done && message_->head.status < 200 && message_->head.status != 101;
  }

  void restart() {
    const Options options{.method = method_, .upgrade = upgrade_, .limits = {}};
    message_ = std::make_unique<Message>(options, limits_);
    announced_ = false;
    head_bytes_ = 0;
  }

  Step advance(std::string_view input) {
    std::size_t used = 0;
    while (true) {
      if (message_->head_done && !announced_) {
        announced_ = true;
        if (!is_interim()) return {Event::head, used, {}};
        if (++informational_ > limits_.max_informational) refuse("too many interim responses");
        return {Event::informational, used, {}};
      }
      if (message_->finished) {
        if (!is_interim()) return {Event::complete, used, {}};
        restart();
      }
      const std::string_view rest = input.substr(used);
      if (rest.empty()) return {Event::need_more, used, {}};
      if (message_->part == Message::Part::body) {
        message_->body = {};
        used += put(rest);
        body_bytes_ += message_->body.size();
        if (!message_->body.empty()) return {Event::body, used, message_->body};
      } else {
        used += unfinished_.empty() ? put_direct(rest) : put_buffered(rest);
      }
    }
  }

  // Gives the bytes to Beast; returns how many it took. `starved` is set where it wants more.
  std::size_t put(std::string_view data, bool* starved = nullptr) {
    const bool in_head = !message_->head_done;
    ErrorCode error;
    const std::size_t taken = message_->put({data.data(), data.size()}, error);
    if (in_head) {
      head_bytes_ += taken;
      if (head_bytes_ > limits_.max_header_bytes) refuse("head over the limit");
    }
    if (error == beast::http::error::need_more && starved != nullptr) {
      *starved = true;
    } else if (error == beast::http::error::body_limit) {
      throw PayloadTooLarge("Response payload is larger than the limit of " +
                            std::to_string(limits_.max_body_size.value_or(0)) + " bytes");
    } else if (error) {
      refuse(error.message());
    }
    return taken;
  }

  // Beast 1.81 aborts on an assertion of its own (in a debug build) where a last chunk that is the
  // first one comes in fewer than the five bytes of "0\r\n\r\n". No other chunk line that begins
  // with a 0 is shorter than four, so waiting for the fifth byte never takes one of a body.
  bool too_short(std::string_view data) const {
    return message_->head_done && data.size() < 5 && data.front() == '0';
  }

  // Beast wants a space behind the status code and none behind a chunk's size. Servers err in both,
  // and no parser reads another message from it, so the bytes are mended before Beast sees them.
  struct Mending {
    bool wait = false;       // more of the line is needed to tell
    std::size_t at = 0;      // where
    std::size_t blanks = 0;  // so many to take out
    bool add_space = false;
    bool needed() const { return wait || blanks > 0 || add_space; }
  };

  Mending mending(std::string_view data) const {
    return message_->head_done ? chunk_line_mending(data) : status_line_mending(data);
  }

  Mending status_line_mending(std::string_view data) const {
    constexpr std::string_view pattern = "HTTP/1.1 200";
    // Once Beast has seen a part of the line, that part may not change any more.
    if (message_->got_some()) return {};
    if (data.size() > pattern.size()) {
      return {.at = pattern.size(), .add_space = data[pattern.size()] == '\r'};
    }
    // What is no HTTP at all is not waited for.
    const std::size_t known = std::min(data.size(), pattern.find('/') + 1);
    return {.wait = data.substr(0, known) == pattern.substr(0, known)};
  }

  Mending chunk_line_mending(std::string_view data) const {
    std::size_t start = 0;
    if (message_->chunk_before) {
      if (data.size() < 2) return {.wait = true};
      if (!data.starts_with("\r\n")) return {};  // Beast refuses it
      start = 2;
    }
    const std::size_t found = data.find("\r\n", start);
    const bool whole = found != std::string_view::npos;
    // What is kept is looked through again with every piece that comes, so a line may not grow
    // for ever. The last byte of an unfinished one may be the first of its end.
    constexpr std::size_t room_for_size = 32;
    const std::size_t length = (whole ? found : std::max(data.size() - 1, start)) - start;
    if (length > room_for_size && length - room_for_size > limits_.max_chunk_extensions) {
      refuse("chunk line over the limit");
    }
    if (!whole) return {.wait = true};
    if (found == start) return {};
    const std::size_t text = data.find_last_not_of(" \t", found - 1) + 1;
    // A line of blanks alone has no size.
    if (text <= start) return {};
    return {.at = text, .blanks = found - text};
  }

  std::size_t put_direct(std::string_view data) {
    if (too_short(data) || mending(data).needed()) return put_buffered(data);
    bool starved = false;
    const std::size_t taken = put(data, &starved);
    if (!starved) return taken;
    keep(data.substr(taken));
    return data.size();
  }

  // Adds to the unfinished part no more than it is likely to need, so that a body behind it in the
  // same read is not copied.
  std::size_t put_buffered(std::string_view data) {
    const std::size_t likely = std::max<std::size_t>(256, unfinished_.size());
    // What lies behind the part does not count for its limit.
    const std::size_t step = std::min({data.size(), likely, std::max<std::size_t>(1, room())});
    keep(data.substr(0, step));
    const Mending mend = mending(unfinished_);
    if (mend.wait) return step;
    unfinished_.erase(mend.at, mend.blanks);
    if (mend.add_space) unfinished_.insert(mend.at, 1, ' ');
    if (too_short(unfinished_)) return step;
    bool starved = false;
    const std::size_t taken = put(unfinished_, &starved);
    if (starved) {
      unfinished_.erase(0, taken);
      return step;
    }
    // The part ended among the new bytes; those behind its end were not ours to take.
    const std::size_t behind = unfinished_.size() - taken;
    unfinished_.clear();
    return step - behind;
  }

  // How much more of the part may be kept.
  std::size_t room() const {
    const std::size_t kept = (message_->head_done ? 0 : head_bytes_) + unfinished_.size();
    return limits_.max_header_bytes - std::min(limits_.max_header_bytes, kept);
  }

  void keep(std::string_view data) {
    if (data.size() > room()) {
      refuse(message_->head_done ? "chunk line or trailers over the limit" : "head over the limit");
    }
    unfinished_ += data;
  }

  std::string method_;
  bool upgrade_;
  ParserLimits limits_;
  std::unique_ptr<Message> message_;
  std::string unfinished_;
  std::size_t head_bytes_ = 0;
  std::uint64_t body_bytes_ = 0;
  int informational_ = 0;
  bool announced_ = false;
  bool failed_ = false;
};

ResponseParser::ResponseParser() : ResponseParser(Options{}) {}
ResponseParser::ResponseParser(const Options& options) : impl_(std::make_unique<Impl>(options)) {}
ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;
ResponseParser& ResponseParser::operator=(ResponseParser&&) noexcept = default;

ResponseParser::Step ResponseParser::feed(std::string_view input) { return impl_->feed(input); }
void ResponseParser::feed_eof() { impl_->feed_eof(); }
ResponseHead& ResponseParser::head() noexcept { return impl_->message().head; }
Headers& ResponseParser::trailers() noexcept { return impl_->message().trailers; }
bool ResponseParser::is_complete() const noexcept { return impl_->is_complete(); }
bool ResponseParser::got_some() const noexcept { return impl_->got_some(); }
std::optional<std::uint64_t> ResponseParser::content_length() const noexcept {
  return impl_->content_length();
}
bool ResponseParser::chunked() const noexcept {
  return impl_->message().head_done && impl_->message().chunked();
}
bool ResponseParser::has_body() const noexcept { return impl_->message().has_body(); }
bool ResponseParser::upgraded() const noexcept { return impl_->message().upgraded(); }
bool ResponseParser::keep_alive() const noexcept { return impl_->message().reusable(); }

}  // namespace brio::http
