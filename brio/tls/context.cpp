#include <brio/tls/context.hpp>

#include <brio/tls/callbacks.hpp>
#include <brio/tls/chain.hpp>
#include <brio/tls/object.hpp>
#include <brio/tls/openssl.hpp>

#include <cerrno>
#include <cstdlib>
#include <fcntl.h>
#include <openssl/rand.h>
#include <unistd.h>

namespace brio::tls {

namespace {
using detail::throw_queued_error;

int version_number(TLSVersion version) {
  return version == TLSVersion::v1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

// The server's order decides; without a common protocol the connection goes on without one.
int choose_alpn(SSL* /*ssl*/, const unsigned char** out, unsigned char* out_size,
                const unsigned char* offered, unsigned int offered_size, void* user) {
  const auto& ours = *static_cast<const std::string*>(user);
  if (ours.empty()) return SSL_TLSEXT_ERR_NOACK;
  unsigned char* chosen = nullptr;
  const int result =
      SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(ours.data()),
                            static_cast<unsigned int>(ours.size()), offered, offered_size);
  *out = chosen;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}
}  // namespace

std::shared_ptr<SSLContext> SSLContext::create(Role role) {
  struct Maker : SSLContext {
    explicit Maker(Role r) : SSLContext(r) {}
  };
  return std::make_shared<Maker>(role);
}

SSLContext::SSLContext(Role role)
    : role_(role),
      verify_mode_(role == Role::client ? VerifyMode::required : VerifyMode::none),
      check_hostname_(role == Role::client),
      context_(SSL_CTX_new(role == Role::client ? TLS_client_method() : TLS_server_method())) {
  if (context_ == nullptr) throw_queued_error("making a TLS context");
  SSL_CTX_set_min_proto_version(context_, TLS1_2_VERSION);
  SSL_CTX_set_options(
      context_, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  // An idle connection gives its record buffers (34 KB) back.
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_dh_auto(context_, 1);
  X509_VERIFY_PARAM_set_hostflags(SSL_CTX_get0_param(context_),
                                  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  SSL_CTX_set_app_data(context_, this);
  renew_session_id();
  SSL_CTX_set_alpn_select_cb(context_, &choose_alpn, &alpn_);
  set_verify_mode(verify_mode_);
}

SSLContext::~SSLContext() {
  // A connection may keep OpenSSL's part for longer.
  SSL_CTX_set_app_data(context_, nullptr);
  SSL_CTX_set_keylog_callback(context_, nullptr);
  SSL_CTX_free(context_);
  if (keylog_fd_ >= 0) ::close(keylog_fd_);
}

void SSLContext::renew_session_id() {
  if (role_ == Role::client) return;
  // Sessions are resumed only where they began, by context and by verification: otherwise a client
  // could take a session from where no certificate is asked for to where one is.
  unsigned char bytes[SSL_MAX_SID_CTX_LENGTH];
  if (RAND_bytes(bytes, sizeof bytes) != 1 ||
      SSL_CTX_set_session_id_context(context_, bytes, sizeof bytes) != 1) {
    throw_queued_error("making a TLS context");
  }
}

void SSLContext::load_default_certs() {
  ERR_clear_error();
  if (SSL_CTX_set_default_verify_paths(context_) != 1) {
    throw_queued_error("loading the system's certificates");
  }
}

void SSLContext::set_verify_mode(VerifyMode mode) {
  if (mode == VerifyMode::none && check_hostname_) {
    throw ValueError("verify_mode cannot be none while check_hostname is on");
  }
  if (mode != verify_mode_) renew_session_id();
  verify_mode_ = mode;
  int flags = SSL_VERIFY_NONE;
  if (mode == VerifyMode::optional) flags = SSL_VERIFY_PEER;
  if (mode == VerifyMode::required) flags = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context_, flags, nullptr);
}

void SSLContext::set_check_hostname(bool on) {
  if (on && verify_mode_ == VerifyMode::none) set_verify_mode(VerifyMode::required);
  check_hostname_ = on;
}

void SSLContext::set_minimum_version(TLSVersion version) {
  SSL_CTX_set_min_proto_version(context_, version_number(version));
  minimum_version_ = version;
}

void SSLContext::set_maximum_version(TLSVersion version) {
  SSL_CTX_set_max_proto_version(context_, version_number(version));
  maximum_version_ = version;
}

void SSLContext::set_ciphers(const std::string& list) {
  ERR_clear_error();
  if (SSL_CTX_set_cipher_list(context_, list.c_str()) != 1) {
    throw_queued_error("setting the ciphers '" + list + "'");
  }
}

void SSLContext::set_ciphersuites(const std::string& list) {
  ERR_clear_error();
  if (SSL_CTX_set_ciphersuites(context_, list.c_str()) != 1) {
    throw_queued_error("setting the cipher suites '" + list + "'");
  }
}

void SSLContext::set_num_tickets(std::size_t count) {
  if (role_ == Role::client) throw ValueError("a client's SSLContext gives no tickets");
  SSL_CTX_set_num_tickets(context_, count);
}

std::size_t SSLContext::num_tickets() const noexcept { return SSL_CTX_get_num_tickets(context_); }

void SSLContext::set_sni_callback(SNICallback callback) {
  sni_callback_ = std::move(callback);
  SSL_CTX_set_client_hello_cb(context_, &Callbacks::choose_context, this);
  SSL_CTX_set_tlsext_servername_callback(context_, &Callbacks::acknowledge_name);
}

void SSLContext::set_keylog_filename(const std::string& filename) {
  int fd = -1;
  if (!filename.empty()) {
    fd = ::open(filename.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) throw_oserror(errno, "open '" + filename + "'");
  }
  if (keylog_fd_ >= 0) ::close(keylog_fd_);
  keylog_fd_ = fd;
  keylog_filename_ = filename;
  SSL_CTX_set_keylog_callback(context_, fd >= 0 ? &Callbacks::log_key : nullptr);
}

void SSLContext::set_alpn_protocols(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& protocol : protocols) {
    if (protocol.empty() || protocol.size() > 255) {
      throw ValueError("an ALPN protocol name has 1 to 255 bytes");
    }
    wire += static_cast<char>(protocol.size());
    wire += protocol;
  }
  if (wire.size() > 65535) throw ValueError("the ALPN protocol list is longer than 65535 bytes");
  // This one function of OpenSSL's answers 0 for success.
  if (SSL_CTX_set_alpn_protos(context_, reinterpret_cast<const unsigned char*>(wire.data()),
                              static_cast<unsigned int>(wire.size())) != 0) {
    throw_queued_error("setting the ALPN protocols");
  }
  alpn_ = std::move(wire);
}

std::unique_ptr<SSLObject> SSLContext::wrap(const std::string& server_hostname,
                                            const net::TLSSession* session) const {
  return std::unique_ptr<SSLObject>(new SSLObject(shared_from_this(), server_hostname, session));
}

std::shared_ptr<SSLContext> create_default_context(Role role,
                                                   const DefaultContextOptions& options) {
  auto context = SSLContext::create(role);
  // As CPython ≥ 3.13: RFC 5280 to the letter, and a trusted intermediate is trust enough.
  X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context->native_handle()),
                              X509_V_FLAG_X509_STRICT | X509_V_FLAG_PARTIAL_CHAIN);
  if (!options.cafile.empty() || !options.capath.empty() || !options.cadata.empty()) {
    context->load_verify_locations({options.cafile, options.capath, options.cadata});
  } else if (role == Role::client) {
    context->load_default_certs();
  }
  if (const char* file = ::secure_getenv("SSLKEYLOGFILE"); file != nullptr && *file != '\0') {
    context->set_keylog_filename(file);
  }
  return context;
}

}  // namespace brio::tls
