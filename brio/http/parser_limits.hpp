// What a message may cost before it is refused; the same for requests and responses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace brio::http {

/// What a message may cost before it is refused. Sizes in bytes.
struct ParserLimits {
  /// A request line; of a status line the reason phrase (aiohttp's max_line_size).
  std::size_t max_line_size = 8'190;
  /// One header field, name and value (aiohttp's max_field_size).
  std::size_t max_field_size = 32'768;
  /// Fields in the head, and again in the trailers (aiohttp's max_headers).
  std::size_t max_headers = 256;
  /// The whole head, and the whole trailer section with its chunk-size line.
  std::size_t max_header_bytes = 131'072;
  /// Chunk extensions, summed over the message; also one chunk-size line, with 32 more for the
  /// size.
  std::size_t max_chunk_extensions = 16'384;
  /// Interim (1xx) responses before the final one.
  int max_informational = 16;
  /// The body as it is on the wire, without chunk framing. Nothing: no limit, for the body is
  /// handed on piece by piece and kept by nobody here.
  std::optional<std::uint64_t> max_body_size;
};

}  // namespace brio::http
