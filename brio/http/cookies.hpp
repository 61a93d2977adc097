// Cookies as a client keeps them (RFC 6265bis; aiohttp.CookieJar).
#pragma once

#include <brio/http/headers.hpp>
#include <brio/http/url.hpp>

#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brio::http {

/// A cookie in a jar.
struct Cookie {
  std::string name;    ///< may be empty
  std::string value;   ///< as it was set, quotes included
  std::string domain;  ///< in lower case, without a leading dot
  std::string path;    ///< begins with '/'
  /// Sent to `domain` alone, not to what lies below it.
  bool host_only = true;
  bool secure = false;         ///< sent over https only
  bool http_only = false;      ///< not for scripts; kept for whoever asks
  std::string same_site = {};  ///< as it was set; a client without pages has no use for it
  /// Nothing: until the jar goes.
  std::optional<std::chrono::sys_seconds> expires = std::nullopt;
};

/// What a cookie may cost, and who may set one.
struct CookieJarOptions {
  /// Take cookies from hosts that are addresses, as aiohttp's `unsafe`.
  bool unsafe = false;
  std::size_t max_cookies = 3'000;         ///< in all; then the longest unused goes
  std::size_t max_per_domain = 180;        ///< likewise, for one domain
  std::size_t max_cookie_size = 4'096;     ///< bytes of name and value; a longer one is not taken
  std::size_t max_attribute_size = 1'024;  ///< a longer attribute is as if it were not there
  /// The time; for tests.
  std::function<std::chrono::sys_seconds()> now = {};
};

/// The cookies that servers have set, and which of them go with a request.
///
/// Refused, as browsers do: a domain that the host does not lie in, one under which everybody may
/// register (a public suffix, by libpsl's list), a Secure cookie from http and one that would hide
/// it, `__Secure-` and `__Host-` names that do not keep their promise, control characters. Kept for
/// 400 days at most.
class BRIO_API CookieJar {
public:
  explicit CookieJar(CookieJarOptions options = {});
  CookieJar(CookieJar&&) noexcept;
  CookieJar& operator=(CookieJar&&) noexcept;
  ~CookieJar();

  /// Takes a Set-Cookie field's value that came from `url`. False where it was refused.
  bool set(std::string_view field, const URL& url);
  /// Takes all Set-Cookie fields of a response (aiohttp.CookieJar.update_cookies_from_headers).
  void update_cookies_from_headers(const Headers& response, const URL& url);
  /// Puts a cookie of the program's own for `url`'s host and all paths. Throws ValueError for a
  /// name or value that cannot be sent.
  void update_cookies(const std::vector<std::pair<std::string, std::string>>& cookies,
                      const URL& url);

  /// What goes with a request to `url`, in the order of RFC 6265 §5.4: longer paths first, then the
  /// older ones.
  [[nodiscard]] std::vector<Cookie> filter_cookies(const URL& url);
  /// The same as a Cookie field's value; "" for none.
  [[nodiscard]] std::string cookie_header(const URL& url);

  /// All that have not expired, in no order.
  [[nodiscard]] std::vector<Cookie> cookies();
  /// Removes those for which `which` is true, all without it.
  void clear(const std::function<bool(const Cookie&)>& which = {});
  /// Removes those of a domain and of what lies below it.
  void clear_domain(std::string_view domain);
  /// How many there are, expired ones not counted.
  [[nodiscard]] std::size_t size();

private:
  struct Entry {
    Cookie cookie;
    std::uint64_t created = 0;  // in the order of setting
    std::uint64_t used = 0;
  };
  struct Parsed;

  [[nodiscard]] std::chrono::sys_seconds now() const;
  [[nodiscard]] std::optional<Parsed> parse(std::string_view field) const;
  bool store(Cookie cookie, const URL& url);
  void drop_expired();
  void make_room(const std::string& domain);

  CookieJarOptions options_;
  // By domain, so that a request looks at its host's and the domains above it alone.
  std::map<std::string, std::vector<Entry>, std::less<>> domains_;
  std::uint64_t counter_ = 0;
};

/// A date as Set-Cookie has it, read as leniently as RFC 6265 §5.1.1 says; nothing for none.
[[nodiscard]] BRIO_API std::optional<std::chrono::sys_seconds> parse_cookie_date(
    std::string_view text);

}  // namespace brio::http
