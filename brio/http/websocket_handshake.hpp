// What both sides of a WebSocket's opening handshake compute, without I/O (RFC 6455 §4, RFC 7692).
#pragma once

#include <brio/http/headers.hpp>
#include <brio/http/websocket_frames.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brio::http {

/// What to want of permessage-deflate. The defaults take about 32 KiB for each connection that
/// sends compressed messages and up to 40 KiB for each that receives them; zlib's own would take
/// 256 KiB to send, for a few per cent.
struct WSDeflateOptions {
  int window_bits = 12;              ///< most that we use to send: 8 to 15
  int peer_window_bits = 15;         ///< most that the peer may use, where it can be told: 8 to 15
  bool no_context_takeover = false;  ///< forget our window after each message
  bool peer_no_context_takeover = false;  ///< have the peer do so
  int level = 6;                          ///< zlib's, 1 (fast) to 9 (small)
  int mem_level = 5;                      ///< zlib's, 1 (little memory) to 9 (fast)
  std::size_t min_size = 0;               ///< shorter messages are sent as they are
};

/// A Sec-WebSocket-Key: 16 random bytes in base64.
[[nodiscard]] BRIO_API std::string websocket_key();
/// Whether `key` is 16 bytes in base64.
[[nodiscard]] BRIO_API bool is_websocket_key(std::string_view key) noexcept;
/// The Sec-WebSocket-Accept that answers a key.
[[nodiscard]] BRIO_API std::string websocket_accept(std::string_view key);

/// The tokens of all fields of that name, which are lists; the order kept.
[[nodiscard]] BRIO_API std::vector<std::string> list_of_tokens(const Headers& headers,
                                                               std::string_view name);

/// What a server makes of a client's offers of extensions.
struct DeflateAnswer {
  WSDeflateParams params;  ///< agreed, as the server sees it
  std::string field;       ///< the value of its Sec-WebSocket-Extensions
};
/// Takes the first offer of permessage-deflate that can be met; nothing where there is none. Throws
/// ValueError for fields that break the grammar.
[[nodiscard]] BRIO_API std::optional<DeflateAnswer> answer_deflate(const Headers& request,
                                                                   const WSDeflateOptions& wanted);

/// A client's Sec-WebSocket-Extensions.
[[nodiscard]] BRIO_API std::string offer_deflate(const WSDeflateOptions& wanted);
/// What the server made of it, as the client sees it; nothing where it wants none. Throws
/// ValueError for an answer that was not asked for.
[[nodiscard]] BRIO_API std::optional<WSDeflateParams> agree_deflate(
    const Headers& response, const std::optional<WSDeflateOptions>& wanted);

/// Whether `origin`, an Origin field, names the host and port that a Host field does, and https
/// where the connection is `secure`. Where it is not, either scheme will do: a proxy in front may
/// speak TLS where we do not.
[[nodiscard]] BRIO_API bool is_same_origin(std::string_view origin, std::string_view host,
                                           bool secure);

}  // namespace brio::http
