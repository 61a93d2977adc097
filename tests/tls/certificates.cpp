#include "certificates.hpp"

#include <memory>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdexcept>

namespace brio::tests {

namespace {
template <class T>
T* need(T* pointer) {
  if (pointer == nullptr) throw std::runtime_error("OpenSSL failed while making a certificate");
  return pointer;
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

void add_extension(X509* certificate, X509V3_CTX& context, int nid, const std::string& value) {
  X509_EXTENSION* extension = need(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

void set_name(X509_NAME* name, const std::string& common_name) {
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1,
                             0);
}
}  // namespace

TestCertificate make_certificate(const TestCertificateOptions& options) {
  using Bio = std::unique_ptr<BIO, decltype(&BIO_free_all)>;
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Cert = std::unique_ptr<X509, decltype(&X509_free)>;

  // Elliptic curves: a key in a fraction of a millisecond.
  const Key key(need(options.rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256")), &EVP_PKEY_free);
  const Cert certificate(need(X509_new()), &X509_free);
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER* serial = X509_get_serialNumber(certificate.get());
  unsigned char bytes[8];
  RAND_bytes(bytes, sizeof bytes);
  std::uint64_t number = 1;
  for (const unsigned char byte : bytes) number = (number << 7) | byte;
  ASN1_INTEGER_set_uint64(serial, number >> 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), options.valid_from);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), options.valid_until);
  X509_set_pubkey(certificate.get(), key.get());
  set_name(X509_get_subject_name(certificate.get()), options.common_name);

  Cert issuer(nullptr, &X509_free);
  Key issuer_key(nullptr, &EVP_PKEY_free);
  if (options.issuer != nullptr) {
    const Bio in(BIO_new_mem_buf(options.issuer->certificate.data(), -1), &BIO_free_all);
    const Bio key_in(BIO_new_mem_buf(options.issuer->key.data(), -1), &BIO_free_all);
    issuer.reset(need(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr)));
    issuer_key.reset(need(PEM_read_bio_PrivateKey(key_in.get(), nullptr, nullptr, nullptr)));
  }
  X509* const signer = issuer ? issuer.get() : certificate.get();
  X509_set_issuer_name(certificate.get(), X509_get_subject_name(signer));

  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, signer, certificate.get(), nullptr, nullptr, 0);
  add_extension(certificate.get(), context, NID_basic_constraints,
                options.authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (options.authority) {
    add_extension(certificate.get(), context, NID_key_usage,
                  "critical,digitalSignature,keyCertSign,cRLSign");
  }
  add_extension(certificate.get(), context, NID_subject_key_identifier, "hash");
  if (options.issuer != nullptr) {
    add_extension(certificate.get(), context, NID_authority_key_identifier, "keyid:always");
  }
  if (!options.alt_names.empty()) {
    add_extension(certificate.get(), context, NID_subject_alt_name, options.alt_names);
  }
  if (X509_sign(certificate.get(), issuer_key ? issuer_key.get() : key.get(), EVP_sha256()) == 0) {
    throw std::runtime_error("signing failed");
  }

  const Bio out(need(BIO_new(BIO_s_mem())), &BIO_free_all);
  PEM_write_bio_X509(out.get(), certificate.get());
  const Bio key_out(need(BIO_new(BIO_s_mem())), &BIO_free_all);
  const bool locked = !options.key_password.empty();
  PEM_write_bio_PrivateKey(
      key_out.get(), key.get(), locked ? EVP_aes_128_cbc() : nullptr,
      locked ? reinterpret_cast<const unsigned char*>(options.key_password.data()) : nullptr,
      static_cast<int>(options.key_password.size()), nullptr, nullptr);
  return {text_of(out.get()), text_of(key_out.get())};
}

const TestCertificate& localhost_certificate() {
  static const TestCertificate made = make_certificate();
  return made;
}

}  // namespace brio::tests
