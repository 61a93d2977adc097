// SSLSession: what lets a later connection skip the key exchange (Python's ssl.SSLSession).
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/time.hpp>
#include <brio/net/tls_layer.hpp>

#include <ctime>
#include <memory>
#include <string>

struct ssl_session_st;  // OpenSSL's SSL_SESSION

namespace brio::tls {

class SSLContext;
class SSLObject;

/// A TLS session, to be resumed by another connection to the same server (ssl.SSLSession). From
/// SSLObject::session(); goes back in with the `ssl_session` option or SSLContext::wrap.
///
/// In TLS 1.3 the server hands sessions out after the handshake, ahead of its first data: take it
/// once something was read. Holds secrets of the connection.
class BRIO_API SSLSession final : public net::TLSSession {
  struct Private {};

public:
  SSLSession(Private, ssl_session_st* session, const SSLObject& object);
  ~SSLSession() override;

  /// The session's name: bytes, "" where there is only a ticket.
  [[nodiscard]] std::string id() const;
  /// When it was made: seconds since the epoch.
  [[nodiscard]] std::time_t time() const;
  /// How long after time() it is good for: seconds.
  [[nodiscard]] std::chrono::seconds timeout() const;
  /// Has the server given a ticket?
  [[nodiscard]] bool has_ticket() const;
  /// How long the server says the ticket is good for: seconds, 0 where it does not say.
  [[nodiscard]] std::chrono::seconds ticket_lifetime_hint() const;
  /// Is there anything to resume? Not before a ticket has come in TLS 1.3. A connection with a
  /// session that is not resumable shakes hands in full.
  [[nodiscard]] bool resumable() const;
  /// The name that the connection's certificate was asked for.
  [[nodiscard]] const std::string& server_hostname() const noexcept { return server_hostname_; }

private:
  friend class SSLObject;

  ssl_session_st* session_;
  std::weak_ptr<const SSLContext> context_;
  std::string server_hostname_;
  bool verified_;      // the certificate's chain was checked when the session began
  bool name_checked_;  // and so was its name
};

}  // namespace brio::tls
