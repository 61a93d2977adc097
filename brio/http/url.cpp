#include <brio/http/url.hpp>

#include <brio/http/detail/text.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>

#include <arpa/inet.h>
#include <idn2.h>

namespace brio::http {
namespace {

using CharSet = std::array<bool, 256>;

constexpr bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

constexpr CharSet char_set(std::string_view more) {
  CharSet set{};
  for (int i = 0; i < 128; ++i) {
    const char c = static_cast<char>(i);
    set[static_cast<std::size_t>(i)] = is_alpha(c) || is_digit(c);
  }
  for (const char c : more) set[static_cast<unsigned char>(c)] = true;
  return set;
}

// RFC 3986's grammar: what each component may hold unquoted.
constexpr CharSet unreserved = char_set("-._~");
constexpr CharSet userinfo_chars = char_set("-._~!$&'()*+,;=");
constexpr CharSet path_chars = char_set("-._~!$&'()*+,;=:@/");
constexpr CharSet query_chars = char_set("-._~!$&'()*+,;=:@/?");

constexpr bool in(const CharSet& set, char c) { return set[static_cast<unsigned char>(c)]; }

constexpr int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// The byte that "%XX" at `at` stands for, or -1 where there is no such triplet.
int triplet(std::string_view text, std::size_t at) {
  if (at + 2 >= text.size() || text[at] != '%') return -1;
  const int high = hex_value(text[at + 1]);
  const int low = hex_value(text[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

void append_quoted(std::string& out, char c) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  const auto byte = static_cast<unsigned char>(c);
  out += '%';
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

// RFC 3986 §6.2.2: upper-case triplets, unreserved characters bare, everything else quoted.
std::string normalised(std::string_view text, const CharSet& allowed) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int byte = triplet(text, i);
    if (byte >= 0) {
      const char decoded = static_cast<char>(byte);
      if (in(unreserved, decoded)) {
        out += decoded;
      } else {
        append_quoted(out, decoded);
      }
      i += 2;
    } else if (in(allowed, text[i])) {
      out += text[i];
    } else {
      append_quoted(out, text[i]);
    }
  }
  return out;
}

// RFC 3986 §5.2.4, for a path that begins with '/'.
std::string remove_dot_segments(std::string_view path) {
  std::string out;
  out.reserve(path.size());
  std::size_t at = 0;
  while (at < path.size()) {
    const std::size_t next = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = path.substr(at, next - at);  // with its leading '/'
    const bool last = next == path.size();
    if (segment == "/." || segment == "/..") {
      if (segment == "/..") {
        const std::size_t cut = out.rfind('/');
        out.resize(cut == std::string::npos ? 0 : cut);
      }
      if (last) out += '/';
    } else {
      out += segment;
    }
    at = next;
  }
  return out;
}

bool is_plain_ipv4(std::string_view host) {
  int parts = 0;
  while (true) {
    const std::size_t dot = host.find('.');
    const std::string_view part = host.substr(0, dot);
    const bool digits =
        !part.empty() && part.size() <= 3 && std::all_of(part.begin(), part.end(), is_digit);
    if (!digits || (part.size() > 1 && part[0] == '0')) return false;
    int value = 0;
    std::from_chars(part.data(), part.data() + part.size(), value);
    if (value > 255) return false;
    ++parts;
    if (dot == std::string_view::npos) return parts == 4;
    host.remove_prefix(dot + 1);
  }
}

// WHATWG's "ends in a number": such a host is an address or nothing.
bool ends_in_number(std::string_view host) {
  if (!host.empty() && host.back() == '.') host.remove_suffix(1);
  const std::size_t dot = host.rfind('.');
  std::string_view label = dot == std::string_view::npos ? host : host.substr(dot + 1);
  if (label.empty()) return false;
  if (std::all_of(label.begin(), label.end(), is_digit)) return true;
  if (label.size() < 2 || label[0] != '0' || (label[1] != 'x' && label[1] != 'X')) return false;
  label.remove_prefix(2);
  return std::all_of(label.begin(), label.end(), [](char c) { return hex_value(c) >= 0; });
}

std::string to_ascii_name(std::string_view url, const std::string& name) {
  char* raw = nullptr;
  const int status = idn2_to_ascii_8z(name.c_str(), &raw, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  const std::unique_ptr<char, void (*)(void*)> text(raw, idn2_free);
  if (status != IDN2_OK) {
    throw InvalidURL(url, std::string("bad host name: ") + idn2_strerror(status));
  }
  return text.get();
}

std::string parse_ipv6(std::string_view url, std::string_view literal) {
  in6_addr address{};
  const std::string text(literal);
  // inet_pton stops at a NUL, and knows no zone ids (RFC 6874), which browsers refuse as well.
  if (text.find('\0') != std::string::npos || inet_pton(AF_INET6, text.c_str(), &address) != 1) {
    throw InvalidURL(url, "bad IPv6 address");
  }
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(AF_INET6, &address, buffer.data(), buffer.size());
  return buffer.data();
}

std::string parse_name(std::string_view url, std::string_view written) {
  std::string name = percent_decode(written);
  const bool ascii = std::all_of(name.begin(), name.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (name.find('\0') != std::string::npos) throw InvalidURL(url, "NUL in the host");
  if (!ascii) name = to_ascii_name(url, name);
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    // Of sub-delims that RFC 3986 allows in a name, DNS and browsers know few; all that could
    // end a host in some parser (/ ? # @ : \ [ ] < > ^ | % space, controls) is out.
    if (!in(unreserved, c) && std::string_view("!$&'()*+,;=").find(c) == std::string_view::npos) {
      throw InvalidURL(url, "bad character in the host");
    }
  }
  if (name.empty()) throw InvalidURL(url, "no host");
  if (name.size() > 255) throw InvalidURL(url, "host name too long");
  if (ends_in_number(name) && !is_plain_ipv4(name)) {
    throw InvalidURL(url, "numeric host that is not a plain IPv4 address");
  }
  return name;
}

struct Parts {
  std::optional<std::string_view> scheme;
  std::optional<std::string_view> authority;
  std::string_view path;
  std::optional<std::string_view> query;
  std::optional<std::string_view> fragment;
};

// RFC 3986 appendix B, and no more than that.
Parts split(std::string_view text) {
  Parts parts;
  if (const std::size_t hash = text.find('#'); hash != std::string_view::npos) {
    parts.fragment = text.substr(hash + 1);
    text = text.substr(0, hash);
  }
  if (const std::size_t mark = text.find('?'); mark != std::string_view::npos) {
    parts.query = text.substr(mark + 1);
    text = text.substr(0, mark);
  }
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos && colon > 0 && is_alpha(text[0]) &&
      std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon), [](char c) {
        return is_alpha(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
      })) {
    parts.scheme = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (text.substr(0, 2) == "//") {
    const std::size_t end = std::min(text.find('/', 2), text.size());
    parts.authority = text.substr(2, end - 2);
    text.remove_prefix(end);
  }
  parts.path = text;
  return parts;
}

void check_characters(std::string_view text, std::size_t max_length) {
  if (text.size() > max_length) throw InvalidURL(text, "too long");
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) throw InvalidURL(text, "control character");
  }
  if (!text.empty() && (text.front() == ' ' || text.back() == ' ')) {
    throw InvalidURL(text, "space at an end");
  }
  // A browser takes it for a slash, RFC 3986 for nothing at all.
  if (text.substr(0, text.find_first_of("?#")).find('\\') != std::string_view::npos) {
    throw InvalidURL(text, "backslash");
  }
}

std::string absolute_path(std::string_view path) {
  if (path.empty()) return "/";
  return remove_dot_segments(normalised(path, path_chars));
}

}  // namespace

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int byte = triplet(text, i);
    out += byte >= 0 ? static_cast<char>(byte) : text[i];
    if (byte >= 0) i += 2;
  }
  return out;
}

std::string percent_encode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (in(unreserved, c)) {
      out += c;
    } else {
      append_quoted(out, c);
    }
  }
  return out;
}

URL::URL(std::string_view text, std::size_t max_length) {
  check_characters(text, max_length);
  const Parts parts = split(text);
  if (!parts.scheme) throw InvalidURL(text, "no scheme; http:// or https:// is needed");
  if (iequals(*parts.scheme, "https")) {
    secure_ = true;
  } else if (!iequals(*parts.scheme, "http")) {
    throw InvalidURL(text, "scheme is neither http nor https");
  }
  if (!parts.authority) throw InvalidURL(text, "no host");
  parse_authority(text, *parts.authority);
  path_ = absolute_path(parts.path);
  if (parts.query) query_ = normalised(*parts.query, query_chars);
  if (parts.fragment) fragment_ = normalised(*parts.fragment, query_chars);
}

void URL::parse_authority(std::string_view whole, std::string_view authority) {
  if (const std::size_t at = authority.find('@'); at != std::string_view::npos) {
    const std::string_view userinfo = authority.substr(0, at);
    authority.remove_prefix(at + 1);
    if (authority.find('@') != std::string_view::npos) throw InvalidURL(whole, "two '@'");
    const std::size_t colon = userinfo.find(':');
    const std::string_view user = userinfo.substr(0, colon);
    if (colon != std::string_view::npos) {
      password_ = normalised(userinfo.substr(colon + 1), userinfo_chars);
    }
    if (!user.empty() || password_) user_ = normalised(user, userinfo_chars);
  }
  std::string_view port_text;
  if (!authority.empty() && authority.front() == '[') {
    const std::size_t close = authority.find(']');
    if (close == std::string_view::npos) throw InvalidURL(whole, "unclosed '['");
    host_ = parse_ipv6(whole, authority.substr(1, close - 1));
    port_text = authority.substr(close + 1);
    if (!port_text.empty() && port_text.front() != ':') {
      throw InvalidURL(whole, "junk after ']'");
    }
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    host_ = parse_name(whole, authority.substr(0, colon));
    port_text = authority.substr(colon);
  }
  port_ = secure_ ? 443 : 80;
  if (port_text.size() <= 1) return;  // "http://host:/" has the default port
  port_text.remove_prefix(1);
  unsigned value = 0;
  const char* end = port_text.data() + port_text.size();
  const auto [stopped, error] = std::from_chars(port_text.data(), end, value);
  if (error != std::errc() || stopped != end || !is_digit(port_text[0]) || value > 65'535) {
    throw InvalidURL(whole, "bad port");
  }
  port_ = static_cast<std::uint16_t>(value);
}

std::string without_credentials(std::string_view text) {
  if (text.find('@') == std::string_view::npos) return std::string(text);
  try {
    const URL url(text);
    return url.raw_user() ? url.without_userinfo().str() : std::string(text);
  } catch (const InvalidURL&) {
    return detail::without_credentials_unparsed(text);
  }
}

std::optional<std::string> URL::user() const {
  if (!user_) return std::nullopt;
  return percent_decode(*user_);
}

std::optional<std::string> URL::password() const {
  if (!password_) return std::nullopt;
  return percent_decode(*password_);
}

std::string URL::host_subcomponent() const {
  return host_.find(':') == std::string::npos ? host_ : "[" + host_ + "]";
}

std::string URL::host_port_subcomponent() const {
  std::string text = host_subcomponent();
  if (!is_default_port()) text += ":" + std::to_string(port_);
  return text;
}

std::string URL::name() const {
  return percent_decode(std::string_view(path_).substr(path_.rfind('/') + 1));
}

Pairs URL::query() const { return query_ ? parse_form(*query_) : Pairs(); }

std::string URL::raw_path_qs() const { return query_ ? path_ + "?" + *query_ : path_; }

std::string URL::origin() const { return std::string(scheme()) + "://" + host_port_subcomponent(); }

bool URL::same_origin(const URL& other) const noexcept {
  return secure_ == other.secure_ && port_ == other.port_ && host_ == other.host_;
}

std::string URL::str() const {
  std::string text = std::string(scheme()) + "://";
  if (user_) {
    text += *user_;
    if (password_) text += ":" + *password_;
    text += "@";
  }
  text += host_port_subcomponent();
  text += raw_path_qs();
  if (fragment_) text += "#" + *fragment_;
  return text;
}

URL URL::join(std::string_view reference, std::size_t max_length) const {
  check_characters(reference, max_length);
  const Parts parts = split(reference);
  if (parts.scheme) return URL(reference, max_length);
  if (parts.authority) return URL(std::string(scheme()) + ":" + std::string(reference), max_length);
  URL result = *this;
  result.fragment_.reset();
  if (parts.fragment) result.fragment_ = normalised(*parts.fragment, query_chars);
  if (parts.query) {
    result.query_ = normalised(*parts.query, query_chars);
  } else if (!parts.path.empty()) {
    result.query_.reset();
  }
  if (!parts.path.empty()) {
    std::string merged;
    if (parts.path.front() != '/') merged = path_.substr(0, path_.rfind('/') + 1);
    merged += parts.path;
    result.path_ = absolute_path(merged);
  }
  if (result.str().size() > max_length) throw InvalidURL(reference, "too long");
  return result;
}

URL URL::without_userinfo() const {
  URL result = *this;
  result.user_.reset();
  result.password_.reset();
  return result;
}

URL URL::with_fragment(std::optional<std::string_view> fragment) const {
  URL result = *this;
  result.fragment_.reset();
  if (fragment) result.fragment_ = normalised(*fragment, query_chars);
  return result;
}

URL URL::extend_query(const Pairs& pairs) const {
  URL result = *this;
  if (pairs.empty()) return result;
  std::string query = query_.value_or("");
  if (!query.empty()) query += '&';
  result.query_ = query + encode_form(pairs);
  return result;
}

}  // namespace brio::http
