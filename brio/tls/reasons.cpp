#include <brio/tls/reasons.hpp>

#include <brio/tls/openssl.hpp>
#include <brio/tls/x509.hpp>

#include <ctime>

namespace brio::tls::detail {

std::string_view explain_reason(int reason) noexcept {
  switch (reason) {
    case SSL_R_HTTP_REQUEST: return "the client speaks plain HTTP to this TLS port";
    case SSL_R_HTTPS_PROXY_REQUEST:
      return "the client speaks plain HTTP to this TLS port, and takes it for a proxy";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW: return "the peer speaks none of the TLS versions allowed here";
    case SSL_R_NO_PROTOCOLS_AVAILABLE: return "minimum and maximum version leave none";
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
      return "client and server have none in common, or the server has no certificate";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "the client showed none, and one is required";
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: return "damaged on its way";
    // Alerts: the peer's word for what it did not like.
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "the peer refused: it speaks none of our TLS versions";
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
      return "the peer refused: no cipher in common, or it requires a client certificate";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
      return "the peer refused: it requires a client certificate";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
      return "the peer refused our certificate: it is not one for this host or purpose";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
      return "the peer refused our certificate: it is revoked";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return "the peer refused our certificate: it has expired, or is not valid yet";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
      return "the peer refused our certificate: it trusts nobody who issued it";
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
      return "the peer refused: a signature or key of ours is wrong to it";
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED: return "the peer refused: access denied";
    case SSL_R_TLSV1_UNRECOGNIZED_NAME: return "the peer serves no host of that name";
    case SSL_R_TLSV1_ALERT_INTERNAL_ERROR: return "the peer failed";
    default: return "";
  }
}

std::string_view explain_beginning(std::string_view beginning) noexcept {
  if (beginning.empty()) return "";
  // Record types 20 to 24; a leading bit is the hello of SSL 2.
  const auto first = static_cast<unsigned char>(beginning.front());
  if ((first >= 20 && first <= 24) || first >= 0x80) return "";
  if (beginning.starts_with("HTTP/")) {
    return "the peer answers in plain HTTP: it speaks no TLS on this port";
  }
  return "the peer speaks no TLS on this port, or only after start_tls";
}

std::string printable(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string shown;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      shown += c;
    } else {
      shown += "\\x";
      shown += digits[byte >> 4];
      shown += digits[byte & 15];
    }
  }
  return shown;
}

namespace {
std::string utc(std::time_t time) {
  std::tm parts{};
  char text[32];
  if (gmtime_r(&time, &parts) == nullptr) return "?";
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return {text, size};
}
}  // namespace

std::string explain_certificate(int code, x509_st* certificate) {
  const Certificate refused = describe_certificate(certificate);
  switch (code) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: {
      std::string names;
      for (const auto* list : {&refused.dns_names, &refused.ip_addresses}) {
        for (const std::string& name : *list) {
          names += (names.empty() ? "" : ", ") + printable(name);
        }
      }
      return names.empty() ? refused.subject : names;
    }
    case X509_V_ERR_CERT_HAS_EXPIRED: return refused.subject + ", on " + utc(refused.not_after);
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return refused.subject + ", valid from " + utc(refused.not_before);
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
      return refused.subject + ", whose issuer " + refused.issuer + " is not trusted";
    default: return refused.subject;
  }
}

}  // namespace brio::tls::detail
