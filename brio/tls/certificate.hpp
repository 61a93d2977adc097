// A peer's certificate as plain values (what Python's getpeercert gives as a dict).
#pragma once

#include <brio/core/config.hpp>

#include <ctime>
#include <string>
#include <vector>

namespace brio::tls {

/// A certificate's readable parts and its DER form.
struct Certificate {
  std::string subject;                    ///< RFC 2253: "CN=localhost,O=Example"
  std::string issuer;                     ///< RFC 2253
  std::string serial_number;              ///< hexadecimal, upper case
  std::time_t not_before = 0;             ///< seconds since the epoch, UTC
  std::time_t not_after = 0;              ///< seconds since the epoch, UTC
  std::vector<std::string> dns_names;     ///< subjectAltName: DNS
  std::vector<std::string> ip_addresses;  ///< subjectAltName: IP, as text
  std::string der;                        ///< the whole certificate
};

/// The negotiated cipher (ssl.SSLSocket.cipher()).
struct Cipher {
  std::string name;      ///< "TLS_AES_256_GCM_SHA384"
  std::string protocol;  ///< "TLSv1.3"
  int secret_bits = 0;   ///< 128, 256, …
};

}  // namespace brio::tls
