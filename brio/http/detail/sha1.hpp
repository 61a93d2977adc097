// SHA-1, for the WebSocket handshake alone.
#pragma once

#include <string>
#include <string_view>

namespace brio::http::detail {

/// The 20 bytes of SHA-1 (FIPS 180-4) of `data`. RFC 6455 asks for it as a proof that a server
/// knows the protocol, not for security; nothing else should use it.
std::string sha1(std::string_view data);

}  // namespace brio::http::detail
