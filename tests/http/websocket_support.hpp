// What the WebSocket tests share: frames as bytes.
#pragma once

#include <brio/http/websocket_frames.hpp>

#include <initializer_list>
#include <string>
#include <string_view>

namespace brio::tests {

/// Bytes by their numbers.
inline std::string octets(std::initializer_list<int> numbers) {
  std::string text;
  for (const int number : numbers) text += static_cast<char>(number);
  return text;
}

/// How a frame is made, right or wrong.
struct FrameOptions {
  bool fin = true;
  int rsv = 0;       ///< 4 is RSV1
  bool mask = true;  ///< as a client does
};

/// A frame of any opcode.
inline std::string frame(int opcode, std::string_view payload, FrameOptions options = {}) {
  std::string text = octets({(options.fin ? 0x80 : 0) | options.rsv << 4 | opcode});
  const int bit = options.mask ? 0x80 : 0;
  const auto size = static_cast<int>(payload.size());
  if (size < 126) {
    text += octets({bit | size});
  } else if (size < 65536) {
    text += octets({bit | 126, size >> 8, size & 0xff});
  } else {
    text += octets(
        {bit | 127, 0, 0, 0, 0, size >> 24, size >> 16 & 0xff, size >> 8 & 0xff, size & 0xff});
  }
  const std::string key = octets({0x37, 0xfa, 0x21, 0x3d});
  if (options.mask) text += key;
  for (std::size_t i = 0; i < payload.size(); ++i) {
    text += options.mask ? static_cast<char>(payload[i] ^ key[i % 4]) : payload[i];
  }
  return text;
}

inline constexpr FrameOptions part{.fin = false};
inline constexpr FrameOptions plain{.mask = false};

/// A close frame's payload.
inline std::string close_payload(int code, std::string_view reason = {}) {
  return octets({code >> 8, code & 0xff}) + std::string(reason);
}

}  // namespace brio::tests
