#include <brio/http/detail/cookie_rules.hpp>

#include <brio/http/cookies.hpp>

#include <algorithm>
#include <array>

#include <libpsl.h>

namespace brio::http {
namespace detail {

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_address(std::string_view host) noexcept {
  // URL has refused every numeric host that is no plain address.
  return host.find(':') != std::string_view::npos ||
         (!host.empty() && host.back() >= '0' && host.back() <= '9' &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

bool domain_matches(std::string_view host, std::string_view domain) noexcept {
  if (host == domain) return true;
  return host.size() > domain.size() && host.ends_with(domain) &&
         host[host.size() - domain.size() - 1] == '.' && !is_address(host);
}

bool is_public_suffix(const std::string& domain) {
  const psl_ctx_t* const list = psl_builtin();
  // Without the list: what has no dot inside is taken for one.
  if (list == nullptr) return domain.find('.') == std::string::npos;
  return psl_is_public_suffix(list, domain.c_str()) != 0;
}

std::string default_path(std::string_view request_path) {
  if (!request_path.starts_with('/')) return "/";
  const std::size_t slash = request_path.rfind('/');
  return std::string(slash == 0 ? "/" : request_path.substr(0, slash));
}

bool path_matches(std::string_view request_path, std::string_view cookie_path) noexcept {
  if (!request_path.starts_with(cookie_path)) return false;
  return request_path.size() == cookie_path.size() || cookie_path.ends_with('/') ||
         request_path[cookie_path.size()] == '/';
}

std::optional<std::int64_t> parse_max_age(std::string_view text) noexcept {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  if (negative) return -1;
  std::int64_t seconds = 0;
  for (const char c : text) {
    seconds = std::min<std::int64_t>(seconds * 10 + (c - '0'), 100'000'000'000);
  }
  return seconds;
}

}  // namespace detail

namespace {

struct DateParts {
  int hour = -1;
  int minute = -1;
  int second = -1;
  int day = -1;
  int month = -1;
  int year = -1;
};

// So many digits at the beginning of `text`, at most `most`, as a number; -1 for fewer than `least`
// or more.
int leading_number(std::string_view text, std::size_t least, std::size_t most) noexcept {
  std::size_t digits = 0;
  int number = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') {
    if (++digits > most) return -1;
    number = number * 10 + (text[digits - 1] - '0');
  }
  return digits < least ? -1 : number;
}

bool read_time(std::string_view token, DateParts& parts) noexcept {
  std::array<int, 3> fields{};
  for (std::size_t at = 0; at < fields.size(); ++at) {
    const std::size_t colon = token.find(':');
    if (at < 2 && colon == std::string_view::npos) return false;
    fields[at] = leading_number(token.substr(0, colon), 1, 2);
    const bool whole = at == 2 || token.find_first_not_of("0123456789") == colon;
    if (fields[at] < 0 || !whole) return false;
    token.remove_prefix(colon == std::string_view::npos ? token.size() : colon + 1);
  }
  parts.hour = fields[0];
  parts.minute = fields[1];
  parts.second = fields[2];
  return true;
}

int read_month(std::string_view token) {
  constexpr std::array<std::string_view, 12> months{"jan", "feb", "mar", "apr", "may", "jun",
                                                    "jul", "aug", "sep", "oct", "nov", "dec"};
  const auto found =
      std::find(months.begin(), months.end(), detail::lower_case(token.substr(0, 3)));
  return found == months.end() ? -1 : static_cast<int>(found - months.begin()) + 1;
}

bool is_delimiter(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte <= 0x2f) || (byte >= 0x3b && byte <= 0x40) ||
         (byte >= 0x5b && byte <= 0x60) || (byte >= 0x7b && byte <= 0x7e);
}

}  // namespace

std::optional<std::chrono::sys_seconds> parse_cookie_date(std::string_view text) {
  DateParts parts;
  while (!text.empty()) {
    const auto end = std::find_if(text.begin(), text.end(), is_delimiter);
    const std::string_view token = text.substr(0, static_cast<std::size_t>(end - text.begin()));
    text.remove_prefix(std::min(token.size() + 1, text.size()));
    if (token.empty()) continue;
    if (parts.hour < 0 && read_time(token, parts)) continue;
    if (parts.day < 0) {
      parts.day = leading_number(token, 1, 2);
      if (parts.day >= 0) continue;
    }
    if (parts.month < 0) {
      parts.month = read_month(token);
      if (parts.month >= 0) continue;
    }
    if (parts.year < 0) parts.year = leading_number(token, 2, 4);
  }
  if (parts.year >= 70 && parts.year <= 99) parts.year += 1900;
  if (parts.year >= 0 && parts.year <= 69) parts.year += 2000;
  if (parts.hour < 0 || parts.day < 1 || parts.month < 0 || parts.year < 1601) return std::nullopt;
  if (parts.hour > 23 || parts.minute > 59 || parts.second > 59) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(parts.year),
                                         std::chrono::month(static_cast<unsigned>(parts.month)),
                                         std::chrono::day(static_cast<unsigned>(parts.day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(parts.hour) +
         std::chrono::minutes(parts.minute) + std::chrono::seconds(parts.second);
}

}  // namespace brio::http
