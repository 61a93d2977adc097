// Any bytes as a peer's TLS records, before and after a handshake: errors are exceptions, never
// more, and records cut anywhere give the plain text that they give whole.
#include <brio/tls/context.hpp>
#include <brio/tls/object.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string>
#include <string_view>

using namespace brio::tls;

namespace {

void require(bool held) {
  if (!held) std::abort();
}

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

std::shared_ptr<SSLContext> make_server() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, EVP_sha256());
  BIO* pem = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(pem, certificate);
  PEM_write_bio_PrivateKey(pem, key, nullptr, nullptr, 0, nullptr, nullptr);
  auto context = SSLContext::create(Role::server);
  context->load_cert_chain_pem(text_of(pem));
  BIO_free(pem);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return context;
}

std::shared_ptr<SSLContext> make_client() {
  auto context = SSLContext::create(Role::client);
  context->set_check_hostname(false);
  context->set_verify_mode(VerifyMode::none);
  return context;
}

// Everything that can be read; "!" at the end for a refusal, "." for a close_notify.
std::string read_all(SSLObject& object) {
  std::string all;
  char chunk[300];
  try {
    while (const auto count = object.read(chunk, sizeof chunk)) {
      if (*count == 0) return all + ".";
      all.append(chunk, *count);
    }
  } catch (const SSLError&) {
    return all + "!";
  }
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto server_context = make_server();
  static const auto client_context = make_client();
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::size_t step = size == 0 ? 1 : 1 + data[0] % 40;

  // As the answer to a handshake, on either side.
  for (const auto& context : {client_context, server_context}) {
    const auto object = context->wrap();
    try {
      for (std::size_t at = 0; at < bytes.size(); at += step) {
        object->feed(bytes.substr(at, step));
        if (object->do_handshake()) break;
      }
      object->feed_eof();
      (void)object->do_handshake();
    } catch (const brio::OSError&) {
      // What a stranger deserves.
    }
  }

  // As plain text through a real connection whose records are cut, and then damaged.
  const auto client = client_context->wrap();
  const auto server = server_context->wrap();
  for (int round = 0; round < 4; ++round) {
    (void)client->do_handshake();
    server->feed(client->take_outgoing());
    (void)server->do_handshake();
    client->feed(server->take_outgoing());
  }
  require(client->handshake_done() && server->handshake_done());
  require(client->write(bytes) == bytes.size());
  std::string got;
  const std::string records = client->take_outgoing();
  for (std::size_t at = 0; at < records.size(); at += step) {
    server->feed(std::string_view(records).substr(at, step));
    got += read_all(*server);
  }
  require(got == bytes);
  server->feed(bytes);
  server->feed_eof();
  (void)read_all(*server);
  return 0;
}
