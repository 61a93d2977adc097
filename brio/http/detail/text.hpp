// Inside brio/http: media types, charsets, base64, texts without passwords.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace brio::http::detail {

/// "text/html" of "Text/HTML; charset=x"; "" where there is no type/subtype.
std::string media_type(std::string_view content_type);
/// A parameter's value in lower case, without quotes.
std::optional<std::string> media_parameter(std::string_view content_type, std::string_view name);
/// `bytes` in UTF-8. Throws LookupError for an unknown charset, ValueError for bytes that are none
/// of it.
std::string to_utf8(std::string_view bytes, const std::string& charset);
/// without_credentials() for a text that is no URL.
std::string without_credentials_unparsed(std::string_view text);
/// RFC 4648 §4.
std::string base64(std::string_view bytes);

}  // namespace brio::http::detail
