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
  WriteFlow() noexcept = default;

  [[nodiscard]] const WriteBufferLimits& limits() const noexcept {
    return limits_ ? *limits_ : default_limits;
  }
  /// As WriteTransport::set_write_buffer_limits. Call grew() afterwards.
  void set_limits(const WriteBufferLimitsOptions& options);

  /// More is buffered, `size` bytes now. Gives what the protocol threw, for a report.
  template <class P>
  [[nodiscard]] std::exception_ptr grew(std::size_t size, const std::shared_ptr<P>& protocol) {
    if (paused_ || size <= limits().high) return nullptr;
    return pause(protocol);
  }
  /// Less is buffered, `size` bytes now. Gives what the protocol threw, for a report.
  template <class P>
  [[nodiscard]] std::exception_ptr shrank(std::size_t size, const std::shared_ptr<P>& protocol) {
    if (!paused_ || size > limits().low) return nullptr;
    return resume(protocol);
  }

private:
  // By value: the protocol may put another one in its place.
  std::exception_ptr pause(std::shared_ptr<BaseProtocol> protocol);
  std::exception_ptr resume(std::shared_ptr<BaseProtocol> protocol);

  static constexpr WriteBufferLimits default_limits{.low = 16 * 1024, .high = 64 * 1024};
  std::unique_ptr<WriteBufferLimits> limits_;  // most connections keep the default
  bool paused_ = false;                        // pause_writing() was called
};

}  // namespace brio::net::detail
