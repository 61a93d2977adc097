#include <brio/testing/python_text.hpp>

#include <charconv>
#include <cmath>
#include <cstdio>

namespace brio::testing::trace::detail {

std::string text_of_double(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  // The shortest digits that give the value back, as Python's repr: fixed from 1e-4 to below 1e16.
  char text[32];
  const double size = std::fabs(value);
  const bool fixed = value == 0 || (size >= 1e-4 && size < 1e16);
  const auto end = std::to_chars(text, text + sizeof text, value,
                                 fixed ? std::chars_format::fixed : std::chars_format::scientific);
  std::string result(text, end.ptr);
  if (fixed && result.find('.') == std::string::npos) result += ".0";
  return result;
}

namespace {
// Single quotes unless there is one inside and no double quote, as Python chooses.
char quote_for(std::string_view text) {
  return text.find('\'') != std::string_view::npos && text.find('"') == std::string_view::npos
             ? '"'
             : '\'';
}

std::string escaped(std::string_view text, bool ascii_only) {
  const char quote = quote_for(text);
  std::string result(1, quote);
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == quote || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (c == '\r') {
      result += "\\r";
    } else if (c == '\t') {
      result += "\\t";
    } else if (code < 0x20 || code == 0x7f || (ascii_only && code >= 0x80)) {
      char hex[5];
      std::snprintf(hex, sizeof hex, "\\x%02x", code);
      result += hex;
    } else {
      result += c;
    }
  }
  return result + quote;
}
}  // namespace

std::string quoted(std::string_view text) { return escaped(text, false); }
std::string quoted_bytes(std::string_view data) { return "b" + escaped(data, true); }

}  // namespace brio::testing::trace::detail
