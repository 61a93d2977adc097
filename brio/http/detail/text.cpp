#include <brio/http/detail/text.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/http/headers.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>

#include <iconv.h>

namespace brio::http::detail {
namespace {

std::string lower_trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  std::string out(text.substr(first, text.find_last_not_of(" \t") - first + 1));
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

class Converter {
public:
  explicit Converter(const std::string& charset) : handle_(iconv_open("UTF-8", charset.c_str())) {
    if (handle_ == iconv_t(-1)) throw LookupError("unknown encoding: " + charset);
  }
  Converter(const Converter&) = delete;
  Converter& operator=(const Converter&) = delete;
  ~Converter() { iconv_close(handle_); }

  /// Converts from the front of `in`; false where it stopped because `buffer` is full.
  bool convert(std::string_view& in, std::string& out) {
    std::array<char, 4096> buffer{};
    char* from = const_cast<char*>(in.data());  // iconv does not write there
    std::size_t from_left = in.size();
    char* to = buffer.data();
    std::size_t to_left = buffer.size();
    const std::size_t result = iconv(handle_, &from, &from_left, &to, &to_left);
    const int error = errno;
    out.append(buffer.data(), buffer.size() - to_left);
    in.remove_prefix(in.size() - from_left);
    if (result != static_cast<std::size_t>(-1)) return true;
    if (error == E2BIG) return false;
    throw ValueError("the text cannot be decoded: bad bytes for its charset");
  }

private:
  iconv_t handle_;
};

}  // namespace

std::string media_type(std::string_view content_type) {
  std::string type = lower_trimmed(content_type.substr(0, content_type.find(';')));
  return type.find('/') == std::string::npos ? std::string() : type;
}

std::optional<std::string> media_parameter(std::string_view content_type, std::string_view name) {
  std::size_t at = content_type.find(';');
  while (at != std::string_view::npos) {
    content_type.remove_prefix(at + 1);
    at = content_type.find(';');
    const std::string_view parameter = content_type.substr(0, at);
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos) continue;
    if (!iequals(lower_trimmed(parameter.substr(0, equals)), name)) continue;
    std::string value = lower_trimmed(parameter.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') {
      value = value.substr(1, value.size() - 2);
    }
    if (value.empty()) return std::nullopt;
    return value;
  }
  return std::nullopt;
}

std::string to_utf8(std::string_view bytes, const std::string& charset) {
  Converter converter(charset);
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) converter.convert(bytes, out);
  return out;
}

std::string without_credentials_unparsed(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return std::string(text);
  // A password with a '/', '?' or '#' in it is a reason why this is no URL; so only the end counts.
  const std::size_t slashes = text.find("//");
  const std::size_t kept = slashes == std::string_view::npos || slashes > at ? 0 : slashes + 2;
  return std::string(text.substr(0, kept)) + "…" + std::string(text.substr(at));
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      out += i + k <= bytes.size() ? digits[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

}  // namespace brio::http::detail
