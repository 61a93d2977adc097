// Certificates made at test time, so that none expires in the tree.
#pragma once

#include <string>

namespace brio::tests {

/// A certificate with its key, both PEM.
struct TestCertificate {
  std::string certificate;
  std::string key;
};

/// What make_certificate is to write into it.
struct TestCertificateOptions {
  std::string common_name = "localhost";
  std::string alt_names = "DNS:localhost,IP:127.0.0.1";  ///< as in openssl.cnf; "" for none
  long valid_from = -3600;                               ///< seconds from now
  long valid_until = 86400;                              ///< seconds from now
  const TestCertificate* issuer = nullptr;               ///< self-signed without
  bool authority = true;                                 ///< basicConstraints CA
  std::string key_password = {};
  bool rsa = false;  ///< an RSA key instead of an elliptic one
};

[[nodiscard]] TestCertificate make_certificate(const TestCertificateOptions& options = {});

/// One self-signed certificate for localhost, made once per test program.
[[nodiscard]] const TestCertificate& localhost_certificate();

}  // namespace brio::tests
