// The flow control behind StreamWriter: who waits in drain() and in wait_closed().
#pragma once

#include <brio/core/coro.hpp>
#include <brio/sync/detail/wait_list.hpp>

#include <exception>
#include <memory>

namespace brio {

/// What a protocol with a StreamWriter on it keeps (asyncio.streams.FlowControlMixin): it hands
/// on its own pause_writing, resume_writing and connection_lost.
class BRIO_API StreamFlowControl {
public:
  StreamFlowControl() noexcept = default;
  StreamFlowControl(const StreamFlowControl&) = delete;
  StreamFlowControl& operator=(const StreamFlowControl&) = delete;
  ~StreamFlowControl() = default;

  /// Lets every drain() wait from now on.
  void pause_writing() noexcept { paused_ = true; }
  /// Lets every drain() go on.
  void resume_writing();
  /// Ends every drain() and wait_closed(), with `exc` if there is one.
  void connection_lost(std::exception_ptr exc);

  /// Waits while writing is paused. Throws ConnectionResetError once the connection is lost, and
  /// the connection's error when it is lost meanwhile. Any number of tasks may wait.
  [[nodiscard]] static Coro<void> drain(std::shared_ptr<StreamFlowControl> self);
  /// Waits until the connection is lost. Throws its error, if it had one. A cancelled waiter
  /// changes nothing for the others.
  [[nodiscard]] static Coro<void> wait_closed(std::shared_ptr<StreamFlowControl> self);

private:
  brio::detail::WaitList drains_;
  brio::detail::WaitList closes_;
  std::exception_ptr error_;
  bool paused_ = false;
  bool lost_ = false;
};

}  // namespace brio
