// What can go wrong in TLS (Python's ssl.SSLError and its children).
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/exceptions.hpp>

#include <string>

namespace brio::tls {

/// A failure of the TLS layer (ssl.SSLError). what() says what was tried, with whom, and the
/// reason: "TLS handshake with localhost (127.0.0.1:80) failed: wrong version number (the peer
/// answers in plain HTTP: it speaks no TLS on this port)".
class BRIO_API SSLError : public OSError {
public:
  /// `reason` is the library's word for it ("wrong version number"), `text` the whole message.
  SSLError(int code, std::string reason, std::string text);
  SSLError(const SSLError&) = default;
  SSLError& operator=(const SSLError&) = default;
  ~SSLError() override;
  /// The library's word for the reason, "" when there is none.
  [[nodiscard]] const std::string& reason() const noexcept { return *reason_; }

private:
  std::shared_ptr<const std::string> reason_;
};

/// The peer's certificate was refused (ssl.SSLCertVerificationError). what() names the reason:
/// "certificate verify failed: self-signed certificate (CN=x)", "certificate verify failed:
/// hostname mismatch, certificate is not valid for 'a.example' (it names b.example)".
class BRIO_API SSLCertVerificationError : public SSLError {
public:
  /// `operation` is what was tried, with whom ("TLS handshake with localhost"); "" for no word of
  /// it.
  SSLCertVerificationError(int verify_code, std::string verify_message,
                           const std::string& operation = {});
  SSLCertVerificationError(const SSLCertVerificationError&) = default;
  SSLCertVerificationError& operator=(const SSLCertVerificationError&) = default;
  ~SSLCertVerificationError() override;
  /// The X509_V_ERR_* number and its text.
  [[nodiscard]] int verify_code() const noexcept { return verify_code_; }
  /// The text of the X509_V_ERR_* number, with names where they matter.
  [[nodiscard]] const std::string& verify_message() const noexcept { return reason(); }

private:
  int verify_code_;
};

/// The connection ended without the peer's close_notify, so that what was read may have been cut
/// short by an attacker (ssl.SSLEOFError).
class BRIO_API SSLEOFError : public SSLError {
public:
  explicit SSLEOFError(const std::string& operation);
  SSLEOFError(const SSLEOFError&) = default;
  SSLEOFError& operator=(const SSLEOFError&) = default;
  ~SSLEOFError() override;
};

/// The category of SSLError's codes; the numbers are OpenSSL's reason codes.
[[nodiscard]] BRIO_API const std::error_category& ssl_category() noexcept;

}  // namespace brio::tls
