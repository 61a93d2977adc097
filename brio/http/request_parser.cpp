#include <brio/http/request_parser.hpp>

#include <brio/http/detail/head_parser.hpp>
#include <brio/http/detail/target.hpp>

#include <algorithm>
#include <limits>
#include <utility>

namespace brio::http {

using detail::HeadParser;
using Step = RequestParser::Step;

namespace {

[[noreturn]] void refuse(int status, const std::string& why) {
  throw HttpProcessingError(status, why);
}

// 1*DIGIT and nothing else; nothing where it does not fit.
std::optional<std::uint64_t> parse_length(std::string_view text) noexcept {
  // 18 digits always fit into 63 bits, and nobody has more bytes.
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t number = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return number;
}

int hex_digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// *( BWS ";" BWS token [ BWS "=" BWS ( token / quoted-string ) ] ), RFC 9112 §7.1.1.
bool are_chunk_extensions(std::string_view text) noexcept {
  const auto skip_blanks = [&text] {
    const std::size_t first = text.find_first_not_of(" \t");
    text.remove_prefix(std::min(first, text.size()));
  };
  const auto skip_token = [&text] {
    std::size_t size = 0;
    while (size < text.size() && is_token(text.substr(size, 1))) ++size;
    text.remove_prefix(size);
    return size > 0;
  };
  const auto skip_quoted = [&text] {
    for (std::size_t at = 1; at < text.size(); ++at) {
      if (text[at] == '\\') {
        ++at;
      } else if (text[at] == '"') {
        text.remove_prefix(at + 1);
        return true;
      }
    }
    return false;
  };
  if (!is_field_value(text)) return false;
  while (true) {
    skip_blanks();
    // Blanks at the end alone are what some senders pad a size with; a line of them has no meaning.
    if (text.empty()) return true;
    if (text.front() != ';') return false;
    text.remove_prefix(1);
    skip_blanks();
    if (!skip_token()) return false;
    skip_blanks();
    if (!text.starts_with('=')) continue;
    text.remove_prefix(1);
    skip_blanks();
    const bool value = text.starts_with('"') ? skip_quoted() : skip_token();
    if (!value) return false;
  }
}

}  // namespace

HttpProcessingError::~HttpProcessingError() = default;

ParserLimits RequestParser::server_limits() noexcept {
  return {.max_line_size = 8'190,
          .max_field_size = 8'190,
          .max_headers = 100,
          .max_header_bytes = 65'536,
          .max_chunk_extensions = 4'096,
          .max_body_size = std::uint64_t(1) << 30};
}

Step RequestParser::feed(std::string_view input) {
  std::size_t used = 0;
  while (true) {
    if (state_ == State::complete) return {Event::complete, used, {}};
    const std::string_view rest = input.substr(used);
    if (rest.empty()) return {Event::need_more, used, {}};
    switch (state_) {
      case State::head:
        used += take_head(rest);
        if (state_ != State::head) return {Event::head, used, {}};
        break;
      case State::length_body:
      case State::chunk_body: {
        const std::string_view part = rest.substr(0, std::min<std::uint64_t>(rest.size(), left_));
        left_ -= part.size();
        if (left_ == 0) {
          state_ = state_ == State::length_body ? State::complete : State::chunk_end;
        }
        return {Event::body, used + part.size(), part};
      }
      case State::chunk_end:
        // left_ counts what of the CRLF has come.
        if (rest.front() != "\r\n"[left_]) refuse(400, "chunk longer than its size");
        ++used;
        if (++left_ == 2) state_ = State::chunk_line;
        break;
      case State::chunk_line: used += take_chunk_line(rest); break;
      case State::trailers: used += take_trailers(rest); break;
      case State::complete: break;
    }
  }
}

void RequestParser::next() noexcept {
  state_ = State::head;
  unfinished_.clear();
  if (!trailers_.empty()) trailers_.clear();
}

void RequestParser::begin_head() noexcept {
  head_.headers.clear();
  chunked_ = has_length_ = has_host_ = expects_continue_ = upgrade_ = false;
  connection_upgrade_ = connection_close_ = connection_keep_alive_ = false;
  length_ = body_size_ = 0;
  extensions_ = 0;
}

// Both sections are read from where the input lies when they are whole, and from a copy otherwise.
// What is incomplete is read again only when another line has come, or too much of one, so that a
// head that trickles in costs no more than its size times its lines.
std::size_t RequestParser::take_head(std::string_view input) {
  if (unfinished_.empty()) {
    line_at_ = 0;
    if (const std::size_t size = parse_head(input)) return size;
  }
  const std::size_t before = unfinished_.size();
  const std::string_view added = input.substr(0, limits_.max_header_bytes + 1 - before);
  unfinished_ += added;
  const bool another_line = added.find('\n') != std::string_view::npos;
  const std::size_t most = line_at_ == 0 ? limits_.max_line_size : limits_.max_field_size;
  if (before > 0 && (another_line || unfinished_.size() - line_at_ > most)) {
    if (const std::size_t size = parse_head(unfinished_)) {
      unfinished_.clear();
      return size - before;
    }
  }
  if (another_line) line_at_ = unfinished_.rfind('\n') + 1;
  if (unfinished_.size() > limits_.max_header_bytes) refuse(431, "head over the limit");
  return added.size();
}

std::size_t RequestParser::parse_head(std::string_view data) {
  HeadParser parser(data, limits_);
  HeadParser::RequestLine line;
  if (!parser.skip_empty_line() || !parser.request_line(line)) return 0;
  const std::size_t fields_at = parser.position();
  const std::string_view section = data.substr(fields_at);
  begin_head();
  head_.version = line.version;
  std::string_view name;
  std::string_view value;
  while (true) {
    const HeadParser::Line what = parser.field_line(name, value);
    if (what == HeadParser::Line::partial) return 0;
    if (what == HeadParser::Line::end) break;
    if (head_.headers.size() >= limits_.max_headers) refuse(431, "too many header fields");
    HeadParser::note(head_.headers, section, name, value);
    note_field(name, value);
  }
  if (parser.position() > limits_.max_header_bytes) refuse(431, "head over the limit");
  head_.method.assign(line.method);
  head_.target.assign(line.target);
  HeadParser::store(head_.headers, section.substr(0, parser.position() - fields_at));
  judge_head();
  return parser.position();
}

void RequestParser::note_field(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 4:
      if (!iequals(name, "host")) return;
      if (std::exchange(has_host_, true)) refuse(400, "more than one Host");
      if (!detail::is_host_field(value)) refuse(400, "invalid Host");
      return;
    case 6:
      if (!iequals(name, "expect")) return;
      if (!iequals(value, "100-continue")) refuse(417, "expectation that cannot be met");
      expects_continue_ = true;
      return;
    case 7: upgrade_ = upgrade_ || iequals(name, "upgrade"); return;
    case 10:
      if (iequals(name, "connection")) note_connection(value);
      return;
    case 14: {
      if (!iequals(name, "content-length")) return;
      if (std::exchange(has_length_, true)) refuse(400, "more than one Content-Length");
      const auto length = parse_length(value);
      if (!length) refuse(400, "invalid Content-Length");
      length_ = *length;
      return;
    }
    case 17:
      if (!iequals(name, "transfer-encoding")) return;
      if (std::exchange(chunked_, true)) refuse(400, "more than one Transfer-Encoding");
      if (iequals(value, "chunked")) return;
      // A last coding other than chunked leaves the body's end open: that is malformed, not new.
      if (!iequals(trimmed(value.substr(value.rfind(',') + 1)), "chunked")) {
        refuse(400, "Transfer-Encoding does not end with chunked");
      }
      refuse(501, "transfer coding not supported");
    default: return;
  }
}

void RequestParser::note_connection(std::string_view value) noexcept {
  while (true) {
    const std::size_t comma = value.find(',');
    const std::string_view option = trimmed(value.substr(0, comma));
    if (iequals(option, "close")) connection_close_ = true;
    if (iequals(option, "keep-alive")) connection_keep_alive_ = true;
    if (iequals(option, "upgrade")) connection_upgrade_ = true;
    if (comma == std::string_view::npos) return;
    value.remove_prefix(comma + 1);
  }
}

void RequestParser::judge_head() {
  const bool http11 = head_.version.minor == 1;
  if (chunked_) {
    if (has_length_) refuse(400, "Content-Length beside Transfer-Encoding");
    if (!http11) refuse(400, "Transfer-Encoding in HTTP/1.0");
  }
  if (http11 && !has_host_) refuse(400, "no Host");
  head_.form = detail::target_form(head_.method, head_.target);
  // RFC 9110 §10.1.1: an HTTP/1.0 client cannot wait for it; without a body there is no reason to.
  expects_continue_ = expects_continue_ && http11 && has_body();
  keep_alive_ = !connection_close_ && (http11 || connection_keep_alive_);
  if (chunked_) {
    state_ = State::chunk_line;
  } else if (length_ > 0) {
    count_body(length_);
    left_ = length_;
    state_ = State::length_body;
  } else {
    state_ = State::complete;
  }
}

void RequestParser::count_body(std::uint64_t more) {
  const std::uint64_t most =
      limits_.max_body_size.value_or(std::numeric_limits<std::uint64_t>::max());
  if (more > most - std::min(most, body_size_)) refuse(413, "body over the limit");
  body_size_ += more;
}

std::size_t RequestParser::take_chunk_line(std::string_view input) {
  constexpr std::size_t room_for_size = 32;
  const std::size_t found = input.find('\n');
  const std::size_t taken = found == std::string_view::npos ? input.size() : found + 1;
  if (unfinished_.size() + taken > limits_.max_chunk_extensions + room_for_size) {
    refuse(400, "chunk line over the limit");
  }
  if (found != std::string_view::npos && unfinished_.empty()) {
    chunk_line(input.substr(0, taken));
    return taken;
  }
  unfinished_ += input.substr(0, taken);
  if (found != std::string_view::npos) {
    chunk_line(unfinished_);
    unfinished_.clear();
  }
  return taken;
}

void RequestParser::chunk_line(std::string_view line) {
  if (!line.ends_with("\r\n")) refuse(400, "bare LF in a chunk line");
  line.remove_suffix(2);
  std::uint64_t size = 0;
  std::size_t digits = 0;
  for (; digits < line.size() && hex_digit(line[digits]) >= 0; ++digits) {
    // 15 digits always fit into 63 bits. More zeros in front than that nobody needs either.
    if (digits == 15) refuse(400, "chunk size over the limit");
    size = size * 16 + static_cast<std::uint64_t>(hex_digit(line[digits]));
  }
  if (digits == 0) refuse(400, "invalid chunk size");
  const std::string_view extensions = line.substr(digits);
  extensions_ += extensions.size();
  if (extensions_ > limits_.max_chunk_extensions) refuse(400, "chunk extensions over the limit");
  if (!are_chunk_extensions(extensions)) refuse(400, "invalid chunk extension");
  if (!extensions.empty() && trimmed(extensions).empty()) refuse(400, "blank behind a chunk size");
  if (size == 0) {
    state_ = State::trailers;
    return;
  }
  count_body(size);
  left_ = size;
  state_ = State::chunk_body;
}

std::size_t RequestParser::take_trailers(std::string_view input) {
  // Rare and small: read from a copy always.
  const std::size_t before = unfinished_.size();
  const std::string_view added = input.substr(0, limits_.max_header_bytes + 1 - before);
  unfinished_ += added;
  const auto wait = [&] {
    if (unfinished_.size() > limits_.max_header_bytes) refuse(431, "trailers over the limit");
    return added.size();
  };
  if (added.find('\n') == std::string_view::npos) return wait();
  trailers_.clear();
  HeadParser parser(unfinished_, limits_);
  std::string_view name;
  std::string_view value;
  while (true) {
    const HeadParser::Line what = parser.field_line(name, value);
    if (what == HeadParser::Line::end) break;
    if (what == HeadParser::Line::partial) return wait();
    if (trailers_.size() >= limits_.max_headers) refuse(431, "too many trailer fields");
    for (const std::string_view framing :
         {"Transfer-Encoding", "Content-Length", "Host", "Trailer", "Connection"}) {
      if (iequals(name, framing)) refuse(400, "field not allowed in trailers");
    }
    HeadParser::note(trailers_, unfinished_, name, value);
  }
  const std::size_t size = parser.position();
  HeadParser::store(trailers_, std::string_view(unfinished_).substr(0, size));
  unfinished_.clear();
  state_ = State::complete;
  return size - before;
}

}  // namespace brio::http
