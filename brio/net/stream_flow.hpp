// The flow control behind StreamWriter: who waits in drain() and in wait_closed(), and what the
// writers of one stream share.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/net/stream_reader.hpp>
#include <brio/sync/detail/wait_list.hpp>

#include <cstdint>
#include <exception>
#include <memory>

namespace brio {

class StreamWriter;

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

  // ---- for the protocol

  /// Of a protocol that feeds `reader`.
  explicit StreamFlowControl(net::detail::ReaderRef reader) noexcept : reader_(std::move(reader)) {}
  /// The reader whose error drain() throws; null if there is none.
  [[nodiscard]] const net::detail::ReaderRef& reader() const noexcept { return reader_; }
  /// Where the StreamWriters write; null when there is none.
  [[nodiscard]] const std::shared_ptr<Transport>& transport() const noexcept { return transport_; }
  /// Is there a StreamWriter?
  [[nodiscard]] bool has_writers() const noexcept { return writers_ != 0; }

private:
  friend class StreamWriter;
  struct Waits {
    brio::detail::WaitList drains;
    brio::detail::WaitList closes;
  };
  Waits& waits();
  // The last writer goes: closes the transport unless somebody has.
  void drop_transport() noexcept;

  std::unique_ptr<Waits> waits_;  // since somebody had to wait
  std::exception_ptr error_;
  // The writers', who keep this alive. A transport's protocol that holds its transport is no leak:
  // the transport lets go of it at connection_lost.
  std::shared_ptr<Transport> transport_;
  net::detail::ReaderRef reader_;
  std::uint32_t writers_ = 0;
  bool paused_ = false;
  bool lost_ = false;
};

}  // namespace brio
