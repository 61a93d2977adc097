// brio's side in test_tls.py: a TLS server or client, told what to do by words "name=value".
//
//     peer_tls server cert=… key=… [ca=… verify=optional|required] [alpn=a,b] [version=1.2|1.3]
//                     [other=HOST other_cert=… other_key=…] [upgrade=N]
//     peer_tls client port=… ca=… name=… [cert=… key=…] [alpn=a,b] [version=…] [visits=N]
//                     [upgrade=N]
//
// The server prints "port N", a line for each connection, and answers lines with themselves; SIGHUP
// reloads its certificate, SIGTERM ends it. The client sends "hello" and prints a line for each of
// its visits, in which it resumes the session of the one before. With upgrade=N a line "starttls"
// is answered with "go ahead" and followed by TLS, N times: inside TLS already, unless plain=1.
#include <brio/core/runner.hpp>
#include <brio/net/streams.hpp>
#include <brio/os/signals.hpp>
#include <brio/tls/context.hpp>
#include <brio/tls/object.hpp>

#include <csignal>
#include <cstdio>
#include <exception>
#include <map>
#include <string>

using namespace brio;

namespace {

using Words = std::map<std::string, std::string>;

std::string word(const Words& words, const std::string& name, const std::string& fallback = {}) {
  const auto found = words.find(name);
  return found == words.end() ? fallback : found->second;
}

void configure(tls::SSLContext& context, const Words& words) {
  if (words.contains("ca")) context.load_verify_locations({.cafile = word(words, "ca")});
  if (words.contains("cert")) context.load_cert_chain(word(words, "cert"), word(words, "key"));
  if (words.contains("alpn")) {
    std::vector<std::string> protocols(1);
    for (const char c : word(words, "alpn")) {
      if (c == ',') {
        protocols.emplace_back();
      } else {
        protocols.back() += c;
      }
    }
    context.set_alpn_protocols(protocols);
  }
  if (words.contains("version")) {
    const auto version =
        word(words, "version") == "1.2" ? tls::TLSVersion::v1_2 : tls::TLSVersion::v1_3;
    context.set_maximum_version(version);
    context.set_minimum_version(version);
  }
}

void print(const char* who, const StreamWriter& w, const std::string& line) {
  const tls::SSLObject& object = **w.get_extra_info<const tls::SSLObject*>("ssl_object");
  const auto peer = object.getpeercert();
  std::printf("%s version=%s alpn=%s reused=%d peer=%s line=%s\n", who, object.version().c_str(),
              object.selected_alpn_protocol().c_str(), object.session_reused() ? 1 : 0,
              peer ? peer->subject.c_str() : "", line.c_str());
  std::fflush(stdout);
}

std::string without_end(std::string line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
  return line;
}

Coro<> serve(StreamReader r, StreamWriter w, std::shared_ptr<tls::SSLContext> context,
             int upgrades) {
  for (int i = 0; i < upgrades; ++i) {
    (void)co_await r.readline();
    w.write("go ahead\n");
    co_await w.start_tls(context);
  }
  bool first = true;
  while (true) {
    std::string line = co_await r.readline();
    if (line.empty()) break;
    if (first) print("connection", w, without_end(line));
    first = false;
    w.write(std::move(line));
    co_await w.drain();
  }
  w.close();
}

Coro<> run_server(Words words) {
  const auto context = tls::create_default_context(tls::Role::server);
  configure(*context, words);
  const std::string verify = word(words, "verify");
  if (verify == "optional") context->set_verify_mode(tls::VerifyMode::optional);
  if (verify == "required") context->set_verify_mode(tls::VerifyMode::required);
  if (words.contains("other")) {
    const auto other = tls::create_default_context(tls::Role::server);
    other->load_cert_chain(word(words, "other_cert"), word(words, "other_key"));
    context->set_sni_callback(
        [context = context.get(), other, host = word(words, "other")](std::string_view name) {
          return name == host ? other : context->shared_from_this();
        });
  }
  const int upgrades = std::stoi(word(words, "upgrade", "0"));
  const bool plain = words.contains("plain");
  const auto handler = [context, upgrades](StreamReader r, StreamWriter w) {
    return serve(std::move(r), std::move(w), context, upgrades);
  };
  auto server = co_await start_server(handler, "127.0.0.1", 0, {.ssl = plain ? nullptr : context});
  add_signal_handler(SIGHUP, [&] {
    try {
      context->reload_cert_chain(word(words, "cert"), word(words, "key"));
      std::puts("reloaded");
    } catch (const OSError& error) {
      std::printf("not reloaded: %s\n", error.what());
    }
    std::fflush(stdout);
  });
  const Future<> end = create_future();
  add_signal_handler(SIGTERM, [end] { end.set_result(); });
  std::printf("port %d\n", server->sockets()[0].getsockname().port());
  std::fflush(stdout);
  co_await end;
  server->close();
  server->abort_clients();
  co_await server->wait_closed();
}

Coro<> run_client(Words words) {
  const auto context =
      tls::create_default_context(tls::Role::client, {.cafile = word(words, "ca")});
  Words without_ca = words;
  without_ca.erase("ca");
  configure(*context, without_ca);
  const std::string name = word(words, "name", "localhost");
  const int upgrades = std::stoi(word(words, "upgrade", "0"));
  std::shared_ptr<const tls::SSLSession> session;
  for (int i = std::stoi(word(words, "visits", "1")); i > 0; --i) {
    ConnectionOptions options;
    if (!words.contains("plain")) {
      options.ssl = context;
      options.server_hostname = name;
      if (upgrades == 0) options.ssl_session = session;
    }
    auto [r, w] =
        co_await open_connection("127.0.0.1", std::stoi(word(words, "port")), std::move(options));
    for (int u = 0; u < upgrades; ++u) {
      w.write("starttls\n");
      (void)co_await r.readline();
      co_await w.start_tls(context, {.server_hostname = name});
    }
    w.write("hello\n");
    const std::string answer = co_await r.readline();
    print("visit", w, without_end(answer));
    session = (*w.get_extra_info<const tls::SSLObject*>("ssl_object"))->session();
    w.close();
    co_await w.wait_closed();
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Words words;
    for (int i = 2; i < argc; ++i) {
      const std::string text = argv[i];
      const std::size_t equals = text.find('=');
      words[text.substr(0, equals)] =
          equals == std::string::npos ? std::string() : text.substr(equals + 1);
    }
    const std::string role = argc > 1 ? argv[1] : "";
    if (role == "server") {
      run(run_server(std::move(words)));
    } else {
      run(run_client(std::move(words)));
    }
    return 0;
  } catch (const std::exception& error) {
    std::printf("error: %s\n", error.what());
    return 1;
  }
}
