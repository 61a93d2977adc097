#include "../net/injected_streams.hpp"
#include "certificates.hpp"

#include <brio/tls/context.hpp>

using namespace brio;
using namespace brio::tests;

namespace {

StreamEnds secured() {
  const TestCertificate& own = localhost_certificate();
  auto server = tls::create_default_context(tls::Role::server);
  server->load_cert_chain_pem(own.certificate, own.key);
  return {
      .server = {.ssl = std::move(server)},
      .client = {.ssl = tls::create_default_context(tls::Role::client, {.cadata = own.certificate}),
                 .server_hostname = "localhost"},
      .unix_socket = true};
}

}  // namespace

TEST_CASE("cancellation: TLS streams, every kind of read") { injected::check_reading(secured()); }

TEST_CASE("cancellation: TLS streams, drain and wait_closed") {
  injected::check_writing(secured());
}

TEST_CASE("cancellation: TLS streams, servers and connections opened and closed") {
  injected::check_opening(secured());
}
