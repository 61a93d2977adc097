#include <brio/net/tls_layer.hpp>

namespace brio::net {

TLSContext::~TLSContext() = default;

}  // namespace brio::net
