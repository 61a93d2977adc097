// What every transport knows of the system's calls.
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace brio::net::detail {

/// Buffers that one call takes at most (IOV_MAX of Linux).
inline constexpr std::size_t max_iovecs = 1024;

/// Writes to a connection that is lost are taken in silence so often; then each is a warning
/// (asyncio.constants.LOG_THRESHOLD_FOR_CONNLOST_WRITES).
inline constexpr std::uint32_t late_writes_before_warning = 5;

/// Has a call of that errno done nothing, and is it to be tried again when told?
[[nodiscard]] constexpr bool would_block(int error) noexcept {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

}  // namespace brio::net::detail
