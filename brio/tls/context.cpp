#include <brio/tls/context.hpp>

#include <brio/tls/object.hpp>
#include <brio/tls/openssl.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>

namespace brio::tls {

namespace {
using detail::throw_queued_error;

std::string read_file(const std::string& path) {
  const std::unique_ptr<std::FILE, detail::Freer<&std::fclose>> file(
      std::fopen(path.c_str(), "rbe"));
  if (!file) throw_oserror(errno, "open '" + path + "'");
  std::string content;
  char chunk[8192];
  std::size_t count = 0;
  while ((count = std::fread(chunk, 1, sizeof chunk, file.get())) > 0) {
    content.append(chunk, count);
  }
  if (std::ferror(file.get()) != 0) throw_oserror(errno, "read '" + path + "'");
  return content;
}

// OpenSSL asks here for a key's password; without one it would ask on the terminal.
int give_password(char* buffer, int size, int /*writing*/, void* user) {
  const auto& password = *static_cast<const std::string*>(user);
  if (password.empty() || password.size() > static_cast<std::size_t>(size)) return -1;
  std::memcpy(buffer, password.data(), password.size());
  return static_cast<int>(password.size());
}

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
  // A server that asks for client certificates refuses to resume a session without it.
  static const unsigned char session_context[] = "brio";
  SSL_CTX_set_session_id_context(context_, session_context, sizeof session_context - 1);
  SSL_CTX_set_alpn_select_cb(context_, &choose_alpn, &alpn_);
  set_verify_mode(verify_mode_);
}

SSLContext::~SSLContext() { SSL_CTX_free(context_); }

void SSLContext::load_cert_chain(const std::string& certfile, const std::string& keyfile,
                                 const std::string& password) {
  const std::string certificates = read_file(certfile);
  const std::string key = keyfile.empty() ? std::string() : read_file(keyfile);
  load_cert_chain_pem(certificates, key, password);
}

void SSLContext::load_cert_chain_pem(std::string_view certificates, std::string_view key,
                                     const std::string& password) {
  ERR_clear_error();
  const detail::X509StackPtr chain = detail::parse_certificates(certificates);
  const detail::X509Ptr leaf(sk_X509_shift(chain.get()));
  const std::string_view key_text = key.empty() ? certificates : key;
  const detail::BioPtr bio(BIO_new_mem_buf(key_text.data(), static_cast<int>(key_text.size())));
  if (!bio) throw std::bad_alloc();
  const detail::KeyPtr private_key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &give_password,
                                                           const_cast<std::string*>(&password)));
  if (!private_key) throw_queued_error("reading a private key");
  // In one step, so that a live context never has a new certificate with the old key.
  if (SSL_CTX_use_cert_and_key(context_, leaf.get(), private_key.get(), chain.get(), 1) != 1) {
    throw_queued_error("loading a certificate and its key");
  }
}

void SSLContext::load_verify_locations(const VerifyLocations& locations) {
  ERR_clear_error();
  if (!locations.cafile.empty()) {
    (void)read_file(locations.cafile);  // a missing file is an OSError that names it
    if (SSL_CTX_load_verify_file(context_, locations.cafile.c_str()) != 1) {
      throw_queued_error("loading certificates from '" + locations.cafile + "'");
    }
  }
  if (!locations.capath.empty() &&
      SSL_CTX_load_verify_dir(context_, locations.capath.c_str()) != 1) {
    throw_queued_error("loading certificates from '" + locations.capath + "'");
  }
  if (!locations.cadata.empty()) {
    const detail::X509StackPtr certificates = detail::parse_certificates(locations.cadata);
    X509_STORE* store = SSL_CTX_get_cert_store(context_);
    for (int i = 0; i < sk_X509_num(certificates.get()); ++i) {
      if (X509_STORE_add_cert(store, sk_X509_value(certificates.get(), i)) != 1) {
        throw_queued_error("loading a trusted certificate");
      }
    }
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
}

void SSLContext::set_maximum_version(TLSVersion version) {
  SSL_CTX_set_max_proto_version(context_, version_number(version));
}

void SSLContext::set_ciphers(const std::string& list) {
  ERR_clear_error();
  if (SSL_CTX_set_cipher_list(context_, list.c_str()) != 1) {
    throw_queued_error("setting the ciphers '" + list + "'");
  }
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

std::unique_ptr<SSLObject> SSLContext::wrap(const std::string& server_hostname) const {
  return std::unique_ptr<SSLObject>(new SSLObject(shared_from_this(), server_hostname));
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
  return context;
}

}  // namespace brio::tls
