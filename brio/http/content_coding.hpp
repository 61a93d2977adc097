// Content codings (RFC 9110 §8.4): gzip and deflate, streaming, without I/O.
#pragma once

#include <brio/http/errors.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace brio::http {

/// What decoding may cost. A decoder's own memory is constant; these stop what a caller may
/// collect.
struct DecoderLimits {
  /// Most decoded bytes in all; nothing for no limit.
  std::optional<std::uint64_t> max_output;
  /// Most decoded bytes per coded byte. deflate itself ends at 1032; text rarely passes 20.
  std::uint64_t max_ratio = 250;
  /// How many bytes may come out before the ratio is looked at.
  std::uint64_t ratio_floor = 32U * 1024 * 1024;
};

/// Undoes one content coding as a body comes in.
class BRIO_API ContentDecoder {
public:
  /// Whether `coding`, the value of a Content-Encoding field, can be undone here: gzip, x-gzip or
  /// deflate, one of them, in any case of letters.
  [[nodiscard]] static bool supports(std::string_view coding) noexcept;
  /// What to put into Accept-Encoding.
  static constexpr std::string_view accept_encoding = "gzip, deflate";

  /// Throws ValueError for a coding that is not supported.
  explicit ContentDecoder(std::string_view coding, const DecoderLimits& limits = {});
  ~ContentDecoder();
  ContentDecoder(ContentDecoder&&) noexcept;
  ContentDecoder& operator=(ContentDecoder&&) noexcept;

  /// Appends to `output` at most `max_output` bytes decoded from `input`, whose taken part it
  /// removes. All that can come out has come when `input` is empty and fewer than `max_output`
  /// bytes were appended. Throws ClientPayloadError for bad data, PayloadTooLarge over a limit.
  void decode(std::string_view& input, std::string& output, std::size_t max_output);

  /// Tells that the body has ended. Throws ClientPayloadError where the coding's end is missing; an
  /// empty body is fine.
  void finish() const;

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brio::http
