#include <brio/net/tls_layer.hpp>

namespace brio::net {

TLSLayer::~TLSLayer() = default;
TLSContext::~TLSContext() = default;

}  // namespace brio::net
