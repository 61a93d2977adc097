#include <brio/tls/error.hpp>

#include <openssl/ssl.h>

namespace brio::tls {

namespace {
class SslCategory : public std::error_category {
public:
  [[nodiscard]] const char* name() const noexcept override { return "ssl"; }
  [[nodiscard]] std::string message(int code) const override {
    return "TLS error " + std::to_string(code);
  }
};
}  // namespace

const std::error_category& ssl_category() noexcept {
  static const SslCategory category;
  return category;
}

SSLError::SSLError(int code, std::string reason, std::string text)
    : OSError(std::error_code(code, ssl_category()), std::move(text)),
      reason_(std::make_shared<const std::string>(std::move(reason))) {}
SSLError::~SSLError() = default;

SSLCertVerificationError::SSLCertVerificationError(int verify_code, std::string verify_message,
                                                   const std::string& operation)
    : SSLError(SSL_R_CERTIFICATE_VERIFY_FAILED, verify_message,
               (operation.empty() ? "" : operation + " failed: ") +
                   "certificate verify failed: " + verify_message),
      verify_code_(verify_code) {}
SSLCertVerificationError::~SSLCertVerificationError() = default;

SSLEOFError::SSLEOFError(const std::string& operation)
    : SSLError(
          SSL_R_UNEXPECTED_EOF_WHILE_READING, "unexpected end of the connection",
          operation + " failed: the connection ended without close_notify, data may be missing") {}
SSLEOFError::~SSLEOFError() = default;

}  // namespace brio::tls
