// Name look-ups off the loop (loop.getaddrinfo, loop.getnameinfo).
#pragma once

#include <brio/core/coro.hpp>
#include <brio/net/addrinfo.hpp>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace brio {

/// loop.getaddrinfo: looks `host` up in the loop's default executor. A literal with a numeric
/// `service` is answered at once, without a thread. Equal look-ups under way are made once.
///
/// Throws gaierror, OSError. Cancellation gives up waiting; a look-up that nobody waits for any
/// more is not made if it has not begun, and ends unheard if it has.
[[nodiscard]] BRIO_API Coro<std::vector<net::AddrInfo>> getaddrinfo(std::optional<std::string> host,
                                                                    std::string service,
                                                                    net::AddrInfoHints hints = {});

/// loop.getnameinfo: host and service names of `address`, looked up in the default executor; with
/// NI_NUMERICHOST and NI_NUMERICSERV at once. Throws gaierror, OSError.
[[nodiscard]] BRIO_API Coro<std::pair<std::string, std::string>> getnameinfo(
    net::SocketAddress address, int flags = 0);

}  // namespace brio
