// Datagram endpoints (loop.create_datagram_endpoint).
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/detail/function.hpp>
#include <brio/net/socket.hpp>
#include <brio/net/transport.hpp>

#include <concepts>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace brio {

/// Where a datagram endpoint stands: host and port, or a finished address.
class BRIO_API DatagramAddress {
public:
  DatagramAddress(std::string host, int port) : host_(std::move(host)), port_(port) {}
  DatagramAddress(std::pair<std::string, int> host_and_port)
      : DatagramAddress(std::move(host_and_port.first), host_and_port.second) {}
  DatagramAddress(net::SocketAddress address) : address_(std::move(address)) {}

  /// The host to look up, "" with a finished address.
  [[nodiscard]] const std::string& host() const noexcept { return host_; }
  /// The port, 0 with a finished address.
  [[nodiscard]] int port() const noexcept { return port_; }
  /// Unspecified when host and port must be looked up.
  [[nodiscard]] const net::SocketAddress& address() const noexcept { return address_; }

private:
  std::string host_;
  int port_ = 0;
  net::SocketAddress address_;
};

/// Keyword arguments of create_datagram_endpoint.
struct DatagramOptions {
  /// Where to receive.
  std::optional<DatagramAddress> local_addr = std::nullopt;
  /// The one peer: everything is sent there, nothing else is received.
  std::optional<DatagramAddress> remote_addr = std::nullopt;
  int family = 0;  ///< AF_INET, AF_INET6, AF_UNIX; needed when there is no address
  /// IPPROTO_UDP, or 0 for the default.
  int proto = 0;
  int flags = 0;  ///< AI_* of getaddrinfo
  /// SO_REUSEPORT.
  bool reuse_port = false;
  /// Allows sending to broadcast addresses; the socket is not tied to remote_addr then.
  bool allow_broadcast = false;
};

namespace net::detail {

using DatagramFactory = brio::detail::UniqueFunction<std::shared_ptr<DatagramProtocol>()>;
using DatagramPair =
    std::pair<std::shared_ptr<DatagramTransport>, std::shared_ptr<DatagramProtocol>>;

BRIO_API Coro<DatagramPair> make_endpoint(DatagramFactory factory, DatagramOptions options);
BRIO_API Coro<DatagramPair> make_endpoint(DatagramFactory factory, Socket sock);

template <class P>
std::pair<std::shared_ptr<DatagramTransport>, std::shared_ptr<P>> with_datagram_type(
    DatagramPair pair) {
  return {std::move(pair.first), std::static_pointer_cast<P>(std::move(pair.second))};
}
template <class Factory>
using made_datagram_protocol = typename std::invoke_result_t<Factory&>::element_type;
template <class Factory>
using Endpoint =
    std::pair<std::shared_ptr<DatagramTransport>, std::shared_ptr<made_datagram_protocol<Factory>>>;

}  // namespace net::detail

/// A datagram endpoint with the protocol that `factory()` makes (a std::shared_ptr<P>). Gives the
/// transport and the protocol, after connection_made was called. A stale socket at the path of a
/// Unix address is removed before binding.
///
/// Throws OSError when no address can be bound or reached, gaierror, ValueError for addresses and
/// family that do not fit together. Cancellation closes the socket.
template <class Factory>
Coro<net::detail::Endpoint<Factory>> create_datagram_endpoint(Factory factory,
                                                              DatagramOptions options) {
  auto made = co_await net::detail::make_endpoint(std::move(factory), std::move(options));
  co_return net::detail::with_datagram_type<net::detail::made_datagram_protocol<Factory>>(
      std::move(made));
}
/// The same over a socket of one's own, which now belongs to the transport. (A template, so that
/// `{}` means the options.)
template <class Factory, std::same_as<net::Socket> S>
Coro<net::detail::Endpoint<Factory>> create_datagram_endpoint(Factory factory, S sock) {
  auto made = co_await net::detail::make_endpoint(std::move(factory), std::move(sock));
  co_return net::detail::with_datagram_type<net::detail::made_datagram_protocol<Factory>>(
      std::move(made));
}

}  // namespace brio
