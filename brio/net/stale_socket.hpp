// Inside brio/net: what a server that has gone leaves at its path.
#pragma once

#include <brio/net/address.hpp>

namespace brio::net::detail {

/// Removes a socket from a Unix address's path before a bind, as asyncio does: whose it was, it is
/// in the way. Anything else there stays.
void remove_stale_socket(const SocketAddress& address);

}  // namespace brio::net::detail
