// Making connections and servers (loop.create_connection, loop.create_server and their kin).
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/loop.hpp>
#include <brio/net/addrinfo.hpp>
#include <brio/net/server.hpp>
#include <brio/net/socket.hpp>
#include <brio/net/tls_layer.hpp>
#include <brio/net/transport.hpp>

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace brio {

/// A stream's default buffer limit: 64 KiB, as asyncio's.
inline constexpr std::size_t default_stream_limit = 64 * 1024;

/// Keyword arguments of create_connection and open_connection.
struct ConnectionOptions {
  /// TLS with this context (tls::create_default_context()); null for none.
  std::shared_ptr<const net::TLSContext> ssl = nullptr;
  /// The name that the peer's certificate must hold; default: the host. "" switches the check off
  /// where the context allows that. ValueError without `ssl`.
  std::optional<std::string> server_hostname = std::nullopt;
  int family = 0;  ///< AF_INET, AF_INET6 or 0 for both
  /// IPPROTO_TCP, or 0 for the default.
  int proto = 0;
  int flags = 0;  ///< AI_* of getaddrinfo
  /// Host and port to bind our end to before connecting.
  std::optional<std::pair<std::string, int>> local_addr = std::nullopt;
  /// How long to wait for one address before the next is tried beside it (RFC 8305, which
  /// recommends 250 ms); without it addresses are tried one after the other, as asyncio does.
  std::optional<Duration> happy_eyeballs_delay = std::nullopt;
  /// How many addresses of the first family come before the first of the other; 0 keeps the
  /// resolver's order. Default: 1 with happy_eyeballs_delay, else 0.
  std::optional<int> interleave = std::nullopt;
  /// When every address fails: an ExceptionGroup of all errors instead of one combined OSError.
  bool all_errors = false;
  std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< default 60 s
  std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< default 30 s
  /// An earlier connection's session (SSLObject::session()), to be resumed. ValueError when it is
  /// one of another context or host, or without `ssl`.
  std::shared_ptr<const net::TLSSession> ssl_session = nullptr;
  /// The StreamReader's limit, for open_connection.
  std::size_t limit = default_stream_limit;
};

/// Keyword arguments of create_server and start_server.
struct ServerOptions {
  int family = 0;  ///< AF_INET, AF_INET6 or 0 for both
  /// AI_* of getaddrinfo; default AI_PASSIVE.
  std::optional<int> flags = std::nullopt;
  /// Connections that the kernel queues for us.
  int backlog = 100;
  /// TLS with this context; null for none.
  std::shared_ptr<const net::TLSContext> ssl = nullptr;
  bool reuse_address = true;  ///< SO_REUSEADDR
  bool reuse_port = false;    ///< SO_REUSEPORT, on IPv4 and IPv6 only
  bool keep_alive = false;    ///< SO_KEEPALIVE
  /// False: only bind, and accept from Server::start_serving or serve_forever on.
  bool start_serving = true;
  std::optional<Duration> ssl_handshake_timeout = std::nullopt;  ///< default 60 s
  std::optional<Duration> ssl_shutdown_timeout = std::nullopt;   ///< default 30 s
  /// Remove a Unix socket's path when the server is closed, if it is still ours.
  bool cleanup_socket = true;
  /// The StreamReaders' limit, for start_server.
  std::size_t limit = default_stream_limit;
};

/// The hosts that a server binds: one, several, or all interfaces ("" or nullptr).
class BRIO_API ServerHosts {
public:
  ServerHosts(std::nullptr_t) : hosts_{std::nullopt} {}
  ServerHosts(const char* host) : ServerHosts(std::string(host)) {}
  ServerHosts(std::string host) {
    hosts_.push_back(host.empty() ? std::nullopt : std::optional<std::string>(std::move(host)));
  }
  ServerHosts(const std::vector<std::string>& hosts) {
    for (const std::string& host : hosts) {
      hosts_.push_back(host.empty() ? std::nullopt : std::optional<std::string>(host));
    }
  }
  ServerHosts(std::initializer_list<const char*> hosts)
      : ServerHosts(std::vector<std::string>(hosts.begin(), hosts.end())) {}
  /// Each host, nothing for all interfaces.
  [[nodiscard]] const std::vector<std::optional<std::string>>& hosts() const noexcept {
    return hosts_;
  }

private:
  std::vector<std::optional<std::string>> hosts_;
};

namespace net::detail {

using StreamPair = std::pair<std::shared_ptr<Transport>, std::shared_ptr<Protocol>>;

BRIO_API Coro<StreamPair> connect_stream(ProtocolFactory factory, std::string host, int port,
                                         ConnectionOptions options);
BRIO_API Coro<StreamPair> connect_stream(ProtocolFactory factory, Socket sock,
                                         ConnectionOptions options);
BRIO_API Coro<StreamPair> connect_unix(ProtocolFactory factory, std::string path,
                                       ConnectionOptions options);
BRIO_API Coro<StreamPair> accept_stream(ProtocolFactory factory, Socket sock,
                                        ServerOptions options);
BRIO_API Coro<std::shared_ptr<Server>> serve_hosts(ProtocolFactory factory, ServerHosts hosts,
                                                   int port, ServerOptions options);
BRIO_API Coro<std::shared_ptr<Server>> serve_socket(ProtocolFactory factory, Socket sock,
                                                    ServerOptions options);
BRIO_API Coro<std::shared_ptr<Server>> serve_unix(ProtocolFactory factory, std::string path,
                                                  ServerOptions options);

/// The protocol class that a factory makes.
template <class Factory>
using made_protocol = typename std::invoke_result_t<Factory&>::element_type;
template <class Factory>
concept MakesProtocol = requires(Factory& factory) {
  { factory() } -> std::convertible_to<std::shared_ptr<Protocol>>;
};

/// The pair with the protocol's own type. No coroutine: one made and not awaited would be reported.
template <class P>
std::pair<std::shared_ptr<Transport>, std::shared_ptr<P>> with_type(StreamPair pair) {
  return {std::move(pair.first), std::static_pointer_cast<P>(std::move(pair.second))};
}
/// What create_connection gives.
template <class Factory>
using Connection = std::pair<std::shared_ptr<Transport>, std::shared_ptr<made_protocol<Factory>>>;

}  // namespace net::detail

/// A TCP connection to host and port with the protocol that `factory()` makes (a
/// std::shared_ptr<P>). Gives the transport and the protocol, after connection_made was called.
///
/// Every address that the host has is tried; see ConnectionOptions. Throws OSError when none can
/// be reached, gaierror when the name is unknown, an SSLError when TLS fails, what the factory
/// throws. Cancellation closes every socket that was opened for it.
template <net::detail::MakesProtocol Factory>
Coro<net::detail::Connection<Factory>> create_connection(Factory factory, std::string host,
                                                         int port, ConnectionOptions options = {}) {
  auto made = co_await net::detail::connect_stream(std::move(factory), std::move(host), port,
                                                   std::move(options));
  co_return net::detail::with_type<net::detail::made_protocol<Factory>>(std::move(made));
}

/// The same over a socket that is connected already, and now belongs to the transport.
template <net::detail::MakesProtocol Factory>
Coro<net::detail::Connection<Factory>> create_connection(Factory factory, net::Socket sock,
                                                         ConnectionOptions options = {}) {
  auto made =
      co_await net::detail::connect_stream(std::move(factory), std::move(sock), std::move(options));
  co_return net::detail::with_type<net::detail::made_protocol<Factory>>(std::move(made));
}

/// A connection to a Unix socket's path; a leading zero byte makes it an abstract name.
template <net::detail::MakesProtocol Factory>
Coro<net::detail::Connection<Factory>> create_unix_connection(Factory factory, std::string path,
                                                              ConnectionOptions options = {}) {
  auto made =
      co_await net::detail::connect_unix(std::move(factory), std::move(path), std::move(options));
  co_return net::detail::with_type<net::detail::made_protocol<Factory>>(std::move(made));
}

/// Wraps a connection accepted elsewhere (loop.connect_accepted_socket); TLS takes the server's
/// side.
template <net::detail::MakesProtocol Factory>
Coro<net::detail::Connection<Factory>> connect_accepted_socket(Factory factory, net::Socket sock,
                                                               ServerOptions options = {}) {
  auto made =
      co_await net::detail::accept_stream(std::move(factory), std::move(sock), std::move(options));
  co_return net::detail::with_type<net::detail::made_protocol<Factory>>(std::move(made));
}

/// Serves TCP on every address of `hosts` with a protocol of `factory()` per connection. Port 0
/// lets the kernel choose (`server->sockets()[0].getsockname().port()`).
///
/// Each connection's callbacks run in a copy of the context in which this is called. Throws
/// OSError naming the address when one cannot be bound.
template <net::detail::MakesProtocol Factory>
BRIO_CORO_WRAPPER Coro<std::shared_ptr<Server>> create_server(Factory factory, ServerHosts hosts,
                                                              int port,
                                                              ServerOptions options = {}) {
  return net::detail::serve_hosts(std::move(factory), std::move(hosts), port, std::move(options));
}
/// The same on a bound socket.
template <net::detail::MakesProtocol Factory>
BRIO_CORO_WRAPPER Coro<std::shared_ptr<Server>> create_server(Factory factory, net::Socket sock,
                                                              ServerOptions options = {}) {
  return net::detail::serve_socket(std::move(factory), std::move(sock), std::move(options));
}
/// Serves on a Unix socket. A stale socket at `path` is removed before binding, and ours when the
/// server is closed.
template <net::detail::MakesProtocol Factory>
BRIO_CORO_WRAPPER Coro<std::shared_ptr<Server>> create_unix_server(Factory factory,
                                                                   std::string path,
                                                                   ServerOptions options = {}) {
  return net::detail::serve_unix(std::move(factory), std::move(path), std::move(options));
}

/// How start_tls is to go.
struct StartTLSOptions {
  /// Which side of the handshake we take.
  bool server_side = false;
  /// A client: the name to send and to check.
  std::string server_hostname = {};
  /// Default 60 s.
  std::optional<Duration> ssl_handshake_timeout = std::nullopt;
  /// Default 30 s.
  std::optional<Duration> ssl_shutdown_timeout = std::nullopt;
  /// A client: an earlier connection's session (SSLObject::session()), to be resumed. ValueError
  /// when it is one of another context or host.
  std::shared_ptr<const net::TLSSession> ssl_session = nullptr;
  /// Ciphertext that was read already, before the protocol noticed that TLS begins.
  std::string received = {};
};

/// Puts TLS on a connection that stands (loop.start_tls): gives the transport to use from now on.
/// `protocol` goes on without a second connection_made. Throws TypeError for a transport that
/// cannot carry TLS, an SSLError when the handshake fails; the connection is closed then, as it is
/// by a cancellation.
[[nodiscard]] BRIO_API Coro<std::shared_ptr<Transport>> start_tls(
    std::shared_ptr<Transport> transport, std::shared_ptr<Protocol> protocol,
    std::shared_ptr<const net::TLSContext> sslcontext, StartTLSOptions options = {});

}  // namespace brio
