#include <brio/http/detail/target.hpp>

#include <brio/http/headers.hpp>
#include <brio/http/request_parser.hpp>

#include <algorithm>
#include <array>

namespace brio::http::detail {
namespace {

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

bool is_hex(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

constexpr std::array<bool, 256> make_name_table() {
  std::array<bool, 256> table{};
  for (std::size_t c = 0; c < 256; ++c) {
    const char as_char = static_cast<char>(c);
    table[c] = is_digit(as_char) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }
  for (const char c : std::string_view("-._~!$&'()*+,;=")) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}
constexpr std::array<bool, 256> name_table = make_name_table();

bool is_name(std::string_view host) noexcept {
  for (std::size_t at = 0; at < host.size(); ++at) {
    const char c = host[at];
    if (name_table[static_cast<unsigned char>(c)]) continue;
    if (c == '%' && host.size() - at > 2 && is_hex(host[at + 1]) && is_hex(host[at + 2])) continue;
    return false;
  }
  return true;
}

[[noreturn]] void refuse(const char* why) { throw HttpProcessingError(400, why); }

}  // namespace

bool is_host_field(std::string_view text) noexcept {
  std::string_view rest;
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || close == 1) return false;
    const std::string_view address = text.substr(1, close - 1);
    // Zone ids mean nothing to anybody but the sender.
    if (!std::all_of(address.begin(), address.end(),
                     [](char c) { return is_hex(c) || c == ':' || c == '.'; })) {
      return false;
    }
    rest = text.substr(close + 1);
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    if (!is_name(text.substr(0, colon))) return false;
    rest = text.substr(colon);
  }
  if (rest.empty()) return true;
  if (rest.front() != ':') return false;
  rest.remove_prefix(1);
  return rest.size() <= 5 && std::all_of(rest.begin(), rest.end(), is_digit);
}

AbsoluteTarget split_absolute(std::string_view target) noexcept {
  const std::size_t colon = target.find("://");
  if (colon == std::string_view::npos) return {};
  const std::size_t authority_at = colon + 3;
  const std::size_t path_at = std::min(target.find_first_of("/?", authority_at), target.size());
  return {target.substr(0, colon), target.substr(authority_at, path_at - authority_at),
          target.substr(path_at)};
}

TargetForm target_form(std::string_view method, std::string_view target) {
  if (method == "CONNECT") {
    const std::size_t colon = target.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || colon + 1 == target.size() ||
        !is_host_field(target)) {
      refuse("CONNECT without host and port");
    }
    return TargetForm::authority;
  }
  if (target.starts_with('/')) return TargetForm::origin;
  if (target == "*") {
    if (method != "OPTIONS") refuse("'*' is a target of OPTIONS only");
    return TargetForm::asterisk;
  }
  const AbsoluteTarget parts = split_absolute(target);
  if (!iequals(parts.scheme, "http") && !iequals(parts.scheme, "https")) {
    refuse("invalid request target");
  }
  if (parts.authority.empty() || !is_host_field(parts.authority)) {
    refuse("invalid host in the request target");
  }
  return TargetForm::absolute;
}

}  // namespace brio::http::detail
