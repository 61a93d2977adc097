// 723: TLS on a stream that began in plain text.
#include "files.hpp"
#include "scenario.hpp"

#include <brio/net/streams.hpp>
#include <brio/tls/context.hpp>

#include <cstdlib>

namespace s723 {
Coro<> handler(StreamReader r, StreamWriter w, std::shared_ptr<tls::SSLContext> sc) {
  ev("server plain", bytes(co_await r.readline()));
  w.write("go ahead\n");
  co_await w.start_tls(sc);
  ev("server secure", bytes(co_await r.readline()));
  w.write("bye\n");
  co_await w.drain();
  w.close();
}
Coro<> main() {
  const TemporaryDirectory d;
  const std::string key = d / "k";
  const std::string cert = d / "c";
  const std::string command = "openssl req -x509 -newkey rsa:2048 -nodes -keyout " + key +
                              " -out " + cert +
                              " -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
                              " 2>/dev/null";
  if (std::system(command.c_str()) != 0) throw RuntimeError("openssl failed");
  const auto sc = tls::SSLContext::create(tls::Role::server);
  sc->load_cert_chain(cert, key);
  const auto cc = tls::SSLContext::create(tls::Role::client);
  cc->load_verify_locations({.cafile = cert});

  const auto server = co_await start_server(
      [sc](StreamReader r, StreamWriter w) { return handler(std::move(r), std::move(w), sc); },
      "127.0.0.1", 0);
  const int port = server->sockets().at(0).getsockname().port();
  const auto [r, w] = co_await open_connection("127.0.0.1", port);
  w.write("starttls\n");
  ev("client plain", bytes(co_await r.readline()));
  const auto encrypted = [](const StreamWriter& writer) {
    return writer.get_extra_info("sslcontext").has_value();
  };
  ev("encrypted", encrypted(w));
  co_await w.start_tls(cc, {.server_hostname = "localhost"});
  ev("encrypted", encrypted(w));
  w.write("secret\n");
  const std::string line = co_await r.readline();
  ev("client secure", bytes(line), bytes(co_await r.read()));
  w.close();
  server->close();
}
}  // namespace s723
SCENARIO(723_start_tls) {
  real_time();
  go(s723::main);
}
