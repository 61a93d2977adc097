#include <brio/tls/callbacks.hpp>

#include <brio/tls/reasons.hpp>

#include <string>
#include <string_view>
#include <sys/uio.h>

namespace brio::tls {

namespace {

// The host name of a ClientHello's server_name extension (RFC 6066): a list's length, then of each
// entry its type, its length and the name. "" for none; nothing when it is malformed.
std::optional<std::string> host_name_of(SSL* ssl) {
  const unsigned char* bytes = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) != 1) return "";
  if (size < 5) return std::nullopt;
  const std::size_t list = static_cast<std::size_t>(bytes[0]) << 8 | bytes[1];
  const std::size_t name = static_cast<std::size_t>(bytes[3]) << 8 | bytes[4];
  if (list + 2 != size || bytes[2] != TLSEXT_NAMETYPE_host_name || name + 5 > size) {
    return std::nullopt;
  }
  std::string text(reinterpret_cast<const char*>(bytes + 5), name);
  if (text.find('\0') != std::string::npos) return std::nullopt;
  return text;
}

}  // namespace

// Not in OpenSSL's servername callback: that one comes after a session was resumed, and a session
// of one context must not pass another one's verification.
int Callbacks::choose_context(SSL* ssl, int* alert, void* context) {
  const auto& asked = *static_cast<const SSLContext*>(context);
  auto& self = *static_cast<SSLObject*>(SSL_get_app_data(ssl));
  // Held here: the callback may set another one.
  const SSLContext::SNICallback callback = asked.sni_callback_;
  if (!callback || self.chosen_context_) return SSL_CLIENT_HELLO_SUCCESS;
  try {
    const auto name = host_name_of(ssl);
    if (!name) {
      *alert = SSL_AD_DECODE_ERROR;
      return SSL_CLIENT_HELLO_ERROR;
    }
    auto chosen = callback(*name);
    if (!chosen) {
      self.callback_error_ = std::make_exception_ptr(
          SSLError(SSL_R_CALLBACK_FAILED, "unrecognized name",
                   self.describe(SSLObject::Step::handshake) + " failed: unrecognized name '" +
                       detail::printable(*name) + "' (the SNI callback knows no context for it)"));
      *alert = SSL_AD_UNRECOGNIZED_NAME;
      return SSL_CLIENT_HELLO_ERROR;
    }
    if (chosen->role() != Role::server) {
      throw ValueError("the SNI callback chose a client's SSLContext");
    }
    SSL_CTX* const native = chosen->native_handle();
    if (chosen.get() != &asked) {
      SSL_set_SSL_CTX(ssl, native);
      SSL_set_verify(ssl, SSL_CTX_get_verify_mode(native), &note_verify_error);
      SSL_set_min_proto_version(ssl, SSL_CTX_get_min_proto_version(native));
      SSL_set_max_proto_version(ssl, SSL_CTX_get_max_proto_version(native));
      chosen->apply_chains(ssl);
    }
    self.chosen_context_ = std::move(chosen);
    return SSL_CLIENT_HELLO_SUCCESS;
  } catch (...) {
    self.callback_error_ = std::current_exception();
    *alert = SSL_AD_INTERNAL_ERROR;
    return SSL_CLIENT_HELLO_ERROR;
  }
}

int Callbacks::acknowledge_name(SSL* ssl, int* /*alert*/, void* /*context*/) {
  const auto& self = *static_cast<const SSLObject*>(SSL_get_app_data(ssl));
  return self.chosen_context_ ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

// Only here, inside the verification, is the refused certificate still at hand.
int Callbacks::note_verify_error(int ok, X509_STORE_CTX* store) {
  if (ok == 1) return ok;
  auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  X509* certificate = X509_STORE_CTX_get_current_cert(store);
  if (certificate == nullptr) certificate = X509_STORE_CTX_get0_cert(store);
  if (ssl == nullptr || certificate == nullptr) return ok;
  try {
    static_cast<SSLObject*>(SSL_get_app_data(ssl))->certificate_detail_ =
        detail::explain_certificate(X509_STORE_CTX_get_error(store), certificate);
  } catch (...) {
    // Out of memory: the error text goes without it.
  }
  return ok;
}

void Callbacks::log_key(const SSL* ssl, const char* line) {
  const auto* const context =
      static_cast<const SSLContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  if (context == nullptr || context->keylog_fd_ < 0) return;
  // One call, so that lines of several threads and processes do not mix.
  const std::string_view text(line);
  char end = '\n';
  const iovec parts[2] = {{const_cast<char*>(text.data()), text.size()}, {&end, 1}};
  // A full disk loses the log, not the connection.
  [[maybe_unused]] const ssize_t written = ::writev(context->keylog_fd_, parts, 2);
}

}  // namespace brio::tls
