// Where TLS plugs in: net knows these two interfaces, brio/tls implements them. So whoever needs
// no TLS links no TLS.
#pragma once

#include <brio/core/future.hpp>
#include <brio/core/time.hpp>
#include <brio/net/protocol.hpp>
#include <brio/net/transport.hpp>

#include <memory>
#include <optional>
#include <string>

namespace brio::net {

/// What lets a connection skip the key exchange; tls::SSLSession is the one that there is.
class BRIO_API TLSSession {
public:
  TLSSession() = default;
  TLSSession(const TLSSession&) = delete;
  TLSSession& operator=(const TLSSession&) = delete;
  virtual ~TLSSession();
};

/// How a TLS layer is to be made.
struct TLSLayerOptions {
  /// Which side of the handshake we take.
  bool server_side = false;
  /// The name to send and to check; "" for a server.
  std::string server_hostname = {};
  /// Default 60 s; throws ValueError unless positive.
  std::optional<Duration> ssl_handshake_timeout = std::nullopt;
  /// Default 30 s; throws ValueError unless positive.
  std::optional<Duration> ssl_shutdown_timeout = std::nullopt;
  /// False for start_tls: the application's protocol knows that it is connected.
  bool call_connection_made = true;
  /// A client: an earlier connection's session, to be resumed; null for none.
  std::shared_ptr<const TLSSession> session = nullptr;
  /// Ciphertext that arrived before the upgrade.
  std::string received = {};
};

/// TLS between a transport below and an application's protocol above: it is the protocol of the
/// one and gives the other a transport.
class BRIO_API TLSLayer : public Protocol {
public:
  ~TLSLayer() override;

  /// The transport that the application sees.
  [[nodiscard]] virtual std::shared_ptr<Transport> app_transport() = 0;
  /// BaseTransport::abandon of the transport below: let go of it and of the protocol above.
  virtual void abandon() noexcept = 0;
};

/// What an `ssl` option takes; tls::SSLContext is the one that there is.
class BRIO_API TLSContext {
public:
  TLSContext() = default;
  TLSContext(const TLSContext&) = delete;
  TLSContext& operator=(const TLSContext&) = delete;
  virtual ~TLSContext();

  /// A layer for one connection. `waiter` is completed when the handshake has ended, with its
  /// error if it failed. Throws ValueError for what cannot work (a host name is missing, …).
  [[nodiscard]] virtual std::shared_ptr<TLSLayer> make_layer(EventLoop& loop,
                                                             std::shared_ptr<Protocol> protocol,
                                                             Future<> waiter,
                                                             TLSLayerOptions options) const = 0;
};

}  // namespace brio::net
