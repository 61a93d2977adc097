// An http or https URL: parsed once, kept normalised, safe to put on the wire.
#pragma once

#include <brio/http/errors.hpp>
#include <brio/http/forms.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brio::http {

/// Percent-decodes every valid %XX; a stray '%' stays. The result may hold any byte.
[[nodiscard]] BRIO_API std::string percent_decode(std::string_view text);
/// Percent-encodes everything but RFC 3986's unreserved characters (encodeURIComponent, quote).
[[nodiscard]] BRIO_API std::string percent_encode(std::string_view text);

/// The text of a URL, also of one that is none, as it may be shown and written down: without a user
/// name and password. Where `text` is no URL, all that may belong to them is left out, up to the
/// last '@'.
[[nodiscard]] BRIO_API std::string without_credentials(std::string_view text);

/// An absolute http(s) URL, normalised; its accessors have yarl.URL's names.
///
/// Browsers (WHATWG) and RFC 3986 read some texts differently, and that is what request forgery
/// lives on. This type takes what both read alike, quotes what only needs quoting (a space, an
/// umlaut, a brace, a stray '%'), and refuses the rest: backslashes before the query, control
/// characters, several '@', numeric hosts that are no plain dotted IPv4 address (127.1, 0x7f.1),
/// zone ids, an empty host. `raw_` accessors return text as it goes on the wire, the others decode.
/// A name outside ASCII becomes its A-label (UTS 46, non-transitional). A lent view lives as long
/// as the URL.
class BRIO_API URL {
public:
  /// The longest text that is parsed where nothing else is said.
  static constexpr std::size_t default_max_length = 65'536;

  /// Parses an absolute URL; implicit, so that `session.get("http://…")` reads as in Python.
  /// Throws InvalidURL, also where `text` is longer than `max_length` bytes.
  URL(std::string_view text, std::size_t max_length = default_max_length);
  URL(const std::string& text) : URL(std::string_view(text)) {}
  URL(const char* text) : URL(std::string_view(text)) {}

  /// "http" or "https".
  [[nodiscard]] std::string_view scheme() const noexcept { return secure_ ? "https" : "http"; }
  /// Whether the scheme is https.
  [[nodiscard]] bool is_secure() const noexcept { return secure_; }
  /// User name as it stands in the URL, percent-encoded; nothing where there is none.
  [[nodiscard]] const std::optional<std::string>& raw_user() const noexcept { return user_; }
  /// The password, likewise.
  [[nodiscard]] const std::optional<std::string>& raw_password() const noexcept {
    return password_;
  }
  /// The user name, decoded.
  [[nodiscard]] std::optional<std::string> user() const;
  /// The password, decoded.
  [[nodiscard]] std::optional<std::string> password() const;
  /// The host in lower-case ASCII: a name, an IPv4 address, or an IPv6 address without brackets.
  [[nodiscard]] const std::string& host() const noexcept { return host_; }
  /// The same with brackets around an IPv6 address.
  [[nodiscard]] std::string host_subcomponent() const;
  /// The port, 80 or 443 where none is written.
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  /// Whether the port is the scheme's own.
  [[nodiscard]] bool is_default_port() const noexcept { return port_ == (secure_ ? 443 : 80); }
  /// `host[:port]`, the port only where it is not the scheme's own: the Host header.
  [[nodiscard]] std::string host_port_subcomponent() const;
  /// The path, never empty, percent-encoded, without dot segments.
  [[nodiscard]] const std::string& raw_path() const noexcept { return path_; }
  /// The path, decoded.
  [[nodiscard]] std::string path() const { return percent_decode(path_); }
  /// The last segment of the path, decoded; "" where the path ends in '/'.
  [[nodiscard]] std::string name() const;
  /// The query without '?', encoded; nothing where there is no '?'.
  [[nodiscard]] const std::optional<std::string>& raw_query_string() const noexcept {
    return query_;
  }
  /// The query's pairs, decoded ('+' is a space), in order.
  [[nodiscard]] Pairs query() const;
  /// What a request line asks for: path and query.
  [[nodiscard]] std::string raw_path_qs() const;
  /// The fragment without '#', encoded; nothing where there is no '#'. Never sent.
  [[nodiscard]] const std::optional<std::string>& raw_fragment() const noexcept {
    return fragment_;
  }
  /// Scheme, host and port: "https://example.com", RFC 6454's origin.
  [[nodiscard]] std::string origin() const;
  /// Whether scheme, host and port are the same.
  [[nodiscard]] bool same_origin(const URL& other) const noexcept;
  /// The whole URL.
  [[nodiscard]] std::string str() const;

  /// Resolves a reference against this URL (RFC 3986 §5.2, strictly). Throws InvalidURL, also for
  /// another scheme than http(s). The result's fragment is the reference's.
  [[nodiscard]] URL join(std::string_view reference,
                         std::size_t max_length = default_max_length) const;
  /// A copy without user and password.
  [[nodiscard]] URL without_userinfo() const;
  /// A copy with this fragment (quoted as needed), or without one.
  [[nodiscard]] URL with_fragment(std::optional<std::string_view> fragment) const;
  /// A copy with `pairs` appended to its query (aiohttp's `params=`).
  [[nodiscard]] URL extend_query(const Pairs& pairs) const;

  /// Equal when the normalised texts are.
  friend bool operator==(const URL&, const URL&) = default;

private:
  bool secure_ = false;
  std::uint16_t port_ = 80;
  std::optional<std::string> user_;
  std::optional<std::string> password_;
  std::string host_;
  std::string path_;
  std::optional<std::string> query_;
  std::optional<std::string> fragment_;

  void parse_authority(std::string_view whole, std::string_view authority);
};

}  // namespace brio::http
