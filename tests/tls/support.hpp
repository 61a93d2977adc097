// What the tests of TLS on the loop share.
#pragma once

#include "../net/support.hpp"
#include "certificates.hpp"

#include <brio/testing/run_test.hpp>
#include <brio/tls/context.hpp>
#include <brio/tls/object.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace brio::tests {

using ContextPtr = std::shared_ptr<tls::SSLContext>;

/// A server's context with a certificate, by default the one for localhost.
inline ContextPtr serving(const TestCertificate& own = localhost_certificate()) {
  auto context = tls::create_default_context(tls::Role::server);
  context->load_cert_chain_pem(own.certificate, own.key);
  return context;
}

/// A client's context that trusts one certificate, by default the one for localhost.
inline ContextPtr trusting(const TestCertificate& trusted = localhost_certificate()) {
  return tls::create_default_context(tls::Role::client, {.cadata = trusted.certificate});
}

inline int port_of(const std::shared_ptr<Server>& server) {
  return server->sockets()[0].getsockname().port();
}

/// Answers what it reads until the end.
inline Coro<> echo(StreamReader r, StreamWriter w) {
  while (true) {
    std::string data = co_await r.read(100000);
    if (data.empty()) break;
    w.write(std::move(data));
    co_await w.drain();
  }
  w.close();
}

/// The TLS state of a stream.
inline const tls::SSLObject& object_of(const StreamWriter& w) {
  return **w.get_extra_info<const tls::SSLObject*>("ssl_object");
}

}  // namespace brio::tests
