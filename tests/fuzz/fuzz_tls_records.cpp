// Any bytes as a peer's TLS records, before and after a handshake: errors are exceptions, never
// more, and records cut anywhere, in the handshake and afterwards, however the text was cut when it
// was written, give the plain text that they give whole.
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

// Sizes of pieces, from the input: small ones mostly, at times a whole record and more.
class Sizes {
public:
  explicit Sizes(std::string_view bytes) : bytes_(bytes) {}
  std::size_t next() {
    if (bytes_.empty()) return 1;
    const auto byte = static_cast<unsigned char>(bytes_[at_++ % bytes_.size()]);
    return byte < 224 ? 1 + byte % 64 : static_cast<std::size_t>(byte - 223) * 1200;
  }

private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

// Gives `to` the records in pieces, with `step` after each.
template <class Step>
void feed_cut(SSLObject& to, const std::string& records, Sizes& sizes, Step step) {
  for (std::size_t at = 0; at < records.size();) {
    const std::size_t size = sizes.next();
    to.feed(std::string_view(records).substr(at, size));
    step();
    at += size;
  }
}

// A handshake whose records are cut anywhere, in both directions.
void shake_hands_cut(SSLObject& client, SSLObject& server, Sizes& sizes) {
  (void)client.do_handshake();
  for (int round = 0; round < 4; ++round) {
    feed_cut(server, client.take_outgoing(), sizes, [&] { (void)server.do_handshake(); });
    feed_cut(client, server.take_outgoing(), sizes, [&] { (void)client.do_handshake(); });
  }
  require(client.handshake_done() && server.handshake_done());
}

// Plain text written in pieces, its records cut: it arrives whole. Then the same from a session.
void exchange(const SSLContext& client_context, const SSLContext& server_context,
              std::string_view bytes) {
  std::shared_ptr<const SSLSession> session;
  for (int visit = 0; visit < 2; ++visit) {
    Sizes sizes(bytes);
    const auto client = client_context.wrap("", session.get());
    const auto server = server_context.wrap();
    shake_hands_cut(*client, *server, sizes);
    require(client->session_reused() == (visit == 1));
    for (const bool upwards : {true, false}) {
      SSLObject& from = upwards ? *client : *server;
      SSLObject& to = upwards ? *server : *client;
      // Some kilobytes, so that records of full size come as well.
      std::string text = "x";
      while (text.size() < 20'000) text += bytes.empty() ? "x" : bytes;
      std::string got;
      for (std::size_t at = 0; at < text.size();) {
        const std::string_view piece = std::string_view(text).substr(at, sizes.next() * 16);
        require(from.write(piece) == piece.size());
        at += piece.size();
      }
      feed_cut(to, from.take_outgoing(), sizes, [&] { got += read_all(to); });
      require(got == text);
    }
    session = client->session();
    require(session->resumable());
    require(!client->unwrap());
    std::string end;
    feed_cut(*server, client->take_outgoing(), sizes, [&] { end += read_all(*server); });
    require(end.starts_with('.'));
    require(server->unwrap());
    feed_cut(*client, server->take_outgoing(), sizes, [&] { (void)client->unwrap(); });
    require(client->unwrap());
  }
}

// A genuine handshake with a damaged byte, or cut short: an error or not, and nothing else.
void damaged_handshake(const SSLContext& client_context, const SSLContext& server_context,
                       std::string_view bytes) {
  if (bytes.size() < 4) return;
  const auto client = client_context.wrap();
  const auto server = server_context.wrap();
  const std::size_t place =
      std::size_t{static_cast<unsigned char>(bytes[0])} << 8 | static_cast<unsigned char>(bytes[1]);
  const char mask = bytes[2];
  std::size_t passed = 0;
  const auto damage = [&](std::string records) {
    if (place >= passed && place - passed < records.size()) {
      const std::size_t at = place - passed;
      records[at] = static_cast<char>(records[at] ^ mask);
    }
    passed += records.size();
    return records;
  };
  try {
    for (int round = 0; round < 4; ++round) {
      (void)client->do_handshake();
      server->feed(damage(client->take_outgoing()));
      (void)server->do_handshake();
      client->feed(damage(server->take_outgoing()));
    }
    // Nothing was changed, or nothing that matters: both are agreed.
  } catch (const brio::OSError&) {
    // Found out.
  }
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

  exchange(*client_context, *server_context, bytes);
  damaged_handshake(*client_context, *server_context, bytes);
  return 0;
}
