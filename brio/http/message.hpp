// Requests and responses as the session, a server and a middleware see them: meaning without
// framing. Which version of HTTP carries them is no business of these types.
#pragma once

#include <brio/http/headers.hpp>
#include <brio/http/url.hpp>

#include <string>

namespace brio::http {

/// The protocol version that a message came with; for information only (aiohttp's HttpVersion).
struct HttpVersion {
  int major = 1;  ///< 1 of "HTTP/1.0"
  int minor = 1;  ///< 0 of "HTTP/1.0"
  friend auto operator<=>(const HttpVersion&, const HttpVersion&) = default;
};

/// The four forms of a request target (RFC 9112 §3.2).
enum class TargetForm {
  origin,     ///< "/path?query": to the server itself
  absolute,   ///< "http://host/path?query": to a proxy
  authority,  ///< "host:port": CONNECT
  asterisk,   ///< "*": OPTIONS of the server as a whole
};

/// A request up to its body.
struct RequestHead {
  /// A token, case-sensitive: "GET".
  std::string method;
  URL url;          ///< what is asked for
  Headers headers;  ///< without those that only frame the message
};

/// A response up to its body.
struct ResponseHead {
  HttpVersion version;  ///< what the server spoke
  int status = 0;       ///< 100 to 999
  /// The reason phrase; may be empty, and always is in HTTP/2.
  std::string reason;
  Headers headers;  ///< all fields, in order
};

/// What RFC 9110 §9.2.2 calls idempotent: sending it twice asks for the same as sending it once,
/// so that it may be sent again where the connection broke before an answer.
[[nodiscard]] BRIO_API bool is_idempotent(std::string_view method) noexcept;

/// The registered reason phrase of a status ("Not Found"), "" for one that has none.
[[nodiscard]] BRIO_API std::string_view reason_phrase(int status) noexcept;

}  // namespace brio::http
