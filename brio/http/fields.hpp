// Values of single header fields, read leniently where RFC 9110 says so and strictly elsewhere.
#pragma once

#include <brio/core/config.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brio::http {

/// An HTTP-date in any of its three forms (RFC 9110 §5.6.7), or nothing.
[[nodiscard]] BRIO_API std::optional<std::chrono::sys_seconds> parse_http_date(
    std::string_view text);
/// The date as IMF-fixdate: "Sun, 06 Nov 1994 08:49:37 GMT".
[[nodiscard]] BRIO_API std::string format_http_date(std::chrono::sys_seconds time);

/// How long Retry-After asks to wait, counted from `now` where it is a date; never negative.
/// Nothing where it is neither a date nor a number of seconds (RFC 9110 §10.2.3).
[[nodiscard]] BRIO_API std::optional<std::chrono::seconds> parse_retry_after(
    std::string_view text, std::chrono::sys_seconds now);

/// A Content-Range of bytes (RFC 9110 §14.4): "bytes 5-9/20", "bytes 5-9/*" or "bytes */20".
struct ContentRange {
  std::optional<std::uint64_t> first;  ///< the first byte; nothing for an unsatisfied range
  std::optional<std::uint64_t> last;   ///< the last byte, inside the range; nothing likewise
  /// The whole length, where it is told.
  std::optional<std::uint64_t> complete;
};
/// Nothing where the text is not of that form or its numbers contradict each other.
[[nodiscard]] BRIO_API std::optional<ContentRange> parse_content_range(std::string_view text);

/// Whether an ETag is a strong validator: quoted and without "W/" (RFC 9110 §8.8.3).
[[nodiscard]] BRIO_API bool is_strong_etag(std::string_view etag) noexcept;

/// The parameter of that name, compared without case, in `value; name=token; name="quoted"` (RFC
/// 9110 §5.6.6), unquoted; nothing where there is none.
[[nodiscard]] BRIO_API std::optional<std::string> header_parameter(std::string_view field,
                                                                   std::string_view name);

/// The filename that a Content-Disposition proposes (RFC 6266), decoded from `filename*` where
/// that is there and sound, else from `filename`; nothing where there is none. It may hold
/// anything, so it is no safe path by itself.
[[nodiscard]] BRIO_API std::optional<std::string> content_disposition_filename(
    std::string_view text);

}  // namespace brio::http
