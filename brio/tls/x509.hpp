// Inside brio/tls only: OpenSSL's certificate to ours.
#pragma once

#include <brio/tls/certificate.hpp>

struct x509_st;  // OpenSSL's X509

namespace brio::tls::detail {

/// The readable parts of OpenSSL's certificate.
[[nodiscard]] Certificate describe_certificate(x509_st* certificate);

}  // namespace brio::tls::detail
