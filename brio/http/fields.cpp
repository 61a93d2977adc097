#include <brio/http/fields.hpp>
#include <brio/http/headers.hpp>
#include <brio/http/url.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>

namespace brio::http {
namespace {

constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> weekdays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value = 0;
  if (text.empty() || text[0] < '0' || text[0] > '9') return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Walks over a text; each step says whether it matched.
class Scanner {
public:
  explicit Scanner(std::string_view text) : rest_(text) {}
  bool literal(std::string_view text) {
    if (rest_.substr(0, text.size()) != text) return false;
    rest_.remove_prefix(text.size());
    return true;
  }
  bool digits(std::size_t count, int& value) {
    const auto parsed = number<int>(rest_.substr(0, count));
    if (rest_.size() < count || !parsed) return false;
    value = *parsed;
    rest_.remove_prefix(count);
    return true;
  }
  bool month(int& value) {
    const auto found = std::find(months.begin(), months.end(), rest_.substr(0, 3));
    if (found == months.end()) return false;
    value = static_cast<int>(found - months.begin()) + 1;
    rest_.remove_prefix(3);
    return true;
  }
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

private:
  std::string_view rest_;
};

struct DateParts {
  int year = 0;
  int month = 0;
  int day = 0;
  int hour = 0;
  int minute = 0;
  int second = 0;
};

bool clock(Scanner& in, DateParts& parts) {
  return in.digits(2, parts.hour) && in.literal(":") && in.digits(2, parts.minute) &&
         in.literal(":") && in.digits(2, parts.second);
}

// "Sun, 06 Nov 1994 08:49:37 GMT", after the comma
bool imf_fixdate(Scanner in, DateParts& parts) {
  return in.literal(" ") && in.digits(2, parts.day) && in.literal(" ") && in.month(parts.month) &&
         in.literal(" ") && in.digits(4, parts.year) && in.literal(" ") && clock(in, parts) &&
         in.literal(" GMT") && in.at_end();
}

// "Sunday, 06-Nov-94 08:49:37 GMT", after the comma
bool rfc850_date(Scanner in, DateParts& parts) {
  if (!(in.literal(" ") && in.digits(2, parts.day) && in.literal("-") && in.month(parts.month) &&
        in.literal("-") && in.digits(2, parts.year) && in.literal(" ") && clock(in, parts) &&
        in.literal(" GMT") && in.at_end())) {
    return false;
  }
  parts.year += parts.year < 70 ? 2000 : 1900;
  return true;
}

// "Sun Nov  6 08:49:37 1994", after the weekday
bool asctime_date(Scanner in, DateParts& parts) {
  if (!(in.literal(" ") && in.month(parts.month) && in.literal(" "))) return false;
  const bool day = in.literal(" ") ? in.digits(1, parts.day) : in.digits(2, parts.day);
  return day && in.literal(" ") && clock(in, parts) && in.literal(" ") &&
         in.digits(4, parts.year) && in.at_end();
}

// One parameter of a Content-Disposition off the front of `text`; false at its end or at junk.
bool next_parameter(std::string_view& text, std::string_view& name, std::string& value) {
  const std::size_t semicolon = text.find(';');
  if (semicolon == std::string_view::npos) return false;
  text = text.substr(semicolon + 1);
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return false;
  name = trimmed(text.substr(0, equals));
  text = text.substr(equals + 1);
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  value.clear();
  if (text.empty() || text.front() != '"') {
    const std::size_t end = std::min(text.find(';'), text.size());
    value = trimmed(text.substr(0, end));
    text.remove_prefix(end);
    return true;
  }
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return true;
    }
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    value += text[i];
  }
  return false;
}

// "UTF-8'en'na%C3%AFve" (RFC 8187)
std::optional<std::string> extended_value(std::string_view text) {
  const std::size_t first = text.find('\'');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = text.find('\'', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  std::string decoded = percent_decode(text.substr(second + 1));
  const std::string_view charset = text.substr(0, first);
  if (iequals(charset, "UTF-8")) return decoded;
  if (!iequals(charset, "ISO-8859-1")) return std::nullopt;
  std::string utf8;
  for (const char c : decoded) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      utf8 += c;
    } else {
      utf8 += static_cast<char>(0xc0 | (byte >> 6));
      utf8 += static_cast<char>(0x80 | (byte & 0x3f));
    }
  }
  return utf8;
}

}  // namespace

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) {
  DateParts parts;
  const std::size_t comma = text.find(',');
  const bool parsed = comma != std::string_view::npos
                          ? imf_fixdate(Scanner(text.substr(comma + 1)), parts) ||
                                rfc850_date(Scanner(text.substr(comma + 1)), parts)
                          : text.size() > 3 && asctime_date(Scanner(text.substr(3)), parts);
  if (!parsed || parts.hour > 23 || parts.minute > 59 || parts.second > 60) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(parts.year),
                                         std::chrono::month(static_cast<unsigned>(parts.month)),
                                         std::chrono::day(static_cast<unsigned>(parts.day))};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date) + std::chrono::hours(parts.hour) +
         std::chrono::minutes(parts.minute) + std::chrono::seconds(parts.second);
}

std::string format_http_date(std::chrono::sys_seconds time) {
  const auto days = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(days);
  const std::chrono::hh_mm_ss clock(time - days);
  std::array<char, 64> buffer{};
  std::snprintf(
      buffer.data(), buffer.size(), "%s, %02u %s %04d %02d:%02d:%02d GMT",
      weekdays[std::chrono::weekday(days).c_encoding()].data(), static_cast<unsigned>(date.day()),
      months[static_cast<unsigned>(date.month()) - 1].data(), static_cast<int>(date.year()),
      static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
      static_cast<int>(clock.seconds().count()));
  return buffer.data();
}

std::optional<std::chrono::seconds> parse_retry_after(std::string_view text,
                                                      std::chrono::sys_seconds now) {
  text = trimmed(text);
  if (const auto delay = number<std::uint32_t>(text)) return std::chrono::seconds(*delay);
  const auto date = parse_http_date(text);
  if (!date) return std::nullopt;
  return std::max(std::chrono::seconds(0), std::chrono::seconds(*date - now));
}

std::optional<ContentRange> parse_content_range(std::string_view text) {
  text = trimmed(text);
  if (text.size() < 6 || !iequals(text.substr(0, 6), "bytes ")) return std::nullopt;
  text.remove_prefix(6);
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view range = text.substr(0, slash);
  const std::string_view complete = text.substr(slash + 1);
  ContentRange parsed;
  if (complete != "*") {
    parsed.complete = number<std::uint64_t>(complete);
    if (!parsed.complete) return std::nullopt;
  }
  if (range == "*") {
    if (!parsed.complete) return std::nullopt;
    return parsed;
  }
  const std::size_t dash = range.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  parsed.first = number<std::uint64_t>(range.substr(0, dash));
  parsed.last = number<std::uint64_t>(range.substr(dash + 1));
  if (!parsed.first || !parsed.last || *parsed.first > *parsed.last) return std::nullopt;
  if (parsed.complete && *parsed.last >= *parsed.complete) return std::nullopt;
  return parsed;
}

bool is_strong_etag(std::string_view etag) noexcept {
  return etag.size() >= 2 && etag.front() == '"' && etag.back() == '"';
}

std::optional<std::string> header_parameter(std::string_view field, std::string_view name) {
  std::string_view found;
  std::string value;
  while (next_parameter(field, found, value)) {
    if (iequals(found, name)) return value;
  }
  return std::nullopt;
}

std::optional<std::string> content_disposition_filename(std::string_view text) {
  std::optional<std::string> plain;
  std::string_view name;
  std::string value;
  while (next_parameter(text, name, value)) {
    if (iequals(name, "filename*")) {
      if (auto extended = extended_value(value)) return extended;
    } else if (iequals(name, "filename") && !plain) {
      plain = value;
    }
  }
  return plain;
}

}  // namespace brio::http
