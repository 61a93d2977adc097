// The rules by which cookies belong to hosts and paths (RFC 6265bis §5.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brio::http::detail {

/// ASCII letters in lower case.
[[nodiscard]] std::string lower_case(std::string_view text);
/// Whether a host, as URL has it, is an IP address.
[[nodiscard]] bool is_address(std::string_view host) noexcept;
/// Whether `host` is `domain` or lies below it.
[[nodiscard]] bool domain_matches(std::string_view host, std::string_view domain) noexcept;
/// Whether everybody may register below `domain` ("com", "co.uk", "github.io").
[[nodiscard]] bool is_public_suffix(const std::string& domain);
/// The path of a cookie that says none: the request's up to its last '/'.
[[nodiscard]] std::string default_path(std::string_view request_path);
/// Whether a request to `request_path` gets a cookie for `cookie_path`.
[[nodiscard]] bool path_matches(std::string_view request_path,
                                std::string_view cookie_path) noexcept;
/// Max-Age in seconds, clamped to what fits; nothing where it is no number.
[[nodiscard]] std::optional<std::int64_t> parse_max_age(std::string_view text) noexcept;

}  // namespace brio::http::detail
