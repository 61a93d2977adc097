// Inside brio/tls only: what OpenSSL's short words for a failure mean.
#pragma once

#include <brio/core/config.hpp>

#include <string>
#include <string_view>

struct x509_st;  // OpenSSL's X509

namespace brio::tls::detail {

/// What an SSL_R_* reason means for whoever has to do something about it; "" where the library's
/// own word says it all.
[[nodiscard]] std::string_view explain_reason(int reason) noexcept;

/// What a peer whose first bytes are `beginning` speaks instead of TLS, as words for an error's
/// text; "" when it may be TLS.
[[nodiscard]] std::string_view explain_beginning(std::string_view beginning) noexcept;

/// What of a refused certificate belongs into the text of the X509_V_ERR_* `code`: its names, its
/// subject, its times.
[[nodiscard]] std::string explain_certificate(int code, x509_st* certificate);

/// `text` with what would damage a line or a terminal escaped: a peer chooses what is in it.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace brio::tls::detail
