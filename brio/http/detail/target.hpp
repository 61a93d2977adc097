// What a request is addressed to: its target's form and the Host field (RFC 9112 §3.2).
#pragma once

#include <brio/http/message.hpp>

#include <string_view>

namespace brio::http::detail {

/// Whether `text` is `uri-host [":" port]` (RFC 9110 §7.2): a name of RFC 3986's unreserved
/// characters, sub-delims and escapes, an address in brackets, or nothing; no user name.
[[nodiscard]] bool is_host_field(std::string_view text) noexcept;

/// The form of a target. Throws HttpProcessingError (400) where it has none of the four, or one
/// that does not go with the method: authority-form is CONNECT's alone, "*" is OPTIONS's.
[[nodiscard]] TargetForm target_form(std::string_view method, std::string_view target);

/// An absolute-form target in its parts. `path` is empty where the URL ends with its authority.
struct AbsoluteTarget {
  std::string_view scheme;
  std::string_view authority;
  std::string_view path;  ///< with the query
};
[[nodiscard]] AbsoluteTarget split_absolute(std::string_view target) noexcept;

}  // namespace brio::http::detail
