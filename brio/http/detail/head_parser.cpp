#include <brio/http/detail/head_parser.hpp>
#include <brio/http/request_parser.hpp>

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

namespace brio::http::detail {
namespace {

enum : unsigned char { in_token = 1, in_target = 2, in_value = 4 };

constexpr std::array<unsigned char, 256> make_classes() {
  std::array<unsigned char, 256> classes{};
  for (std::size_t c = 0; c < 256; ++c) {
    const bool visible = c > 0x20 && c < 0x7f;
    // A fragment is never sent, and what lies outside of ASCII has no one meaning.
    if (visible && c != '#') classes[c] |= in_target;
    if (visible || c == ' ' || c == '\t' || c >= 0x80) classes[c] |= in_value;
    const bool alphanumeric =
        (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (alphanumeric ||
        (visible && std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) !=
                        std::string_view::npos)) {
      classes[c] |= in_token;
    }
  }
  return classes;
}
constexpr std::array<unsigned char, 256> classes = make_classes();

bool is(char c, unsigned char what) noexcept {
  return (classes[static_cast<unsigned char>(c)] & what) != 0;
}

// Where the run of such characters that begins at `at` ends.
std::size_t run_end(std::string_view data, std::size_t at, unsigned char what) noexcept {
  while (at < data.size() && is(data[at], what)) ++at;
  return at;
}

// run_end for in_value, which is where most of a head's bytes are: eight at a time. What ends the
// run is a control character, and a borrow of the subtractions marks only bytes above the first of
// them.
std::size_t value_end(std::string_view data, std::size_t at) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101;
  while (std::endian::native == std::endian::little && at + 8 <= data.size()) {
    std::uint64_t word = 0;
    std::memcpy(&word, data.data() + at, 8);
    const std::uint64_t below_space = (word - ones * 0x20) & ~word;
    const std::uint64_t rest_of_delete = word ^ (ones * 0x7f);
    const std::uint64_t is_delete = (rest_of_delete - ones) & ~rest_of_delete;
    const std::uint64_t found = (below_space | is_delete) & (ones * 0x80);
    if (found == 0) {
      at += 8;
      continue;
    }
    at += static_cast<std::size_t>(std::countr_zero(found)) / 8;
    if (data[at] != '\t') return at;
    ++at;
  }
  return run_end(data, at, in_value);
}

bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

[[noreturn]] void refuse(int status, const char* why) { throw HttpProcessingError(status, why); }

// What a character that should have been CR is called in the error.
[[noreturn]] void refuse_character(char c, const char* where) {
  std::string text = c == '\n' ? "bare LF in " : "invalid character in ";
  throw HttpProcessingError(400, text + where);
}

}  // namespace

bool HeadParser::skip_empty_line() {
  if (data_.substr(at_).starts_with("\r\n")) {
    at_ += 2;
  } else if (data_.substr(at_).starts_with('\r') && data_.size() == at_ + 1) {
    return false;
  }
  return at_ < data_.size();
}

HeadParser::Line HeadParser::ended_early(std::size_t line_began, std::size_t limit, int status,
                                         const char* what) const {
  // The CR of the line's end may be there already.
  if (data_.size() - line_began > limit + 1) refuse(status, what);
  return Line::partial;
}

bool HeadParser::request_line(RequestLine& line) {
  const std::size_t began = at_;
  const auto partial = [&] {
    return ended_early(began, limits_.max_line_size, 414, "request line over the limit") !=
           Line::partial;
  };
  const std::size_t method_end = run_end(data_, began, in_token);
  if (method_end == data_.size()) return partial();
  if (method_end == began || data_[method_end] != ' ')
    refuse_character(data_[method_end], "method");

  const std::size_t target_at = method_end + 1;
  const std::size_t target_end = run_end(data_, target_at, in_target);
  if (target_end - began > limits_.max_line_size) refuse(414, "request line over the limit");
  if (target_end == data_.size()) return partial();
  if (target_end == target_at || data_[target_end] != ' ') {
    refuse_character(data_[target_end], "request target");
  }

  constexpr std::string_view pattern = "HTTP/1.1\r\n";
  const std::string_view version = data_.substr(target_end + 1, pattern.size());
  const std::size_t known = std::min<std::size_t>(version.size(), 5);
  if (version.substr(0, known) != pattern.substr(0, known)) refuse(400, "invalid protocol");
  if (version.size() >= 8 && version.substr(5, 3) != "1.1" && version.substr(5, 3) != "1.0") {
    const auto digit = [&](std::size_t at) { return version[at] >= '0' && version[at] <= '9'; };
    if (digit(5) && version[6] == '.' && digit(7)) refuse(505, "HTTP version not supported");
    refuse(400, "invalid HTTP version");
  }
  if (version.size() >= 9 && version[8] != '\r') refuse_character(version[8], "request line");
  if (version.size() < pattern.size()) return partial();
  if (version[9] != '\n') refuse(400, "bare CR in request line");
  at_ = target_end + 1 + pattern.size();
  if (at_ - began - 2 > limits_.max_line_size) refuse(414, "request line over the limit");

  line.method = data_.substr(began, method_end - began);
  line.target = data_.substr(target_at, target_end - target_at);
  line.version = {1, version[7] - '0'};
  return true;
}

HeadParser::Line HeadParser::field_line(std::string_view& name, std::string_view& value) {
  const std::size_t began = at_;
  const auto partial = [&] {
    return ended_early(began, limits_.max_field_size, 431, "header field over the limit");
  };
  const std::size_t name_end = run_end(data_, began, in_token);
  if (name_end == data_.size()) return partial();
  if (data_[name_end] != ':') {
    if (name_end > began) {
      if (is_blank(data_[name_end])) refuse(400, "blank before the colon of a header field");
      refuse_character(data_[name_end], "a header field's name");
    }
    if (is_blank(data_[began])) refuse(400, "folded header field");
    if (data_[began] != '\r') refuse_character(data_[began], "a header field's name");
    if (began + 1 == data_.size()) return partial();
    if (data_[began + 1] != '\n') refuse(400, "bare CR in the header");
    at_ = began + 2;
    return Line::end;
  }
  if (name_end == began) refuse(400, "header field without a name");

  std::size_t value_at = name_end + 1;
  while (value_at < data_.size() && is_blank(data_[value_at])) ++value_at;
  const std::size_t line_end = value_end(data_, value_at);
  if (line_end == data_.size()) return partial();
  if (data_[line_end] != '\r') refuse_character(data_[line_end], "a header field's value");
  if (line_end + 1 == data_.size()) return partial();
  if (data_[line_end + 1] != '\n') refuse(400, "bare CR in a header field's value");
  std::size_t end = line_end;
  while (end > value_at && is_blank(data_[end - 1])) --end;

  name = data_.substr(began, name_end - began);
  value = data_.substr(value_at, end - value_at);
  if (line_end - began > limits_.max_field_size) refuse(431, "header field over the limit");
  at_ = line_end + 2;
  return Line::field;
}

void HeadParser::note(Headers& fields, std::string_view section, std::string_view name,
                      std::string_view value) {
  const auto place = [&](const char* at) {
    return static_cast<std::uint32_t>(at - section.data());
  };
  fields.places_.push_back({place(name.data()), static_cast<std::uint32_t>(name.size()),
                            place(value.data()), static_cast<std::uint32_t>(value.size())});
}

}  // namespace brio::http::detail
