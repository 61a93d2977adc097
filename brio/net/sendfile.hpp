// Files to connections by the kernel (loop.sendfile, loop.sock_sendfile).
#pragma once

#include <brio/core/coro.hpp>
#include <brio/net/socket.hpp>
#include <brio/net/transport.hpp>

#include <cstdint>
#include <memory>
#include <optional>

namespace brio {

/// Keyword arguments of sendfile and sock_sendfile.
struct SendfileOptions {
  /// Where in the file to begin.
  std::uint64_t offset = 0;
  /// How many bytes; default: to the file's end. Throws ValueError for 0.
  std::optional<std::uint64_t> count = std::nullopt;
  /// Read and write where the kernel cannot send by itself (TLS, some file systems). False throws
  /// SendfileNotAvailableError there.
  bool fallback = true;
};

/// Sends the regular file behind descriptor `file` over `transport`; how many bytes were sent.
///
/// What was written before goes first; writing meanwhile is a RuntimeError and reading is paused.
/// Afterwards, also after an error or a cancellation, the file's position is behind the last byte
/// sent. Throws RuntimeError on a closing transport, OSError. `file` must stay open until the end.
[[nodiscard]] BRIO_API Coro<std::uint64_t> sendfile(std::shared_ptr<Transport> transport, int file,
                                                    SendfileOptions options = {});

/// The same over a non-blocking stream socket.
[[nodiscard]] BRIO_API Coro<std::uint64_t> sock_sendfile(net::TransportSocket sock, int file,
                                                         SendfileOptions options = {});

}  // namespace brio
