// HTTP/1.1 requests as bytes (RFC 9112 §3, §7.1), without I/O.
#pragma once

#include <brio/http/message.hpp>

#include <cstddef>
#include <string>

namespace brio::http {

/// Request line and fields, up to and with the empty line. A Host field is put first where the
/// head has none. Throws ValueError for a method that is no token, for Content-Length beside
/// Transfer-Encoding, and for more than one of either or of Host.
[[nodiscard]] BRIO_API std::string serialize_request(const RequestHead& head,
                                                     TargetForm form = TargetForm::origin);

/// What stands before `size` bytes of a chunked body ("1a\r\n"); "\r\n" follows them. `size` > 0.
[[nodiscard]] BRIO_API std::string chunk_prefix(std::size_t size);
/// What ends a chunked body without trailers.
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace brio::http
