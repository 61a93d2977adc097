#include <brio/http/cookies.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/http/detail/cookie_rules.hpp>

#include <algorithm>
#include <array>
#include <limits>

namespace brio::http {
namespace {

using detail::lower_case;

constexpr std::chrono::days longest_life{400};

bool has_control(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

bool starts_with_lower(const std::string& text, std::string_view prefix) {
  return lower_case(text.substr(0, prefix.size())) == prefix;
}

bool same_identity(const Cookie& a, const Cookie& b) noexcept {
  return a.name == b.name && a.path == b.path && a.host_only == b.host_only;
}

std::string_view before(std::string_view& rest, char mark) noexcept {
  const std::size_t at = std::min(rest.find(mark), rest.size());
  const std::string_view part = rest.substr(0, at);
  rest.remove_prefix(std::min(at + 1, rest.size()));
  return part;
}

}  // namespace

struct CookieJar::Parsed {
  Cookie cookie;
  std::optional<std::string> domain;
  std::optional<std::string> path;
};

CookieJar::CookieJar(CookieJarOptions options) : options_(std::move(options)) {}
CookieJar::CookieJar(CookieJar&&) noexcept = default;
CookieJar& CookieJar::operator=(CookieJar&&) noexcept = default;
CookieJar::~CookieJar() = default;

std::chrono::sys_seconds CookieJar::now() const {
  if (options_.now) return options_.now();
  return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

// RFC 6265bis §5.6.
std::optional<CookieJar::Parsed> CookieJar::parse(std::string_view field) const {
  if (has_control(field)) return std::nullopt;
  std::string_view pair = before(field, ';');
  Parsed parsed;
  Cookie& cookie = parsed.cookie;
  if (pair.find('=') == std::string_view::npos) {
    cookie.value = trimmed(pair);
  } else {
    cookie.name = trimmed(before(pair, '='));
    cookie.value = trimmed(pair);
  }
  const std::size_t size = cookie.name.size() + cookie.value.size();
  if (size == 0 || size > options_.max_cookie_size) return std::nullopt;
  std::optional<std::chrono::sys_seconds> max_age;
  while (!field.empty()) {
    std::string_view attribute = before(field, ';');
    const std::string name = lower_case(trimmed(before(attribute, '=')));
    const std::string_view value = trimmed(attribute);
    if (value.size() > options_.max_attribute_size) continue;
    // Of an attribute given twice, the last counts.
    if (name == "expires") {
      if (const auto date = parse_cookie_date(value)) cookie.expires = *date;
    } else if (name == "max-age") {
      if (const auto seconds = detail::parse_max_age(value)) {
        max_age = *seconds <= 0 ? std::chrono::sys_seconds{}
                                : now() + std::min<std::chrono::seconds>(
                                              std::chrono::seconds(*seconds), longest_life);
      }
    } else if (name == "domain") {
      parsed.domain = lower_case(value.starts_with('.') ? value.substr(1) : value);
    } else if (name == "path") {
      parsed.path = value.starts_with('/') ? std::optional<std::string>(value) : std::nullopt;
    } else if (name == "secure") {
      cookie.secure = true;
    } else if (name == "httponly") {
      cookie.http_only = true;
    } else if (name == "samesite") {
      cookie.same_site = value;
    }
  }
  if (max_age) cookie.expires = max_age;
  if (cookie.expires) cookie.expires = std::min(*cookie.expires, now() + longest_life);
  return parsed;
}

// RFC 6265bis §5.7.
bool CookieJar::set(std::string_view field, const URL& url) {
  auto parsed = parse(field);
  if (!parsed) return false;
  Cookie& cookie = parsed->cookie;
  const std::string& host = url.host();
  const bool address = detail::is_address(host);
  if (address && !options_.unsafe) return false;
  cookie.domain = host;
  if (parsed->domain && !parsed->domain->empty() && *parsed->domain != host) {
    if (address || !detail::domain_matches(host, *parsed->domain)) return false;
    if (detail::is_public_suffix(*parsed->domain)) return false;
    cookie.domain = *parsed->domain;
    cookie.host_only = false;
  } else if (parsed->domain && *parsed->domain == host && !address) {
    // A host that is a public suffix itself may set cookies for itself alone.
    cookie.host_only = detail::is_public_suffix(host);
  }
  cookie.path = parsed->path ? *parsed->path : detail::default_path(url.raw_path());
  if (cookie.secure && !url.is_secure()) return false;
  if (starts_with_lower(cookie.name, "__secure-") && !cookie.secure) return false;
  if (starts_with_lower(cookie.name, "__host-") &&
      !(cookie.secure && cookie.host_only && parsed->path == "/")) {
    return false;
  }
  // A cookie without a name whose value looks like one of these would be sent as if it were one.
  if (cookie.name.empty() && (starts_with_lower(cookie.value, "__secure-") ||
                              starts_with_lower(cookie.value, "__host-"))) {
    return false;
  }
  return store(std::move(cookie), url);
}

bool CookieJar::store(Cookie cookie, const URL& url) {
  // Over http nobody may hide or replace what was set over https (§5.7.3, step 17).
  if (!url.is_secure()) {
    for (const auto& [domain, entries] : domains_) {
      if (!detail::domain_matches(domain, cookie.domain) &&
          !detail::domain_matches(cookie.domain, domain)) {
        continue;
      }
      for (const Entry& entry : entries) {
        if (entry.cookie.secure && entry.cookie.name == cookie.name &&
            detail::path_matches(cookie.path, entry.cookie.path)) {
          return false;
        }
      }
    }
  }
  const bool expired = cookie.expires && *cookie.expires <= now();
  std::vector<Entry>& entries = domains_[cookie.domain];
  const auto old = std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) {
    return same_identity(entry.cookie, cookie);
  });
  ++counter_;
  if (old != entries.end()) {
    if (expired) {
      entries.erase(old);
    } else {
      old->cookie = std::move(cookie);  // keeps its place in the order
      old->used = counter_;
    }
    return true;
  }
  if (expired) return true;
  const std::string domain = cookie.domain;
  entries.push_back({std::move(cookie), counter_, counter_});
  make_room(domain);
  return true;
}

void CookieJar::make_room(const std::string& domain) {
  std::vector<Entry>& own = domains_[domain];
  const auto older = [](const Entry& a, const Entry& b) { return a.used < b.used; };
  if (own.size() > options_.max_per_domain) {
    own.erase(std::min_element(own.begin(), own.end(), older));
  }
  std::size_t total = 0;
  for (const auto& [name, entries] : domains_) total += entries.size();
  if (total <= options_.max_cookies) return;
  drop_expired();
  total = 0;
  for (const auto& [name, entries] : domains_) total += entries.size();
  if (total <= options_.max_cookies) return;
  std::vector<Entry>* of = nullptr;
  std::vector<Entry>::iterator oldest;
  for (auto& [name, entries] : domains_) {
    const auto found = std::min_element(entries.begin(), entries.end(), older);
    if (found != entries.end() && (of == nullptr || older(*found, *oldest))) {
      of = &entries;
      oldest = found;
    }
  }
  if (of != nullptr) of->erase(oldest);
}

void CookieJar::update_cookies_from_headers(const Headers& response, const URL& url) {
  for (const std::string_view field : response.getall("Set-Cookie")) (void)set(field, url);
}

void CookieJar::update_cookies(const std::vector<std::pair<std::string, std::string>>& cookies,
                               const URL& url) {
  for (const auto& [name, value] : cookies) {
    if (!is_token(name)) throw ValueError("invalid cookie name '" + name + "'");
    if (has_control(value) || value.find(';') != std::string::npos) {
      throw ValueError("invalid character in the value of cookie '" + name + "'");
    }
    Cookie cookie{.name = name, .value = value, .domain = url.host(), .path = "/"};
    (void)store(std::move(cookie), url);
  }
}

std::vector<Cookie> CookieJar::filter_cookies(const URL& url) {
  drop_expired();
  ++counter_;
  std::vector<const Entry*> found;
  const std::string& host = url.host();
  const auto look = [&](std::string_view domain, bool exact) {
    const auto entries = domains_.find(domain);
    if (entries == domains_.end()) return;
    for (Entry& entry : entries->second) {
      const Cookie& cookie = entry.cookie;
      if (cookie.host_only && !exact) continue;
      if (cookie.secure && !url.is_secure()) continue;
      if (!detail::path_matches(url.raw_path(), cookie.path)) continue;
      entry.used = counter_;
      found.push_back(&entry);
    }
  };
  look(host, true);
  if (!detail::is_address(host)) {
    for (std::size_t dot = host.find('.'); dot != std::string::npos;
         dot = host.find('.', dot + 1)) {
      look(std::string_view(host).substr(dot + 1), false);
    }
  }
  std::sort(found.begin(), found.end(), [](const Entry* a, const Entry* b) {
    if (a->cookie.path.size() != b->cookie.path.size()) {
      return a->cookie.path.size() > b->cookie.path.size();
    }
    return a->created < b->created;
  });
  std::vector<Cookie> cookies;
  cookies.reserve(found.size());
  for (const Entry* entry : found) cookies.push_back(entry->cookie);
  return cookies;
}

std::string CookieJar::cookie_header(const URL& url) {
  std::string text;
  for (const Cookie& cookie : filter_cookies(url)) {
    if (!text.empty()) text += "; ";
    if (!cookie.name.empty()) text += cookie.name + "=";
    text += cookie.value;
  }
  return text;
}

std::vector<Cookie> CookieJar::cookies() {
  drop_expired();
  std::vector<Cookie> all;
  for (const auto& [domain, entries] : domains_) {
    for (const Entry& entry : entries) all.push_back(entry.cookie);
  }
  return all;
}

void CookieJar::clear(const std::function<bool(const Cookie&)>& which) {
  for (auto& [domain, entries] : domains_) {
    std::erase_if(entries, [&](const Entry& entry) { return !which || which(entry.cookie); });
  }
  std::erase_if(domains_, [](const auto& domain) { return domain.second.empty(); });
}

void CookieJar::clear_domain(std::string_view domain) {
  const std::string wanted = lower_case(domain);
  clear([&](const Cookie& cookie) { return detail::domain_matches(cookie.domain, wanted); });
}

std::size_t CookieJar::size() { return cookies().size(); }

void CookieJar::drop_expired() {
  const std::chrono::sys_seconds time = now();
  clear([time](const Cookie& cookie) { return cookie.expires && *cookie.expires <= time; });
}

}  // namespace brio::http
