#include <brio/net/resolver.hpp>

#include <brio/core/loop.hpp>

#include <charconv>
#include <netdb.h>

namespace brio {

namespace {
std::optional<std::uint16_t> numeric_port(const std::string& service) {
  if (service.empty()) return std::uint16_t{0};
  std::uint16_t port = 0;
  const char* const end = service.data() + service.size();
  const auto result = std::from_chars(service.data(), end, port);
  if (result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return port;
}
}  // namespace

Coro<std::vector<net::AddrInfo>> getaddrinfo(std::optional<std::string> host, std::string service,
                                             net::AddrInfoHints hints) {
  if (host) {
    if (const auto port = numeric_port(service)) {
      if (auto info = net::literal_addrinfo(*host, *port, hints)) {
        std::vector<net::AddrInfo> answers;
        answers.push_back(*std::move(info));
        co_return answers;
      }
    }
  }
  co_return net::blocking_getaddrinfo(host, service, hints);
}

Coro<std::pair<std::string, std::string>> getnameinfo(net::SocketAddress address, int flags) {
  co_return net::blocking_getnameinfo(address, flags);
}

}  // namespace brio
