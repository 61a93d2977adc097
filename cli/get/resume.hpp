// How a download goes on from a part of it: what to ask for, and what an answer means (RFC 9110
// §14).
#pragma once

#include <brio/http/message.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brio::cli {

/// What is known of a partial file; kept in a small text file beside it.
struct PartialState {
  /// The URL that was asked for.
  std::string url;
  /// The validator for If-Range: a strong ETag, or a date; "" where there is none, and then the
  /// part is of no use once its connection is gone.
  std::string validator;
  /// Length of the whole, where the server told it.
  std::optional<std::uint64_t> total;
  /// The name that the file is to get; "" while it is not known.
  std::string name;

  friend bool operator==(const PartialState&, const PartialState&) = default;
};

/// PartialState as text, and back; nothing for text that is none.
std::string serialize(const PartialState& state);
std::optional<PartialState> parse_partial_state(std::string_view text);

/// Adds Range and If-Range to `headers` so that `size` bytes need not come again. Adds nothing, and
/// gives false, where there is nothing to go on from or no validator.
bool ask_for_rest(http::Headers& headers, const PartialState& state, std::uint64_t size);

/// What to do with an answer.
struct AnswerPlan {
  enum class Kind {
    from_start,  ///< write the body from the start, whatever was there
    append,      ///< write it behind the part
    complete,    ///< the part is the whole already; there is no body to write
    restart,     ///< this answer does not fit; ask again, without Range
    failed,      ///< a status that brings no file
  };
  Kind kind = Kind::failed;
  /// The whole length once the body is written, where the server told it.
  std::optional<std::uint64_t> total = {};
  /// For failed and restart: why.
  std::string reason = {};
};

/// Reads an answer to a request that asked for what follows `size` bytes, or for all (`asked_rest`
/// false). `content_length` is the body's declared length.
AnswerPlan plan_answer(const http::ResponseHead& head, std::optional<std::uint64_t> content_length,
                       const PartialState& state, std::uint64_t size, bool asked_rest);

/// The validator that an answer offers for a later If-Range: its ETag if that is strong, its
/// Last-Modified if Date is at least a second later (RFC 9110 §8.8.2.2), "" otherwise or where it
/// says `Accept-Ranges: none`.
std::string validator_of(const http::Headers& headers);

}  // namespace brio::cli
