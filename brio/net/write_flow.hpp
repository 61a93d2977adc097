// When a transport tells its protocol to pause and to resume writing.
#pragma once

#include <brio/net/protocol.hpp>
#include <brio/net/transport.hpp>

#include <cstddef>
#include <exception>
#include <memory>

namespace brio::net::detail {

/// The flow control of a transport's write buffer (asyncio's _FlowControlMixin). The transport says
/// how much is buffered; the protocol is told pause_writing and resume_writing in turns.
class BRIO_API WriteFlow {
public:
  WriteFlow();

  [[nodiscard]] const WriteBufferLimits& limits() const noexcept { return limits_; }
  /// As WriteTransport::set_write_buffer_limits. Call grew() afterwards.
  void set_limits(const WriteBufferLimitsOptions& options);

  /// More is buffered, `size` bytes now. Gives what the protocol threw, for a report.
  template <class P>
  [[nodiscard]] std::exception_ptr grew(std::size_t size, const std::shared_ptr<P>& protocol) {
    if (paused_ || size <= limits_.high) return nullptr;
    return pause(protocol);
  }
  /// Less is buffered, `size` bytes now. Gives what the protocol threw, for a report.
  template <class P>
  [[nodiscard]] std::exception_ptr shrank(std::size_t size, const std::shared_ptr<P>& protocol) {
    if (!paused_ || size > limits_.low) return nullptr;
    return resume(protocol);
  }

private:
  // By value: the protocol may put another one in its place.
  std::exception_ptr pause(std::shared_ptr<BaseProtocol> protocol);
  std::exception_ptr resume(std::shared_ptr<BaseProtocol> protocol);

  WriteBufferLimits limits_;
  bool paused_ = false;  // pause_writing() was called
};

}  // namespace brio::net::detail
