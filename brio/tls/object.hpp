// SSLObject: one connection's TLS without I/O. Ciphertext goes in and comes out as bytes.
#pragma once

#include <brio/core/config.hpp>
#include <brio/tls/certificate.hpp>
#include <brio/tls/context.hpp>
#include <brio/tls/error.hpp>
#include <brio/tls/session.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct ssl_st;  // OpenSSL's SSL

namespace brio::tls {

/// The TLS state of one connection between two byte queues (ssl.SSLObject with its MemoryBIOs).
///
/// The owner moves bytes: what the transport received goes to feed(), what outgoing() shows goes
/// to the transport. Every other call works on these queues and never waits; "not yet" is a
/// return value, not an exception.
class BRIO_API SSLObject {
public:
  ~SSLObject();
  SSLObject(const SSLObject&) = delete;
  SSLObject& operator=(const SSLObject&) = delete;

  // ---- ciphertext ----

  /// Bytes from the peer.
  void feed(std::string_view ciphertext) {
    if (beginning_.size() < 5) {
      beginning_.append(ciphertext.substr(0, 5 - beginning_.size()));
    }
    incoming_.append(ciphertext);
  }
  /// The transport's end-of-file. Without a close_notify before it, read() and do_handshake()
  /// throw SSLEOFError once the bytes are used up.
  void feed_eof() noexcept { incoming_eof_ = true; }
  /// How many fed bytes have not been looked at yet.
  [[nodiscard]] std::size_t incoming_size() const noexcept {
    return incoming_.size() - incoming_read_;
  }
  /// Bytes for the peer; valid until the next call of a non-const member.
  [[nodiscard]] std::string_view outgoing() const noexcept { return outgoing_; }
  /// How many bytes wait for the peer.
  [[nodiscard]] std::size_t outgoing_size() const noexcept { return outgoing_.size(); }
  /// Bytes for the peer, removed from here.
  [[nodiscard]] std::string take_outgoing() noexcept;

  /// Whom error texts are to name ("127.0.0.1:443"); "" names nobody but the server_hostname.
  void set_peer_name(std::string name) { peer_name_ = std::move(name); }

  // ---- steps ----

  /// Goes on with the handshake. True once it is done, false while bytes from the peer are
  /// needed. Throws SSLCertVerificationError, SSLEOFError, SSLError; outgoing() then still holds
  /// the alert for the peer.
  [[nodiscard]] bool do_handshake();
  /// Decrypts at most `size` bytes. The count; 0 is the peer's close_notify; nothing means that
  /// bytes from the peer are needed. Throws SSLEOFError when the input ended without a
  /// close_notify, SSLError for anything that cannot be decrypted.
  [[nodiscard]] std::optional<std::size_t> read(char* out, std::size_t size);
  /// Encrypts `data` into outgoing(). How many bytes were taken: all, or 0 when TLS must read
  /// first. Throws SSLError.
  [[nodiscard]] std::size_t write(std::string_view data);
  /// Says close_notify. True once the peer has said it too, false while bytes from the peer are
  /// needed. Throws SSLError when the peer sent application data instead.
  [[nodiscard]] bool unwrap();

  // ---- texts of errors that the transport beneath finds ----

  /// "TLS handshake with localhost (127.0.0.1:443)".
  [[nodiscard]] std::string describe_handshake() const { return describe(Step::handshake); }
  /// Throws the SSLEOFError of a connection that ended without close_notify.
  [[noreturn]] void throw_truncated() const { throw SSLEOFError(describe(Step::read)); }

  // ---- what was agreed ----

  /// Is the handshake over, well?
  [[nodiscard]] bool handshake_done() const noexcept { return handshake_done_; }
  /// Do we take the server's side?
  [[nodiscard]] bool server_side() const noexcept;
  /// What wrap() was given.
  [[nodiscard]] const std::string& server_hostname() const noexcept { return server_hostname_; }
  /// Decrypted bytes that read() gives without more from the peer.
  [[nodiscard]] std::size_t pending() const;
  /// "TLSv1.3"; "" before the handshake.
  [[nodiscard]] std::string version() const;
  /// Nothing before the handshake.
  [[nodiscard]] std::optional<Cipher> cipher() const;
  /// The peer's certificate; nothing when it showed none.
  [[nodiscard]] std::optional<Certificate> getpeercert() const;
  /// The protocol that ALPN agreed on, "" for none.
  [[nodiscard]] std::string selected_alpn_protocol() const;
  /// Did an earlier session save the key exchange?
  [[nodiscard]] bool session_reused() const;
  /// The newest session, for a later connection to resume; null before the handshake is done. In
  /// TLS 1.3 it is not resumable() before the server's tickets have been read.
  [[nodiscard]] std::shared_ptr<const SSLSession> session() const;
  /// The peer's certificate and those it sent with it, unchecked (get_unverified_chain).
  [[nodiscard]] std::vector<Certificate> get_unverified_chain() const;
  /// The chain from the peer's certificate to a trusted one (get_verified_chain); empty where none
  /// was verified, and on a resumed connection.
  [[nodiscard]] std::vector<Certificate> get_verified_chain() const;
  /// The peer has said close_notify: nothing was cut off.
  [[nodiscard]] bool close_notify_received() const;
  /// The context that made this, or the one that its SNI callback chose.
  [[nodiscard]] const std::shared_ptr<const SSLContext>& context() const noexcept {
    return chosen_context_ ? chosen_context_ : context_;
  }

private:
  friend class SSLContext;
  friend class SSLSession;
  friend struct Callbacks;
  SSLObject(std::shared_ptr<const SSLContext> context, const std::string& server_hostname,
            const net::TLSSession* session);

  // What is being done, for the text of an error.
  enum class Step { handshake, read, write, shutdown };
  [[nodiscard]] std::string describe(Step step) const;
  void resume_session(const net::TLSSession& session);

  // What SSL_get_error said after a call, sorted: nothing for "not yet".
  enum class Trouble { again, close_notify, eof };
  Trouble sort_out(int result, Step step);
  [[noreturn]] void throw_ssl_error(Step step);
  void reclaim_incoming() noexcept;

  std::shared_ptr<const SSLContext> context_;
  // An SNI callback's choice must outlive the connection; OpenSSL keeps its SSL_CTX, not our part.
  std::shared_ptr<const SSLContext> chosen_context_;
  ssl_st* ssl_ = nullptr;
  std::string server_hostname_;
  std::string incoming_;
  std::size_t incoming_read_ = 0;
  std::string outgoing_;
  bool incoming_eof_ = false;
  bool handshake_done_ = false;
  bool session_verified_;  // what the context asked for when this began
  bool session_name_checked_;
  std::string beginning_;  // the peer's first bytes: is it TLS at all?
  std::string peer_name_;
  std::string certificate_detail_;     // of a certificate that was refused, for the text
  std::exception_ptr callback_error_;  // thrown by an SNI callback, carried past OpenSSL's C code
};

}  // namespace brio::tls
