// Reaching one of several addresses: one after the other, or staggered (RFC 8305).
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/time.hpp>
#include <brio/net/addrinfo.hpp>
#include <brio/net/socket.hpp>

#include <optional>
#include <vector>

namespace brio::net::detail {

/// How connect_any goes about it.
struct ConnectPlan {
  std::vector<AddrInfo> addresses;
  /// Where to bind our end: the first that fits the address's family. Empty: nowhere.
  std::vector<AddrInfo> local_addresses = {};
  /// Staggered attempts with this delay between them; without it one after the other.
  std::optional<Duration> happy_eyeballs_delay = std::nullopt;
  bool all_errors = false;
};

/// Families in turns: `first_family_count` addresses of the first family, then one of each other
/// family, and so on, each family in its own order (asyncio's _interleave_addrinfos).
[[nodiscard]] BRIO_API std::vector<AddrInfo> interleave_addresses(std::vector<AddrInfo> addresses,
                                                                  int first_family_count);

/// A connected socket to the first address that answers. Attempts still under way are cancelled
/// and waited for. When all fail: the error of the only one, a combined OSError, or an
/// ExceptionGroup with all_errors. Cancellation closes every socket.
[[nodiscard]] BRIO_API Coro<Socket> connect_any(ConnectPlan plan);

}  // namespace brio::net::detail
