// Inside brio/tls only: what OpenSSL calls back.
#pragma once

#include <brio/tls/context.hpp>
#include <brio/tls/object.hpp>
#include <brio/tls/openssl.hpp>

namespace brio::tls {

/// OpenSSL's callbacks. They have access to what is private in contexts and objects, and let no
/// exception through: it waits in the object until OpenSSL's C code has been left.
struct Callbacks {
  struct Bio;

  /// SSL_CTX_set_client_hello_cb: the SNI callback's choice, before anything is decided.
  static int choose_context(SSL* ssl, int* alert, void* context);
  /// SSL_CTX_set_tlsext_servername_callback: says that the name was heeded.
  static int acknowledge_name(SSL* ssl, int* alert, void* context);
  /// SSL_CTX_set_verify: remembers of a refused certificate what the error's text needs.
  static int note_verify_error(int ok, X509_STORE_CTX* store);
  /// SSL_CTX_set_keylog_callback: a line for the file.
  static void log_key(const SSL* ssl, const char* line);
};

}  // namespace brio::tls
