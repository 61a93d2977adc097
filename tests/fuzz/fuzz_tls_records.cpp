// Any bytes as a peer's TLS records, and a genuine peer's records cut, damaged, lost, repeated and
// mixed with others: errors are exceptions and nothing else, what is read is a beginning of what
// was written, and all of it where the records were only cut.
//
// The first byte says what is done, the second how. Handshakes cost more than all the rest: most
// resume a session, and where text alone is cut, it goes through connections that stand. Sizes do
// not depend on chance, so that a finding is found again.
#include <brio/tls/context.hpp>
#include <brio/tls/object.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string>
#include <string_view>
#include <utility>

using namespace brio::tls;

namespace {

void require(bool held) {
  if (!held) std::abort();
}

// What the input still has to say.
class Input {
public:
  Input(const std::uint8_t* data, std::size_t size)
      : bytes_(reinterpret_cast<const char*>(data), size) {}
  // A number below 256; 0 when the input is used up.
  std::size_t next() {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<unsigned char>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }
  std::string_view take(std::size_t size) {
    const std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  [[nodiscard]] std::string_view rest() const { return bytes_; }

private:
  std::string_view bytes_;
};

// Sizes of pieces: small ones mostly, at times a whole record and more. After some hundred the rest
// is one piece: more of them cost time and find nothing.
class Sizes {
public:
  explicit Sizes(std::string_view bytes) : bytes_(bytes) {}
  std::size_t next() {
    if (at_ == 300) return 1'000'000;
    const auto byte = bytes_.empty() ? 0U : static_cast<unsigned char>(bytes_[at_ % bytes_.size()]);
    ++at_;
    return byte < 224 ? 1 + byte % 64 : static_cast<std::size_t>(byte - 223) * 1200;
  }

private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

struct Ends {
  std::unique_ptr<SSLObject> client;
  std::unique_ptr<SSLObject> server;
};

// The contexts of one version, and a session of theirs.
struct World {
  std::shared_ptr<SSLContext> server;
  std::shared_ptr<SSLContext> client;
  std::shared_ptr<const SSLSession> session;
  // A connection for as long as the program runs: what leaves nothing behind may use it.
  Ends standing{};

  [[nodiscard]] Ends wrap(bool resumed) const {
    return {client->wrap("", resumed ? session.get() : nullptr), server->wrap()};
  }
  // A connection whose handshake is done.
  [[nodiscard]] Ends connect(bool resumed) const {
    Ends ends = wrap(resumed);
    for (int round = 0; round < 3; ++round) {
      (void)ends.client->do_handshake();
      ends.server->feed(ends.client->take_outgoing());
      (void)ends.server->do_handshake();
      ends.client->feed(ends.server->take_outgoing());
    }
    require(ends.client->handshake_done() && ends.server->handshake_done());
    require(ends.client->session_reused() == resumed);
    return ends;
  }
};

// Ed25519: its signatures have always the same size.
std::string make_certificate() {
  EVP_PKEY* key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  X509* certificate = X509_new();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
  X509_set_pubkey(certificate, key);
  X509_sign(certificate, key, nullptr);
  BIO* pem = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(pem, certificate);
  PEM_write_bio_PrivateKey(pem, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(pem, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(pem);
  X509_free(certificate);
  EVP_PKEY_free(key);
  return text;
}

World make_world(TLSVersion version) {
  World world{SSLContext::create(Role::server), SSLContext::create(Role::client), nullptr, {}};
  for (const auto& context : {world.server, world.client}) {
    context->set_minimum_version(version);
    context->set_maximum_version(version);
    context->set_check_hostname(false);
    context->set_verify_mode(VerifyMode::none);
    SSL_CTX_set_timeout(context->native_handle(), 7L * 86400);  // a run may last for days
  }
  world.server->load_cert_chain_pem(make_certificate());
  world.standing = world.connect(false);
  char none = 0;
  (void)world.standing.client->read(&none, 1);  // the tickets
  world.session = world.standing.client->session();
  require(world.session->resumable());
  return world;
}

// Reads what there is; "!" behind it for a refusal, "." for a close_notify.
std::string read_all(SSLObject& object) {
  std::string all;
  char chunk[4096];
  try {
    while (const auto count = object.read(chunk, sizeof chunk)) {
      if (*count == 0) return all + ".";
      all.append(chunk, *count);
    }
  } catch (const brio::OSError&) {
    return all + "!";
  }
  return all;
}

// What may fail, by an exception of this kind alone.
template <class F>
void attempt(F step) {
  try {
    step();
  } catch (const brio::OSError&) {
    // What a stranger deserves.
  }
}

// Everything that can be asked of a connection, whatever has become of it.
void look(const SSLObject& object) {
  (void)object.pending();
  (void)object.cipher();
  (void)object.getpeercert();
  (void)object.get_unverified_chain();
  (void)object.get_verified_chain();
  (void)object.selected_alpn_protocol();
  if (const auto session = object.session()) (void)session->resumable();
  require(object.version().empty() != object.handshake_done());
}

// Whatever it met: more calls are refused or do nothing.
void go_on(SSLObject& object) {
  attempt([&] { (void)object.do_handshake(); });
  attempt([&] { (void)object.write("more"); });
  (void)read_all(object);
  attempt([&] { (void)object.unwrap(); });
  look(object);
}

// ---- any bytes

void stranger(SSLObject& object, std::string_view bytes, std::size_t step) {
  attempt([&] {
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      object.feed(bytes.substr(at, step));
      if (object.do_handshake()) (void)read_all(object);
    }
    object.feed_eof();
    (void)object.do_handshake();
    (void)read_all(object);
  });
  go_on(object);
}

// ---- records cut anywhere

// Gives `to` the records in pieces, with `step` after each.
template <class Step>
void feed_cut(SSLObject& to, std::string_view records, Sizes& sizes, Step step) {
  for (std::size_t at = 0; at < records.size();) {
    const std::size_t size = sizes.next();
    to.feed(records.substr(at, size));
    step();
    at += size;
  }
}

// A handshake with its records cut.
Ends shake_hands_cut(const World& world, bool resumed, Sizes& sizes) {
  Ends ends = world.wrap(resumed);
  SSLObject& client = *ends.client;
  SSLObject& server = *ends.server;
  (void)client.do_handshake();
  for (int round = 0; round < 3; ++round) {
    feed_cut(server, client.take_outgoing(), sizes, [&] { (void)server.do_handshake(); });
    feed_cut(client, server.take_outgoing(), sizes, [&] { (void)client.do_handshake(); });
  }
  require(client.handshake_done() && server.handshake_done());
  require(client.session_reused() == resumed);
  return ends;
}

// Text both ways, written in pieces, its records cut.
void exchange(const Ends& ends, std::string_view text, Sizes& sizes) {
  for (const bool upwards : {true, false}) {
    SSLObject& from = upwards ? *ends.client : *ends.server;
    SSLObject& to = upwards ? *ends.server : *ends.client;
    std::string got;
    for (std::size_t at = 0; at < text.size();) {
      const std::string_view piece = text.substr(at, sizes.next() * 16);
      require(from.write(piece) == piece.size());
      at += piece.size();
    }
    feed_cut(to, from.take_outgoing(), sizes, [&] { got += read_all(to); });
    got += read_all(to);  // where there was no text: what the handshake has left
    require(got == text);
    require(to.incoming_size() == 0 && to.pending() == 0);
  }
}

// The end of both directions, its records cut.
void close_cut(const Ends& ends, Sizes& sizes) {
  SSLObject& client = *ends.client;
  SSLObject& server = *ends.server;
  require(client.session()->resumable());
  require(!client.unwrap());
  std::string end;
  feed_cut(server, client.take_outgoing(), sizes, [&] { end += read_all(server); });
  require(end.starts_with('.') && server.close_notify_received());
  require(server.unwrap());
  feed_cut(client, server.take_outgoing(), sizes, [&] { (void)client.unwrap(); });
  require(client.unwrap());
}

void cut(World& world, bool whole, bool resumed, std::size_t text_size, std::string_view bytes) {
  Sizes sizes(bytes);
  std::string text(bytes);
  while (text.size() < text_size) text += "x" + std::string(bytes);
  if (whole) {
    const Ends ends = shake_hands_cut(world, resumed, sizes);
    exchange(ends, text, sizes);
    close_cut(ends, sizes);
  } else {
    exchange(world.standing, text, sizes);
  }
}

// ---- somebody in between

// The way from one end to the other; the input says what becomes of each record.
class Wire {
public:
  explicit Wire(Input& input) : input_(input) {}
  [[nodiscard]] bool touched() const { return touched_; }

  std::string carry(std::string_view sent) {
    std::string arrived;
    while (!sent.empty()) {
      std::size_t size = sent.size();
      if (size > 5) {
        const auto byte = [&](std::size_t i) -> std::size_t {
          return static_cast<unsigned char>(sent[i]);
        };
        size = std::min(size, 5 + (byte(3) << 8 | byte(4)));
      }
      const std::string late = std::exchange(held_, "");
      arrived += change(std::string(sent.substr(0, size))) + late;
      sent.remove_prefix(size);
    }
    return arrived;
  }

private:
  std::string change(std::string record) {
    const std::size_t what = input_.next() % 16;
    if (what == 0 || what > 7) return record;
    touched_ = true;
    switch (what) {
      case 1: {  // the header
        char& byte = record[input_.next() % std::min<std::size_t>(record.size(), 5)];
        byte = static_cast<char>(input_.next());
        return record;
      }
      case 2: {  // anywhere
        const std::size_t high = input_.next();
        char& byte = record[(high << 8 | input_.next()) % record.size()];
        byte = static_cast<char>(static_cast<unsigned char>(byte) ^ input_.next());
        return record;
      }
      case 3: return "";
      case 4: return record + record;
      case 5: return record.substr(0, input_.next() % record.size());
      case 6: return std::string(input_.take(input_.next() % 64)) + record;
      default:  // overtaken by the next one
        held_ = std::move(record);
        return "";
    }
  }

  Input& input_;
  bool touched_ = false;
  std::string held_;
};

// One direction's text.
struct Telling {
  SSLObject& from;
  SSLObject& to;
  Wire& wire;
  std::string sent{};
  std::string got{};

  void tell(std::string_view text) {
    try {
      sent += text.substr(0, from.write(text));
    } catch (const brio::OSError&) {
      sent += text;  // a part of it may have gone
    }
    to.feed(wire.carry(from.take_outgoing()));
    got += read_all(to);
  }
  void check(bool touched) {
    while (!got.empty() && (got.back() == '!' || got.back() == '.')) got.pop_back();
    require(sent.starts_with(got));
    require(touched || got == sent);
  }
};

void meddle(const World& world, bool resumed, Input& input) {
  const Ends ends = world.wrap(resumed);
  Wire up(input);
  Wire down(input);
  for (int round = 0; round < 3; ++round) {
    attempt([&] { (void)ends.client->do_handshake(); });
    ends.server->feed(up.carry(ends.client->take_outgoing()));
    attempt([&] { (void)ends.server->do_handshake(); });
    ends.client->feed(down.carry(ends.server->take_outgoing()));
  }
  attempt([&] { (void)ends.client->do_handshake(); });

  const std::array<std::string, 3> texts{std::string(1 + input.next(), 'a'), std::string(2, 'b'),
                                         std::string(17'000, 'c')};
  Telling upwards{*ends.client, *ends.server, up};
  Telling downwards{*ends.server, *ends.client, down};
  for (const std::string& text : texts) {
    upwards.tell(text);
    downwards.tell(text);
  }
  const bool touched = up.touched() || down.touched();
  require(touched || downwards.sent.size() > 17'000);
  upwards.check(touched);
  downwards.check(touched);
  go_on(*ends.client);
  go_on(*ends.server);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::array<World, 2> worlds{make_world(TLSVersion::v1_3), make_world(TLSVersion::v1_2)};
  if (size < 2) return 0;
  Input input(data, size);
  const std::size_t what = input.next();
  const std::size_t how = input.next();
  World& world = worlds[how % 2];
  const bool resumed = (how & 0xe) != 0xe;  // one in eight shakes hands in full
  const std::size_t step = 1 + (how >> 4) * 5;
  switch (what % 8) {
    case 0: stranger(*world.client->wrap(), input.rest(), step); break;
    case 1: stranger(*world.server->wrap(), input.rest(), step); break;
    case 2: stranger(*world.connect(resumed).client, input.rest(), step); break;
    case 3: stranger(*world.connect(resumed).server, input.rest(), step); break;
    case 4:
      cut(world, (how & 0x10) != 0, resumed, (what >> 3) * (what >> 3) * 20, input.rest());
      break;
    default: meddle(world, resumed, input);
  }
  return 0;
}
