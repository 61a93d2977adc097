#include <brio/net/connection.hpp>

#include <brio/core/sleep.hpp>
#include <brio/net/connector.hpp>
#include <brio/net/resolver.hpp>
#include <brio/net/sock.hpp>
#include <brio/net/socket_transport.hpp>
#include <brio/net/stale_socket.hpp>

#include <cerrno>
#include <netdb.h>
#include <utility>

namespace brio {

namespace net::detail {

namespace {

std::string service_text(int port) {
  if (port < 0 || port > 65535) throw ValueError("port must be 0-65535");
  return std::to_string(port);
}

// The rules that tie the TLS options together.
void check_tls_options(const ConnectionOptions& options) {
  if (options.ssl) return;
  if (options.ssl_session) throw ValueError("ssl_session is only meaningful with ssl");
  if (options.server_hostname) throw ValueError("server_hostname is only meaningful with ssl");
  if (options.ssl_handshake_timeout) {
    throw ValueError("ssl_handshake_timeout is only meaningful with ssl");
  }
  if (options.ssl_shutdown_timeout) {
    throw ValueError("ssl_shutdown_timeout is only meaningful with ssl");
  }
}

void check_tls_options(const ServerOptions& options) {
  if (options.ssl) return;
  if (options.ssl_handshake_timeout) {
    throw ValueError("ssl_handshake_timeout is only meaningful with ssl");
  }
  if (options.ssl_shutdown_timeout) {
    throw ValueError("ssl_shutdown_timeout is only meaningful with ssl");
  }
}

void check_stream_socket(const Socket& sock) {
  if (sock.type() != SOCK_STREAM) throw ValueError("a stream socket was expected");
}

struct TLSParts {
  std::shared_ptr<const TLSContext> context;
  TLSLayerOptions options;
};

// A transport over a connected socket; returns after connection_made.
Coro<StreamPair> make_transport(Socket sock, ProtocolFactory factory, TLSParts tls) {
  EventLoop& loop = get_running_loop();
  sock.setblocking(false);
  std::shared_ptr<Protocol> protocol = factory();
  const Future<> waiter = loop.create_future<>();
  std::shared_ptr<Transport> transport;
  if (tls.context) {
    auto layer = tls.context->make_layer(loop, protocol, waiter, std::move(tls.options));
    transport = layer->app_transport();
    SocketTransport::create(loop, std::move(sock), std::move(layer));
  } else {
    transport = SocketTransport::create(loop, std::move(sock), protocol, waiter);
  }
  try {
    co_await waiter;
  } catch (...) {
    waiter.cancel();  // a scope may have refused to wait for it at all
    transport->close();
    throw;
  }
  co_return StreamPair(std::move(transport), std::move(protocol));
}

TLSParts client_tls(const ConnectionOptions& options, std::string hostname) {
  TLSParts tls{options.ssl, {}};
  tls.options.server_hostname = std::move(hostname);
  tls.options.ssl_handshake_timeout = options.ssl_handshake_timeout;
  tls.options.ssl_shutdown_timeout = options.ssl_shutdown_timeout;
  tls.options.session = options.ssl_session;
  return tls;
}

ServerParts server_parts(ProtocolFactory factory, const ServerOptions& options) {
  ServerParts parts;
  parts.factory = std::move(factory);
  parts.ssl = options.ssl;
  parts.ssl_handshake_timeout = options.ssl_handshake_timeout;
  parts.ssl_shutdown_timeout = options.ssl_shutdown_timeout;
  parts.backlog = options.backlog;
  return parts;
}

Coro<std::shared_ptr<Server>> start(ServerParts parts, bool start_serving) {
  auto server = Server::create(get_running_loop(), std::move(parts));
  if (start_serving) co_await server->start_serving();
  co_return server;
}

// A bound socket for one address; nothing when the kernel does not have that family or address.
std::optional<Socket> bind_address(const AddrInfo& info, const ServerOptions& options) {
  Socket socket;
  try {
    socket = Socket(info.family, info.type, info.proto);
  } catch (const OSError& error) {
    switch (error.error_number()) {
      case EAFNOSUPPORT:
      case EPROTONOSUPPORT:
      case ESOCKTNOSUPPORT:
      case EINVAL: return std::nullopt;  // a kernel without IPv6
      default: throw;                    // no descriptor left, say: half a server is none
    }
  }
  if (options.reuse_address) socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, true);
  const bool internet = info.family == AF_INET || info.family == AF_INET6;
  if (options.reuse_port && internet) socket.setsockopt(SOL_SOCKET, SO_REUSEPORT, true);
  if (options.keep_alive) socket.set_keepalive();
  // So that the wildcards of both families can be bound side by side.
  if (info.family == AF_INET6) socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, true);
  try {
    socket.bind(info.address);
  } catch (const OSError& error) {
    if (error.error_number() == EADDRNOTAVAIL) return std::nullopt;  // IPv6 present but disabled
    throw;
  }
  return socket;
}

}  // namespace

Coro<StreamPair> connect_stream(ProtocolFactory factory, std::string host, int port,
                                ConnectionOptions options) {
  check_tls_options(options);
  std::string hostname = options.server_hostname.value_or(host);
  if (options.ssl && !options.server_hostname && host.empty()) {
    throw ValueError("You must set server_hostname when using ssl without a host");
  }
  const AddrInfoHints hints{options.family, SOCK_STREAM, options.proto, options.flags};
  ConnectPlan plan;
  plan.addresses = co_await brio::getaddrinfo(
      host.empty() ? std::nullopt : std::optional<std::string>(host), service_text(port), hints);
  if (options.local_addr) {
    plan.local_addresses = co_await brio::getaddrinfo(
        options.local_addr->first, service_text(options.local_addr->second), hints);
    if (plan.local_addresses.empty()) {
      throw OSError(std::make_error_code(std::errc::address_not_available),
                    "getaddrinfo() returned empty list");
    }
  }
  plan.happy_eyeballs_delay = options.happy_eyeballs_delay;
  plan.all_errors = options.all_errors;
  const int interleave = options.interleave.value_or(options.happy_eyeballs_delay ? 1 : 0);
  if (interleave > 0) plan.addresses = interleave_addresses(std::move(plan.addresses), interleave);
  Socket sock = co_await connect_any(std::move(plan));
  co_return co_await make_transport(std::move(sock), std::move(factory),
                                    client_tls(options, std::move(hostname)));
}

Coro<StreamPair> connect_stream(ProtocolFactory factory, Socket sock, ConnectionOptions options) {
  check_tls_options(options);
  if (options.ssl && !options.server_hostname) {
    throw ValueError("You must set server_hostname when using ssl without a host");
  }
  check_stream_socket(sock);
  std::string hostname = options.server_hostname.value_or("");
  co_return co_await make_transport(std::move(sock), std::move(factory),
                                    client_tls(options, std::move(hostname)));
}

Coro<StreamPair> connect_unix(ProtocolFactory factory, std::string path,
                              ConnectionOptions options) {
  check_tls_options(options);
  if (options.ssl && !options.server_hostname) {
    throw ValueError("you have to pass server_hostname when using ssl");
  }
  Socket sock(AF_UNIX);
  co_await sock_connect(sock, SocketAddress::unix_address(path));
  std::string hostname = options.server_hostname.value_or("");
  co_return co_await make_transport(std::move(sock), std::move(factory),
                                    client_tls(options, std::move(hostname)));
}

Coro<StreamPair> accept_stream(ProtocolFactory factory, Socket sock, ServerOptions options) {
  check_tls_options(options);
  check_stream_socket(sock);
  TLSParts tls{options.ssl, {}};
  tls.options.server_side = true;
  tls.options.ssl_handshake_timeout = options.ssl_handshake_timeout;
  tls.options.ssl_shutdown_timeout = options.ssl_shutdown_timeout;
  co_return co_await make_transport(std::move(sock), std::move(factory), std::move(tls));
}

Coro<std::shared_ptr<Server>> serve_hosts(ProtocolFactory factory, ServerHosts hosts, int port,
                                          ServerOptions options) {
  check_tls_options(options);
  const AddrInfoHints hints{options.family, SOCK_STREAM, 0, options.flags.value_or(AI_PASSIVE)};
  std::vector<AddrInfo> addresses;
  for (const std::optional<std::string>& host : hosts.hosts()) {
    for (AddrInfo& info : co_await brio::getaddrinfo(host, service_text(port), hints)) {
      // A host given twice, or two names of one address, is bound once.
      bool known = false;
      for (const AddrInfo& other : addresses) known = known || other.address == info.address;
      if (!known) addresses.push_back(std::move(info));
    }
  }
  ServerParts parts = server_parts(std::move(factory), options);
  for (const AddrInfo& info : addresses) {
    if (auto socket = bind_address(info, options)) parts.sockets.push_back(*std::move(socket));
  }
  if (parts.sockets.empty()) {
    std::string tried;
    for (const AddrInfo& info : addresses)
      tried += (tried.empty() ? "" : ", ") + info.address.to_string();
    throw OSError(std::make_error_code(std::errc::address_not_available),
                  "could not bind on any address of " + tried);
  }
  co_return co_await start(std::move(parts), options.start_serving);
}

Coro<std::shared_ptr<Server>> serve_socket(ProtocolFactory factory, Socket sock,
                                           ServerOptions options) {
  check_tls_options(options);
  check_stream_socket(sock);
  sock.setblocking(false);
  ServerParts parts = server_parts(std::move(factory), options);
  parts.sockets.push_back(std::move(sock));
  co_return co_await start(std::move(parts), options.start_serving);
}

Coro<std::shared_ptr<Server>> serve_unix(ProtocolFactory factory, std::string path,
                                         ServerOptions options) {
  check_tls_options(options);
  const SocketAddress address = SocketAddress::unix_address(path);
  remove_stale_socket(address);
  Socket socket(AF_UNIX);
  socket.bind(address);
  ServerParts parts = server_parts(std::move(factory), options);
  parts.sockets.push_back(std::move(socket));
  if (options.cleanup_socket && !address.is_abstract()) parts.path = path;
  co_return co_await start(std::move(parts), options.start_serving);
}

}  // namespace net::detail

Coro<std::shared_ptr<Transport>> start_tls(std::shared_ptr<Transport> transport,
                                           std::shared_ptr<Protocol> protocol,
                                           std::shared_ptr<const net::TLSContext> sslcontext,
                                           StartTLSOptions options) {
  if (!sslcontext) throw TypeError("sslcontext is expected to be an SSLContext");
  if (!transport || !transport->start_tls_compatible()) {
    throw TypeError("transport is not supported by start_tls()");
  }
  EventLoop& loop = get_running_loop();
  const Future<> waiter = loop.create_future<>();
  net::TLSLayerOptions layer_options;
  layer_options.server_side = options.server_side;
  layer_options.server_hostname = std::move(options.server_hostname);
  layer_options.ssl_handshake_timeout = options.ssl_handshake_timeout;
  layer_options.ssl_shutdown_timeout = options.ssl_shutdown_timeout;
  layer_options.session = std::move(options.ssl_session);
  layer_options.call_connection_made = false;
  layer_options.received = std::move(options.received);
  const std::shared_ptr<net::TLSLayer> layer =
      sslcontext->make_layer(loop, std::move(protocol), waiter, std::move(layer_options));
  // Paused, so that no ciphertext reaches the layer before it knows its transport.
  transport->pause_reading();
  transport->set_protocol(layer);
  Handle made = loop.call_soon([layer, transport] { layer->connection_made(transport); });
  Handle resume = loop.call_soon([transport] { transport->resume_reading(); });
  try {
    co_await waiter;
  } catch (...) {
    waiter.cancel();
    transport->close();
    made.cancel();
    resume.cancel();
    throw;
  }
  co_return layer->app_transport();
}

}  // namespace brio
