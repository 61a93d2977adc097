#include <brio/tls/session.hpp>

#include <brio/tls/object.hpp>
#include <brio/tls/openssl.hpp>

namespace brio::tls {

SSLSession::SSLSession(Private, ssl_session_st* session, const SSLObject& object)
    : session_(session),
      context_(object.context_),
      server_hostname_(object.server_hostname()),
      verified_(object.session_verified_),
      name_checked_(object.session_name_checked_) {}

SSLSession::~SSLSession() { SSL_SESSION_free(session_); }

std::string SSLSession::id() const {
  unsigned int size = 0;
  const unsigned char* bytes = SSL_SESSION_get_id(session_, &size);
  return {reinterpret_cast<const char*>(bytes), size};
}

std::time_t SSLSession::time() const {
#if OPENSSL_VERSION_NUMBER >= 0x30300000L
  return SSL_SESSION_get_time_ex(session_);  // beyond 2038 also where long has 32 bits
#else
  return SSL_SESSION_get_time(session_);
#endif
}

std::chrono::seconds SSLSession::timeout() const {
  return std::chrono::seconds(SSL_SESSION_get_timeout(session_));
}

bool SSLSession::has_ticket() const { return SSL_SESSION_has_ticket(session_) == 1; }

std::chrono::seconds SSLSession::ticket_lifetime_hint() const {
  return std::chrono::seconds(SSL_SESSION_get_ticket_lifetime_hint(session_));
}

bool SSLSession::resumable() const { return SSL_SESSION_is_resumable(session_) == 1; }

std::shared_ptr<const SSLSession> SSLObject::session() const {
  if (!handshake_done_) return nullptr;
  const SSL_SESSION* const current = SSL_get0_session(ssl_);
  if (current == nullptr) return nullptr;
  // A copy: OpenSSL spoils its own when the connection ends without close_notify, as was the rule
  // before TLS 1.1.
  SSL_SESSION* const session = SSL_SESSION_dup(current);
  if (session == nullptr) throw std::bad_alloc();
  return std::make_shared<SSLSession>(SSLSession::Private(), session, *this);
}

void SSLObject::resume_session(const net::TLSSession& given) {
  const auto* const session = dynamic_cast<const SSLSession*>(&given);
  if (session == nullptr) throw TypeError("the session is none of tls::SSLSession");
  if (server_side()) throw ValueError("cannot set a session for a server-side connection");
  if (session->context_.lock() != context_) {
    throw ValueError("the session refers to a different SSLContext");
  }
  // Resuming takes the old connection's verification for this one's.
  if (context_->check_hostname() && session->server_hostname_ != server_hostname_) {
    throw ValueError("the session is one with '" + session->server_hostname_ + "', not with '" +
                     server_hostname_ + "'");
  }
  if ((session_verified_ && !session->verified_) ||
      (session_name_checked_ && !session->name_checked_)) {
    throw ValueError("the session began without the verification that is asked for now");
  }
  // A copy again: connections do not share one object that they change.
  const std::unique_ptr<SSL_SESSION, detail::Freer<&SSL_SESSION_free>> copy(
      SSL_SESSION_dup(session->session_));
  ERR_clear_error();
  if (!copy || SSL_set_session(ssl_, copy.get()) != 1) {
    detail::throw_queued_error("setting the TLS session");
  }
}

}  // namespace brio::tls
