#include <brio/net/write_flow.hpp>

#include <brio/net/socket_transport.hpp>

namespace brio::net::detail {

void WriteFlow::set_limits(const WriteBufferLimitsOptions& options) {
  limits_ =
      std::make_unique<WriteBufferLimits>(make_write_buffer_limits(options, default_limits.high));
}

std::exception_ptr WriteFlow::pause(std::shared_ptr<BaseProtocol> protocol) {
  paused_ = true;
  try {
    if (protocol) protocol->pause_writing();
  } catch (...) {
    return current_ordinary_exception();
  }
  return nullptr;
}

std::exception_ptr WriteFlow::resume(std::shared_ptr<BaseProtocol> protocol) {
  paused_ = false;
  try {
    if (protocol) protocol->resume_writing();
  } catch (...) {
    return current_ordinary_exception();
  }
  return nullptr;
}

}  // namespace brio::net::detail
