// SSLContext: certificates, trust and policy, shared by many connections (Python's ssl module).
#pragma once

#include <brio/core/config.hpp>
#include <brio/net/tls_layer.hpp>
#include <brio/tls/certificate.hpp>
#include <brio/tls/error.hpp>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct ssl_ctx_st;  // OpenSSL's SSL_CTX
struct ssl_st;      // OpenSSL's SSL

namespace brio::tls {

class SSLObject;

/// Which end of the connection a context is for.
enum class Role { client, server };

/// Whether the peer must show a valid certificate (ssl.VerifyMode).
enum class VerifyMode {
  none,      ///< CERT_NONE: anything goes. For a client this gives up all security.
  optional,  ///< CERT_OPTIONAL: a client of ours may show none, a shown one must be valid
  required   ///< CERT_REQUIRED
};

/// Protocol versions (ssl.TLSVersion). Nothing below 1.2 is offered.
enum class TLSVersion { v1_2, v1_3 };

/// Where trusted certificates are (arguments of load_verify_locations).
struct VerifyLocations {
  std::string cafile = {};  ///< a file of PEM certificates
  std::string capath = {};  ///< a directory prepared by `openssl rehash`
  std::string cadata = {};  ///< PEM text
};

/// TLS settings for one side (ssl.SSLContext). Made once, shared by many connections; not to be
/// changed from one thread while another uses it.
///
/// A client context made by create_default_context verifies the peer's certificate against the
/// system's trusted ones and checks its host name; a server context asks for no certificate.
/// TLS 1.2 is the least, compression and renegotiation are off.
class BRIO_API SSLContext : public net::TLSContext,
                            public std::enable_shared_from_this<SSLContext> {
public:
  /// A context for `role` with nothing loaded: a client one verifies and checks names (and so
  /// refuses every peer until certificates are loaded), a server one does not (Python's
  /// SSLContext(PROTOCOL_TLS_CLIENT) and PROTOCOL_TLS_SERVER).
  [[nodiscard]] static std::shared_ptr<SSLContext> create(Role role);
  ~SSLContext() override;

  /// Which end this context is for.
  [[nodiscard]] Role role() const noexcept { return role_; }

  /// Our certificate (with the chain behind it) and its key, both PEM; without `keyfile` the key
  /// is in `certfile` too. A second call takes the place of a certificate of the same kind of key;
  /// one of another kind (RSA beside EC) is shown to those who cannot do with the first, as in
  /// Python. Files are read here and now. Throws FileNotFoundError and other OSErrors for the
  /// files, SSLError for what is in them (wrong password, key that does not match); then everything
  /// is as before.
  void load_cert_chain(const std::string& certfile, const std::string& keyfile = {},
                       const std::string& password = {});
  /// The same from PEM text in memory; an empty `key` means that it is in `certificates` too.
  void load_cert_chain_pem(std::string_view certificates, std::string_view key = {},
                           const std::string& password = {});
  /// Hot reload: load_cert_chain, but the new certificate is the only one from now on, whatever
  /// kind its key is. Connections that stand go on, handshakes that begin afterwards show it,
  /// sessions may still be resumed; when anything is wrong the old one stays, and the error says
  /// what. On the thread that the context's connections run on.
  void reload_cert_chain(const std::string& certfile, const std::string& keyfile = {},
                         const std::string& password = {});
  /// The same from PEM text in memory.
  void reload_cert_chain_pem(std::string_view certificates, std::string_view key = {},
                             const std::string& password = {});
  /// Certificates to trust, added to those loaded before. Throws OSError for a missing file,
  /// SSLError when nothing usable is in it.
  void load_verify_locations(const VerifyLocations& locations);
  /// The system's trusted certificates (SSL_CERT_FILE and SSL_CERT_DIR are honoured).
  void load_default_certs();

  /// VerifyMode::none is refused (ValueError) while check_hostname is on, as in Python.
  void set_verify_mode(VerifyMode mode);
  /// The mode in force.
  [[nodiscard]] VerifyMode verify_mode() const noexcept { return verify_mode_; }
  /// Whether the certificate must name the host that was asked for. Turning it on turns
  /// VerifyMode::none into required.
  void set_check_hostname(bool on);
  /// Are host names checked?
  [[nodiscard]] bool check_hostname() const noexcept { return check_hostname_; }
  /// The oldest version that is spoken; TLS 1.2 unless set.
  void set_minimum_version(TLSVersion version);
  /// The version set by set_minimum_version.
  [[nodiscard]] TLSVersion minimum_version() const noexcept { return minimum_version_; }
  /// The newest version that is spoken.
  void set_maximum_version(TLSVersion version);
  /// The version set by set_maximum_version.
  [[nodiscard]] TLSVersion maximum_version() const noexcept { return maximum_version_; }
  /// OpenSSL's cipher list for TLS 1.2 ("ECDHE+AESGCM"). Throws SSLError when nothing is left.
  void set_ciphers(const std::string& list);
  /// The same for TLS 1.3 ("TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256").
  void set_ciphersuites(const std::string& list);
  /// Protocols for ALPN, the dearest first ("h2", "http/1.1"). The server's order decides; with
  /// no protocol in common the connection goes on without one. Throws ValueError for an empty
  /// name or one above 255 bytes.
  void set_alpn_protocols(const std::vector<std::string>& protocols);
  /// A server's choice by the name that the client asked for (SNI; "" when it named none): return
  /// the context to go on with, or nullptr to refuse the name. Called at the beginning of the
  /// handshake; certificate, trust, verification, versions, ciphers and ALPN are those of the
  /// context returned. What it throws ends the handshake and comes out of there. One that returns
  /// the context it is set on holds it by a weak_ptr: otherwise that never goes away.
  using SNICallback = std::function<std::shared_ptr<const SSLContext>(std::string_view name)>;
  /// Asks `callback` for each connection that comes in from now on.
  void set_sni_callback(SNICallback callback);

  /// A connection's TLS state, without any I/O (SSLContext.wrap_bio). `server_hostname` is for a
  /// client: it is sent as SNI (unless it is an IP literal) and checked when check_hostname is on.
  /// Throws ValueError when check_hostname is on and the name is empty, or the name holds a zero
  /// byte or starts with a dot, or `session` (an earlier connection's, to be resumed) is one of
  /// another context or host.
  [[nodiscard]] std::unique_ptr<SSLObject> wrap(const std::string& server_hostname = {},
                                                const net::TLSSession* session = nullptr) const;

  /// How many TLS 1.3 tickets a server gives each connection, 2 unless set; 0 ends resumption in
  /// TLS 1.3. Throws ValueError for a client's context.
  void set_num_tickets(std::size_t count);
  /// The number in force.
  [[nodiscard]] std::size_t num_tickets() const noexcept;

  /// Appends the secrets of every connection to a file, for tools that read captured traffic; ""
  /// ends that. create_default_context does so where the environment says SSLKEYLOGFILE. Throws
  /// OSError when the file cannot be opened.
  void set_keylog_filename(const std::string& filename);
  /// The file, or "".
  [[nodiscard]] const std::string& keylog_filename() const noexcept { return keylog_filename_; }

  /// What a connection that ends without close_notify is. True, the default as in asyncio: an
  /// ordinary end (many servers do so), told apart by get_extra_info("truncated") only. False: an
  /// SSLEOFError for connection_lost and for every read, so that nobody can cut an answer short
  /// unnoticed.
  void set_suppress_ragged_eofs(bool suppress) noexcept { suppress_ragged_eofs_ = suppress; }
  /// Is such an end an ordinary one?
  [[nodiscard]] bool suppress_ragged_eofs() const noexcept { return suppress_ragged_eofs_; }

  /// For create_connection and its kin: TLS as a layer over a transport.
  [[nodiscard]] std::shared_ptr<net::TLSLayer> make_layer(
      EventLoop& loop, std::shared_ptr<Protocol> protocol, Future<> waiter,
      net::TLSLayerOptions options) const override;

  /// OpenSSL's handle, for what is not covered here. Stays owned by this object.
  [[nodiscard]] ssl_ctx_st* native_handle() const noexcept { return context_; }

protected:
  explicit SSLContext(Role role);

private:
  friend class SSLObject;
  friend struct Callbacks;

  // A certificate with its key and the chain behind it.
  struct Chain;
  static std::unique_ptr<Chain> parse_chain(std::string_view certificates, std::string_view key,
                                            const std::string& password,
                                            const std::string& certificate_source,
                                            const std::string& key_source);
  void use_chain(std::unique_ptr<Chain> chain, bool alone);
  void load_files(const std::string& certfile, const std::string& keyfile,
                  const std::string& password, bool alone);
  void apply_chains(ssl_st* ssl) const;
  void renew_session_id();

  Role role_;
  VerifyMode verify_mode_;
  bool check_hostname_;
  bool suppress_ragged_eofs_ = true;
  ssl_ctx_st* context_;
  std::string alpn_;  // as on the wire: length byte and name, each
  SNICallback sni_callback_;
  TLSVersion minimum_version_ = TLSVersion::v1_2;
  TLSVersion maximum_version_ = TLSVersion::v1_3;
  std::vector<std::unique_ptr<Chain>> chains_;
  // OpenSSL's context cannot forget a certificate. Once it holds one that is not ours any more,
  // each connection is given its certificates by itself.
  bool stale_chains_ = false;
  std::string keylog_filename_;
  int keylog_fd_ = -1;
};

/// What create_default_context is to trust.
struct DefaultContextOptions {
  std::string cafile = {};  ///< as in VerifyLocations
  std::string capath = {};  ///< as in VerifyLocations
  std::string cadata = {};  ///< as in VerifyLocations
};

/// A context with safe defaults (ssl.create_default_context): for a client one that verifies
/// against `options`, or against the system's certificates when none are given; for a server one
/// that waits for load_cert_chain. SSLKEYLOGFILE in the environment is heeded.
[[nodiscard]] BRIO_API std::shared_ptr<SSLContext> create_default_context(
    Role role = Role::client, const DefaultContextOptions& options = {});

}  // namespace brio::tls
