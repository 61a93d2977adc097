#include <brio/net/write_flow.hpp>

#include <brio/net/socket_transport.hpp>

namespace brio::net::detail {

namespace {
constexpr std::size_t default_high_water = 64 * 1024;
}  // namespace

WriteFlow::WriteFlow() : limits_(make_write_buffer_limits({}, default_high_water)) {}

void WriteFlow::set_limits(const WriteBufferLimitsOptions& options) {
  limits_ = make_write_buffer_limits(options, default_high_water);
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
