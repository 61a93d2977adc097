// Inside brio/exec. What goes over the channel between a process pool and a worker: frames of a
// header and a payload.
#pragma once

#include <brio/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace brio::detail {

enum class WireKind : std::uint32_t {
  call = 1,   // to the worker: what run_call reads
  value = 2,  // from the worker: the result
  error = 3,  // from the worker: what the call threw
};

struct WireHeader {
  std::uint32_t magic = magic_value;
  WireKind kind{};
  std::uint64_t id = 0;  // of the call; 0 is the initializer's
  std::uint64_t size = 0;

  static constexpr std::uint32_t magic_value = 0x1'0b'10;  // the last digit is the version
};
static_assert(sizeof(WireHeader) == 24);

struct WireFrame {
  WireKind kind{};
  std::uint64_t id = 0;
  std::string payload = {};
};

/// Puts frames together from bytes in any pieces. Nothing is believed: a header that is none, or a
/// size above the limit, throws SerializationError, and memory grows only as bytes arrive.
class BRIO_API WireReader {
public:
  explicit WireReader(std::size_t max_payload) noexcept : max_payload_(max_payload) {}

  /// Where the next bytes go; never empty, and never beyond the end of a frame. Valid until
  /// filled().
  [[nodiscard]] std::span<char> space();
  /// So many bytes were put there. True if the frame is complete: take() it before anything else.
  /// Throws SerializationError, and must not be used after that.
  bool filled(std::size_t count);
  [[nodiscard]] WireFrame take();
  /// Has a frame begun that is not complete?
  [[nodiscard]] bool in_frame() const noexcept { return have_ > 0; }

private:
  const std::size_t max_payload_;
  WireHeader header_;
  std::size_t have_ = 0;  // bytes of header and payload
  std::string payload_;
};

}  // namespace brio::detail
