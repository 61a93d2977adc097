// Name look-ups as the C library makes them: blocking, with nsswitch and /etc/hosts honoured.
// The loop's own getaddrinfo (brio/net/resolver.hpp) runs these in a thread.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/exceptions.hpp>
#include <brio/net/address.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace brio {

/// A failed name look-up (socket.gaierror). code().value() is the EAI_* number, in a category of
/// its own; what() names the host: "getaddrinfo for 'nowhere.invalid' failed: Name or service not
/// known".
class BRIO_API gaierror : public OSError {
public:
  gaierror(int eai_code, const std::string& operation);
  gaierror(const gaierror&) = default;
  gaierror& operator=(const gaierror&) = default;
  ~gaierror() override;
};

namespace net {

/// The category of gaierror's codes.
[[nodiscard]] BRIO_API const std::error_category& gai_category() noexcept;

/// One answer of getaddrinfo.
struct AddrInfo {
  int family = AF_UNSPEC;  ///< AF_INET or AF_INET6
  int type = 0;            ///< SOCK_STREAM, SOCK_DGRAM, …
  int proto = 0;           ///< IPPROTO_TCP, …
  std::string canonname;   ///< with AI_CANONNAME, in the first answer only
  SocketAddress address;   ///< with the port
};

/// What getaddrinfo is to look for (the hints; 0 means anything).
struct AddrInfoHints {
  int family = 0;  ///< AF_INET, AF_INET6 or 0 for both
  int type = 0;    ///< SOCK_STREAM, …
  int proto = 0;   ///< IPPROTO_TCP, …
  int flags = 0;   ///< AI_PASSIVE, AI_CANONNAME, …
};

/// socket.getaddrinfo: blocks the calling thread for as long as the resolver takes.
///
/// No `host` means the wildcard address with AI_PASSIVE and loopback without. `service` is a port
/// ("80") or a name ("http"). The resolver's order (RFC 6724) is kept. Throws gaierror; ValueError
/// for a name holding a zero byte.
[[nodiscard]] BRIO_API std::vector<AddrInfo> blocking_getaddrinfo(
    const std::optional<std::string>& host, const std::string& service,
    const AddrInfoHints& hints = {});

/// The answer for a literal host and a numeric port, without any look-up; nothing when `host` is
/// a name, or when it does not fit the hints' family (asyncio's _ipaddr_info).
[[nodiscard]] BRIO_API std::optional<AddrInfo> literal_addrinfo(std::string_view host,
                                                                std::uint16_t port,
                                                                const AddrInfoHints& hints = {});

/// socket.getnameinfo: host and service names of an address. Blocks. `flags` are NI_*.
/// Throws gaierror.
[[nodiscard]] BRIO_API std::pair<std::string, std::string> blocking_getnameinfo(
    const SocketAddress& address, int flags = 0);

}  // namespace net
}  // namespace brio
