#include <brio/tls/object.hpp>

#include <brio/tls/callbacks.hpp>
#include <brio/tls/openssl.hpp>
#include <brio/tls/reasons.hpp>
#include <brio/tls/x509.hpp>

#include <arpa/inet.h>
#include <climits>
#include <cstring>
#include <utility>

namespace brio::tls {

// The BIO through which OpenSSL reads and writes our byte queues.
struct Callbacks::Bio {
  static SSLObject& object(BIO* bio) { return *static_cast<SSLObject*>(BIO_get_data(bio)); }

  static int read(BIO* bio, char* out, int size) {
    SSLObject& self = object(bio);
    BIO_clear_retry_flags(bio);
    const std::size_t ready = self.incoming_size();
    if (ready == 0) {
      if (self.incoming_eof_) return 0;
      BIO_set_retry_read(bio);
      return -1;
    }
    const std::size_t count = std::min(ready, static_cast<std::size_t>(size));
    std::memcpy(out, self.incoming_.data() + self.incoming_read_, count);
    self.incoming_read_ += count;
    return static_cast<int>(count);
  }

  static int write(BIO* bio, const char* data, int size) {
    BIO_clear_retry_flags(bio);
    object(bio).outgoing_.append(data, static_cast<std::size_t>(size));
    return size;
  }

  static long control(BIO* bio, int command, long /*number*/, void* /*pointer*/) {
    if (command == BIO_CTRL_FLUSH) return 1;
    if (command == BIO_CTRL_EOF) {
      return object(bio).incoming_eof_ && object(bio).incoming_size() == 0 ? 1 : 0;
    }
    return 0;
  }

  static const BIO_METHOD* method() {
    static const BIO_METHOD* const made = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "brio byte queues");
      if (m == nullptr) throw std::bad_alloc();
      BIO_meth_set_read(m, &read);
      BIO_meth_set_write(m, &write);
      BIO_meth_set_ctrl(m, &control);
      return m;
    }();
    return made;
  }
};

namespace {
// X509_VERIFY_PARAM_set1_ip_asc wants no scope; none is allowed in a certificate either.
bool is_ip(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

int clamp_size(std::size_t size) { return size > INT_MAX ? INT_MAX : static_cast<int>(size); }
}  // namespace

SSLObject::SSLObject(std::shared_ptr<const SSLContext> context, const std::string& server_hostname,
                     const net::TLSSession* session)
    : context_(std::move(context)),
      server_hostname_(server_hostname),
      session_verified_(context_->verify_mode() != VerifyMode::none),
      session_name_checked_(context_->check_hostname()) {
  const bool client = context_->role() == Role::client;
  if (server_hostname_.find('\0') != std::string::npos ||
      (!server_hostname_.empty() && server_hostname_.front() == '.')) {
    throw ValueError("server_hostname is not a host name");
  }
  if (client && context_->check_hostname() && server_hostname_.empty()) {
    throw ValueError("check_hostname requires server_hostname");
  }
  ERR_clear_error();
  std::unique_ptr<SSL, detail::Freer<&SSL_free>> ssl(SSL_new(context_->native_handle()));
  if (!ssl) detail::throw_queued_error("making a TLS connection");
  BIO* bio = BIO_new(Callbacks::Bio::method());
  if (bio == nullptr) throw std::bad_alloc();
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl.get(), bio, bio);
  context_->apply_chains(ssl.get());
  SSL_set_app_data(ssl.get(), this);
  SSL_set_verify(ssl.get(), SSL_get_verify_mode(ssl.get()), &Callbacks::note_verify_error);
  if (client && !server_hostname_.empty()) {
    X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl.get());
    const bool ip = is_ip(server_hostname_);
    // RFC 6066: a literal is not sent as a name.
    if (!ip && SSL_set_tlsext_host_name(ssl.get(), server_hostname_.c_str()) != 1) {
      detail::throw_queued_error("setting the server name");
    }
    if (context_->check_hostname()) {
      const int done = ip ? X509_VERIFY_PARAM_set1_ip_asc(parameters, server_hostname_.c_str())
                          : X509_VERIFY_PARAM_set1_host(parameters, server_hostname_.c_str(), 0);
      if (done != 1) detail::throw_queued_error("setting the host name to check");
    }
  }
  if (client) {
    SSL_set_connect_state(ssl.get());
  } else {
    SSL_set_accept_state(ssl.get());
  }
  ssl_ = ssl.get();
  if (session != nullptr) resume_session(*session);
  [[maybe_unused]] const SSL* const kept = ssl.release();
}

SSLObject::~SSLObject() { SSL_free(ssl_); }

std::string SSLObject::take_outgoing() noexcept { return std::exchange(outgoing_, std::string()); }

void SSLObject::reclaim_incoming() noexcept {
  if (incoming_read_ == incoming_.size()) {
    std::string().swap(incoming_);
    incoming_read_ = 0;
  } else if (incoming_read_ >= incoming_.size() - incoming_read_) {
    incoming_.erase(0, incoming_read_);
    incoming_read_ = 0;
  }
}

std::string SSLObject::describe(Step step) const {
  // "TLS handshake with localhost (127.0.0.1:443)"
  std::string peer = detail::printable(server_hostname_);
  if (peer.empty() || peer_name_.starts_with(peer + ":") ||
      peer_name_.starts_with("[" + peer + "]")) {
    peer = peer_name_;
  } else if (!peer_name_.empty()) {
    peer += " (" + peer_name_ + ")";
  }
  switch (step) {
    case Step::handshake: return peer.empty() ? "TLS handshake" : "TLS handshake with " + peer;
    case Step::read: return peer.empty() ? "TLS read" : "TLS read from " + peer;
    case Step::write: return peer.empty() ? "TLS write" : "TLS write to " + peer;
    case Step::shutdown: break;
  }
  return peer.empty() ? "TLS shutdown" : "TLS shutdown with " + peer;
}

void SSLObject::throw_ssl_error(Step step) {
  if (callback_error_) {
    ERR_clear_error();
    std::rethrow_exception(std::exchange(callback_error_, nullptr));
  }
  const unsigned long error = ERR_peek_last_error();
  const int reason = ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0;
  if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    ERR_clear_error();
    const long code = SSL_get_verify_result(ssl_);
    std::string text = X509_verify_cert_error_string(code);
    if (code == X509_V_ERR_HOSTNAME_MISMATCH || code == X509_V_ERR_IP_ADDRESS_MISMATCH) {
      text = code == X509_V_ERR_HOSTNAME_MISMATCH ? "hostname mismatch" : "IP address mismatch";
      text += ", certificate is not valid for '" + server_hostname_ + "'";
      if (!certificate_detail_.empty()) text += " (it names " + certificate_detail_ + ")";
    } else if (!certificate_detail_.empty()) {
      text += " (" + certificate_detail_ + ")";
    }
    throw SSLCertVerificationError(static_cast<int>(code), std::move(text), describe(step));
  }
  if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
    ERR_clear_error();
    throw SSLEOFError(describe(step));
  }
  const bool stranger = step == Step::handshake && reason != SSL_R_HTTP_REQUEST &&
                        reason != SSL_R_HTTPS_PROXY_REQUEST;
  detail::throw_queued_error(describe(step), stranger ? detail::explain_beginning(beginning_) : "");
}

SSLObject::Trouble SSLObject::sort_out(int result, Step step) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return Trouble::again;
    case SSL_ERROR_ZERO_RETURN: return Trouble::close_notify;
    case SSL_ERROR_SYSCALL:
      if (ERR_peek_error() == 0) throw SSLEOFError(describe(step));
      [[fallthrough]];
    default: throw_ssl_error(step);
  }
}

bool SSLObject::do_handshake() {
  if (handshake_done_) return true;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result != 1) {
    const Trouble trouble = sort_out(result, Step::handshake);
    reclaim_incoming();
    if (trouble == Trouble::close_notify) throw SSLEOFError(describe(Step::handshake));
    return false;
  }
  reclaim_incoming();
  handshake_done_ = true;
  return true;
}

std::optional<std::size_t> SSLObject::read(char* out, std::size_t size) {
  if (size == 0) return std::nullopt;
  ERR_clear_error();
  const int count = SSL_read(ssl_, out, clamp_size(size));
  if (count > 0) {
    reclaim_incoming();
    return static_cast<std::size_t>(count);
  }
  const Trouble trouble = sort_out(count, Step::read);
  reclaim_incoming();
  if (trouble == Trouble::close_notify) return 0;
  return std::nullopt;
}

std::size_t SSLObject::write(std::string_view data) {
  std::size_t taken = 0;
  while (taken < data.size()) {
    ERR_clear_error();
    const int count = SSL_write(ssl_, data.data() + taken, clamp_size(data.size() - taken));
    if (count <= 0) {
      if (sort_out(count, Step::write) == Trouble::again) break;
      throw SSLError(SSL_R_PROTOCOL_IS_SHUTDOWN, "protocol is shutdown",
                     describe(Step::write) + " failed: protocol is shutdown");
    }
    taken += static_cast<std::size_t>(count);
  }
  return taken;
}

bool SSLObject::unwrap() {
  ERR_clear_error();
  if ((SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) == 0) {
    const int result = SSL_shutdown(ssl_);
    if (result < 0 && sort_out(result, Step::shutdown) == Trouble::again) return false;
  }
  // Reading, not SSL_shutdown again: that one fails on application data that was under way when
  // we closed. Nobody wants it any more.
  char discarded[4096];
  while ((SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) == 0) {
    ERR_clear_error();
    const int count = SSL_read(ssl_, discarded, sizeof discarded);
    if (count > 0) continue;
    const Trouble trouble = sort_out(count, Step::shutdown);
    reclaim_incoming();
    if (trouble == Trouble::again) return false;
  }
  reclaim_incoming();
  return true;
}

bool SSLObject::server_side() const noexcept { return SSL_is_server(ssl_) == 1; }

std::size_t SSLObject::pending() const { return static_cast<std::size_t>(SSL_pending(ssl_)); }

std::string SSLObject::version() const {
  return handshake_done_ ? std::string(SSL_get_version(ssl_)) : std::string();
}

std::optional<Cipher> SSLObject::cipher() const {
  const SSL_CIPHER* current = SSL_get_current_cipher(ssl_);
  if (current == nullptr) return std::nullopt;
  return Cipher{SSL_CIPHER_get_name(current), SSL_CIPHER_get_version(current),
                SSL_CIPHER_get_bits(current, nullptr)};
}

std::optional<Certificate> SSLObject::getpeercert() const {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (certificate == nullptr) return std::nullopt;
  return detail::describe_certificate(certificate);
}

namespace {
std::vector<Certificate> describe_all(const STACK_OF(X509) * stack) {
  std::vector<Certificate> all;
  if (stack != nullptr) all.reserve(static_cast<std::size_t>(sk_X509_num(stack)));
  for (int i = 0; i < sk_X509_num(stack); ++i) {
    all.push_back(detail::describe_certificate(sk_X509_value(stack, i)));
  }
  return all;
}
}  // namespace

std::vector<Certificate> SSLObject::get_unverified_chain() const {
  std::vector<Certificate> all = describe_all(SSL_get_peer_cert_chain(ssl_));
  // On the server's side OpenSSL leaves the peer's own certificate out.
  if (server_side()) {
    if (auto own = getpeercert()) all.insert(all.begin(), *std::move(own));
  }
  return all;
}

std::vector<Certificate> SSLObject::get_verified_chain() const {
  return describe_all(SSL_get0_verified_chain(ssl_));
}

std::string SSLObject::selected_alpn_protocol() const {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return name != nullptr ? std::string(reinterpret_cast<const char*>(name), size) : std::string();
}

bool SSLObject::close_notify_received() const {
  return (SSL_get_shutdown(ssl_) & SSL_RECEIVED_SHUTDOWN) != 0;
}

bool SSLObject::session_reused() const { return SSL_session_reused(ssl_) == 1; }

}  // namespace brio::tls
