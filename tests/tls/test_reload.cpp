// Certificates exchanged while a server serves.
#include "support.hpp"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace brio;
using namespace brio::tests;

namespace {

// Whom a client sees that trusts anybody.
Coro<std::string> shown(int port) {
  const auto context = tls::SSLContext::create(tls::Role::client);
  context->set_check_hostname(false);
  context->set_verify_mode(tls::VerifyMode::none);
  auto [r, w] =
      co_await open_connection("127.0.0.1", port, {.ssl = context, .server_hostname = "localhost"});
  std::string subject = object_of(w).getpeercert()->subject;
  w.close();
  co_await w.wait_closed();
  co_return subject;
}

class Folder {
public:
  Folder() { std::filesystem::create_directory(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string file(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return path_ / name;
  }

private:
  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / ("brio-reload-" + std::to_string(::getpid()));
};

}  // namespace

TEST_CASE("tls reload: new handshakes see the new certificate, connections that stand go on") {
  Trace ev;
  testing::run_test([&]() -> Coro<> {
    const Folder folder;
    const TestCertificate first = make_certificate({.common_name = "first"});
    const TestCertificate second = make_certificate({.common_name = "second"});
    const std::string cert = folder.file("cert.pem", first.certificate);
    const std::string key = folder.file("key.pem", first.key);
    const auto context = tls::create_default_context(tls::Role::server);
    context->load_cert_chain(cert, key);
    auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = context});
    const int port = port_of(server);

    auto [r, w] = co_await open_connection(
        "127.0.0.1", port, {.ssl = trusting(first), .server_hostname = "localhost"});
    w.write("before\n");
    ev(co_await r.readline());

    (void)folder.file("cert.pem", second.certificate);
    (void)folder.file("key.pem", second.key);
    ev("files alone change nothing:", (co_await shown(port)).c_str());
    context->reload_cert_chain(cert, key);
    ev((co_await shown(port)).c_str());

    w.write("after\n");
    ev(co_await r.readline(), object_of(w).getpeercert()->subject.c_str());
    w.close();
    co_await w.wait_closed();
    server->close();
    co_await server->wait_closed();
  });
  CHECK(ev.str() ==
        "b'before\\n'\nfiles alone change nothing: CN=first\nCN=second\nb'after\\n' CN=first\n");
}

TEST_CASE("tls reload: whatever is wrong, the old certificate stays and the error says what") {
  Trace ev;
  std::vector<std::string> texts;
  testing::run_test([&]() -> Coro<> {
    const Folder folder;
    const TestCertificate first = make_certificate({.common_name = "first"});
    const TestCertificate second = make_certificate({.common_name = "second"});
    const TestCertificate locked = make_certificate({.key_password = "open sesame"});
    const std::string cert = folder.file("c", second.certificate);
    const std::string key = folder.file("k", second.key);
    const std::string other_key = folder.file("other", first.key);
    const std::string no_pem = folder.file("none", "nothing here\n");
    const std::string cut =
        folder.file("cut", second.certificate.substr(0, 100) + "\n-----END CERTIFICATE-----\n");
    const std::string locked_cert = folder.file("lc", locked.certificate);
    const std::string locked_key = folder.file("lk", locked.key);
    const auto context = serving(first);
    auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = context});

    struct Wrong {
      std::string cert, key, password;
    };
    for (const Wrong& wrong :
         {Wrong{cert + "missing", key, ""}, Wrong{cert, key + "missing", ""},
          Wrong{cert, other_key, ""}, Wrong{no_pem, key, ""}, Wrong{cert, no_pem, ""},
          Wrong{cut, key, ""}, Wrong{locked_cert, locked_key, ""},
          Wrong{locked_cert, locked_key, "wrong"}, Wrong{cert, "", ""}}) {
      std::string text = "no error";
      try {
        context->reload_cert_chain(wrong.cert, wrong.key, wrong.password);
      } catch (const OSError& error) {
        text = error.what();
      }
      const std::string path = cert.substr(0, cert.size() - 1);
      for (std::size_t at = 0; (at = text.find(path)) != std::string::npos;) {
        text.erase(at, path.size());
      }
      texts.push_back(text);
      ev((co_await shown(port_of(server))).c_str());
    }
    context->reload_cert_chain(locked_cert, locked_key, "open sesame");
    ev((co_await shown(port_of(server))).c_str());
    server->close();
    co_await server->wait_closed();
  });
  std::string expected;
  for (int i = 0; i < 9; ++i) expected += "CN=first\n";
  CHECK(ev.str() == expected + "CN=localhost\n");
  REQUIRE(texts.size() == 9);
  CHECK(texts[0].find("cmissing") != std::string::npos);
  CHECK(texts[1].find("kmissing") != std::string::npos);
  CHECK(texts[2] ==
        "loading the certificate from 'c' failed: key values mismatch (the private key from "
        "'other' is not this certificate's)");
  CHECK(texts[3] ==
        "reading a certificate from 'none' failed: no start line (there is none in it)");
  CHECK(texts[4].starts_with("reading a private key from 'none' failed: "));
  CHECK(texts[5].starts_with("reading a certificate from 'cut' failed: "));
  CHECK(texts[6].starts_with("reading a private key from 'lk' failed: "));
  CHECK(texts[6].ends_with("(it needs a password)"));
  CHECK(texts[7].ends_with("(the password may be wrong)"));
  CHECK(texts[8].starts_with("reading a private key from 'c' failed: "));
}

TEST_CASE("tls reload: a key of another kind leaves nothing of the old certificate") {
  Trace ev;
  testing::run_test([&]() -> Coro<> {
    const TestCertificate elliptic = make_certificate({.common_name = "elliptic"});
    const TestCertificate rsa = make_certificate({.common_name = "rsa", .rsa = true});
    const auto context = serving(elliptic);
    auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = context});
    // load_cert_chain puts the second beside the first, as in Python.
    context->load_cert_chain_pem(rsa.certificate, rsa.key);
    ev((co_await shown(port_of(server))).c_str());
    context->reload_cert_chain_pem(rsa.certificate, rsa.key);
    ev((co_await shown(port_of(server))).c_str());
    const TestCertificate newer = make_certificate({.common_name = "newer", .rsa = true});
    context->reload_cert_chain_pem(newer.certificate, newer.key);
    ev((co_await shown(port_of(server))).c_str());
    context->reload_cert_chain_pem(elliptic.certificate, elliptic.key);
    ev((co_await shown(port_of(server))).c_str());
    server->close();
    co_await server->wait_closed();
  });
  CHECK(ev.str() == "CN=elliptic\nCN=rsa\nCN=newer\nCN=elliptic\n");
}

TEST_CASE("tls reload: the context that an SNI callback chose is reloaded too") {
  Trace ev;
  testing::run_test([&]() -> Coro<> {
    const TestCertificate rsa = make_certificate({.common_name = "new", .rsa = true});
    const auto front = serving(make_certificate({.common_name = "front"}));
    const auto chosen = serving(make_certificate({.common_name = "old"}));
    front->set_sni_callback([chosen](std::string_view) { return chosen; });
    auto server = co_await start_server(echo, "127.0.0.1", 0, {.ssl = front});
    ev((co_await shown(port_of(server))).c_str());
    chosen->reload_cert_chain_pem(rsa.certificate, rsa.key);
    ev((co_await shown(port_of(server))).c_str());
    server->close();
    co_await server->wait_closed();
  });
  CHECK(ev.str() == "CN=old\nCN=new\n");
}
