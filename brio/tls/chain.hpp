// Inside brio/tls only: what a context keeps of a certificate that it shows.
#pragma once

#include <brio/tls/context.hpp>
#include <brio/tls/openssl.hpp>

namespace brio::tls {

struct SSLContext::Chain {
  detail::X509Ptr leaf;
  detail::KeyPtr key;
  detail::X509StackPtr rest;
};

}  // namespace brio::tls
