// Inside brio/tls only: OpenSSL's headers and owners for its objects. Never include it from a
// public header: a user of brio compiles without OpenSSL's.
#pragma once

#include <memory>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string>
#include <string_view>

namespace brio::tls::detail {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const noexcept {
    Free(object);
  }
};
struct FreeX509Stack {
  void operator()(STACK_OF(X509) * stack) const noexcept { sk_X509_pop_free(stack, &X509_free); }
};
struct FreeNames {
  void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }
};
struct FreeOpenSSL {
  void operator()(void* memory) const noexcept { OPENSSL_free(memory); }
};

using BioPtr = std::unique_ptr<BIO, Freer<&BIO_free_all>>;
using X509Ptr = std::unique_ptr<X509, Freer<&X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<&EVP_PKEY_free>>;
using X509StackPtr = std::unique_ptr<STACK_OF(X509), FreeX509Stack>;
using NamesPtr = std::unique_ptr<GENERAL_NAMES, FreeNames>;

/// OpenSSL's newest error as text ("no start line"), and an emptied error queue.
[[nodiscard]] std::string take_error_reason(int* code = nullptr);
/// Throws SSLError "operation failed: reason (hint)" from OpenSSL's error queue. Without a `hint`
/// the reason is explained where it needs to be.
[[noreturn]] void throw_queued_error(const std::string& operation, std::string_view hint = {});
/// The certificates of PEM text; `source` says for errors where it is from (" from 'a.pem'", or
/// "").
[[nodiscard]] X509StackPtr parse_certificates(std::string_view pem, const std::string& source = {});

}  // namespace brio::tls::detail
