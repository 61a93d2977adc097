#include <brio/core/detail/repr.hpp>

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cxxabi.h>
#include <memory>

namespace brio::detail {

std::string repr_of_double(double value) {
  char text[400];
  const auto written = [&](std::to_chars_result result) {
    return std::string_view(text, static_cast<std::size_t>(result.ptr - text));
  };
  const std::string_view shortest =
      written(std::to_chars(text, text + sizeof text, value, std::chars_format::scientific));
  const std::size_t e = shortest.find('e');
  if (e == std::string_view::npos) return value < 0 ? "-inf" : value > 0 ? "inf" : "nan";
  int exponent = 0;
  const std::size_t digits = e + (shortest[e + 1] == '+' ? 2 : 1);
  std::from_chars(shortest.data() + digits, shortest.data() + shortest.size(), exponent);
  if (exponent < -4 || exponent >= 16) return std::string(shortest);
  std::string fixed(
      written(std::to_chars(text, text + sizeof text, value, std::chars_format::fixed)));
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

namespace {

bool continues(char byte) { return (static_cast<unsigned char>(byte) & 0xc0) == 0x80; }

// Where the first `count` characters of UTF-8 end.
std::size_t head(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  for (; count > 0 && at < text.size(); --count) do
      ++at;
    while (at < text.size() && continues(text[at]));
  return at;
}

// Where the last `count` characters begin.
std::size_t tail(std::string_view text, std::size_t count) {
  std::size_t at = text.size();
  for (; count > 0 && at > 0; --count) do
      --at;
    while (at > 0 && continues(text[at]));
  return at;
}

std::string in_quotes(std::string_view text) {
  const bool apostrophe = text.find('\'') != std::string_view::npos;
  const char quote = apostrophe && text.find('"') == std::string_view::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      out += {'\\', c};
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\x%02x", byte);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + quote;
}

}  // namespace

std::string repr_of_text(std::string_view text) {
  // reprlib's limit, and how much it leaves on either side of the dots.
  constexpr std::size_t limit = 30;
  constexpr std::size_t before = 13;
  constexpr std::size_t after = 14;
  std::string whole = in_quotes(text.substr(0, head(text, limit)));
  if (head(whole, limit) == whole.size()) return whole;
  std::string ends(text.substr(0, head(text, before)));
  ends += text.substr(tail(text, after));
  ends = in_quotes(ends);
  return ends.substr(0, head(ends, before)) + "..." + ends.substr(tail(ends, after));
}

std::string repr_of_type(const std::type_info& type) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type.name(), nullptr, nullptr, &status), &std::free);
  return std::string("<") + (name ? name.get() : type.name()) + ">";
}

}  // namespace brio::detail
