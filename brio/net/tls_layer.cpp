#include <brio/net/tls_layer.hpp>

namespace brio::net {

TLSSession::~TLSSession() = default;
TLSLayer::~TLSLayer() = default;
TLSContext::~TLSContext() = default;

}  // namespace brio::net
