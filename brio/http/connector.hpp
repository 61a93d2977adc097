// Connectors: where a session's connections come from and go back to (aiohttp's connector).
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/time.hpp>
#include <brio/http/parser.hpp>
#include <brio/http/url.hpp>

#include <cstddef>
#include <memory>
#include <optional>

namespace brio::net {
class TLSContext;
}

namespace brio::http {

namespace detail {
class Exchange;
class Pool;
}  // namespace detail

/// How long to wait for what (aiohttp.ClientTimeout). Nothing means no limit.
struct ClientTimeout {
  /// The whole request: connecting, sending, redirects, and reading the body.
  std::optional<Duration> total = std::chrono::minutes(5);
  /// Getting a connection: waiting for a place in the pool, and making it.
  std::optional<Duration> connect = std::nullopt;
  /// Making a new connection: name look-up, TCP and TLS.
  std::optional<Duration> sock_connect = std::chrono::seconds(30);
  /// Silence of the peer while something is awaited from it.
  std::optional<Duration> sock_read = std::nullopt;
};

/// What a connection must lead to.
struct Destination {
  /// Its scheme, host and port count.
  URL url;
  /// TLS settings for https; null for the connector's.
  std::shared_ptr<const net::TLSContext> ssl = nullptr;
  /// Only a new connection will do.
  bool fresh = false;
};

/// How long a connector may take.
struct ConnectTimeouts {
  std::optional<TimePoint> total = std::nullopt;        ///< end of ClientTimeout::total
  std::optional<Duration> connect = std::nullopt;       ///< ClientTimeout::connect
  std::optional<Duration> sock_connect = std::nullopt;  ///< ClientTimeout::sock_connect
};

/// What a session asks for an exchange with a server (aiohttp.BaseConnector). A connector of one's
/// own may reach the server in any way and speak any version of HTTP.
class BRIO_API BaseConnector {
public:
  BaseConnector() = default;
  BaseConnector(const BaseConnector&) = delete;
  BaseConnector& operator=(const BaseConnector&) = delete;
  virtual ~BaseConnector();

  /// Opens an exchange, on a connection from before where one is free.
  ///
  /// Throws ClientConnectorError and its kin, ConnectionTimeoutError, TimeoutError for the total,
  /// RuntimeError once closed. Cancellation gives up its place in the queue.
  virtual Coro<std::unique_ptr<detail::Exchange>> open(Destination destination,
                                                       ConnectTimeouts timeouts) = 0;
  /// Closes every connection, those in use too; waits until none is left.
  virtual Coro<> close() = 0;
  /// Whether close() was called.
  [[nodiscard]] virtual bool closed() const noexcept = 0;
};

/// Keyword arguments of TCPConnector.
struct TCPConnectorOptions {
  /// Connections at once, in all; 0 for no limit.
  std::size_t limit = 100;
  /// Connections at once to one scheme, host and port; 0 for no limit.
  std::size_t limit_per_host = 0;
  /// How long an idle connection is kept.
  Duration keepalive_timeout = std::chrono::seconds(15);
  /// No connection is used twice.
  bool force_close = false;
  /// TLS settings; null for tls::create_default_context(), which verifies certificates against the
  /// system's. It is made when the first https URL is asked for.
  std::shared_ptr<const net::TLSContext> ssl = nullptr;
  /// RFC 8305: how long one address is tried alone. Nothing: one after the other.
  std::optional<Duration> happy_eyeballs_delay = std::chrono::milliseconds(250);
  /// AF_INET or AF_INET6 for one family only, 0 for both.
  int family = 0;
  /// Limits on what servers send.
  ParserLimits parser_limits = {};
};

/// TCP and TLS with a pool of kept connections (aiohttp.TCPConnector). Who waits for a place gets
/// one in the order of asking, and no later request passes by.
class BRIO_API TCPConnector final : public BaseConnector {
public:
  explicit TCPConnector(TCPConnectorOptions options = {});
  /// Closes what is open without waiting.
  ~TCPConnector() override;

  Coro<std::unique_ptr<detail::Exchange>> open(Destination destination,
                                               ConnectTimeouts timeouts) override;
  Coro<> close() override;
  [[nodiscard]] bool closed() const noexcept override;

  /// Connections in use.
  [[nodiscard]] std::size_t acquired() const noexcept;
  /// Connections kept idle.
  [[nodiscard]] std::size_t idle() const noexcept;
  /// Requests that wait for a place.
  [[nodiscard]] std::size_t waiting() const noexcept;

private:
  std::shared_ptr<detail::Pool> pool_;
};

}  // namespace brio::http
