// The media type of a file by its name (mimetypes.guess_type).
#pragma once

#include <brio/core/config.hpp>

#include <string_view>

namespace brio::http {

/// The type of what a file of that name holds, text with its charset ("text/html; charset=utf-8");
/// "application/octet-stream" for an unknown one. Letters of the extension compare without case.
[[nodiscard]] BRIO_API std::string_view guess_media_type(std::string_view file_name) noexcept;

}  // namespace brio::http
