// Conditional requests and ranges (RFC 9110 §13, §14), without I/O.
#pragma once

#include <brio/http/headers.hpp>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brio::http {

/// What a representation is known by.
struct Validators {
  /// With its quotes, "W/" in front where it is weak; "" for none.
  std::string etag = {};
  /// To the second, as HTTP has it.
  std::optional<std::chrono::sys_seconds> last_modified = std::nullopt;
};

/// What the preconditions of a request come to.
enum class Precondition {
  proceed,       ///< answer as if there were none
  not_modified,  ///< 304: the client has it already
  failed,        ///< 412: it is another one than the client means
};

/// Evaluates If-Match, If-Unmodified-Since, If-None-Match and If-Modified-Since in the order of RFC
/// 9110 §13.2.2 for a representation that exists. What cannot be read counts as absent.
[[nodiscard]] BRIO_API Precondition evaluate_preconditions(std::string_view method,
                                                           const Headers& request,
                                                           const Validators& validators);

/// A part of a representation, within it.
struct ByteRange {
  std::uint64_t first = 0;   ///< the first byte
  std::uint64_t length = 0;  ///< how many
};

/// What a Range field asks of a representation of `size` bytes.
struct RangeRequest {
  /// What is to be done.
  enum class Answer {
    whole,          ///< 200: no range, one that cannot be read, another unit, or several of them
    part,           ///< 206 with `range`
    unsatisfiable,  ///< 416
  };
  Answer answer = Answer::whole;  ///< see there
  ByteRange range;                ///< for Answer::part
};

/// Reads Range and If-Range (RFC 9110 §14.2, §13.1.5). Several ranges are answered with the whole,
/// as the RFC allows: what asks for them is mostly an attack (§17.15).
[[nodiscard]] BRIO_API RangeRequest evaluate_range(const Headers& request,
                                                   const Validators& validators,
                                                   std::uint64_t size);

}  // namespace brio::http
