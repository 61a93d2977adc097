#include <brio/net/stream_flow.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/logging.hpp>
#include <brio/core/loop.hpp>
#include <brio/net/list_wait.hpp>

#include <cerrno>
#include <utility>

namespace brio {

namespace {

struct FlowWait : net::detail::ListWait {
  using ListWait::ListWait;
  // Set when the connection's loss, not resume_writing, has ended the wait.
  bool lost = false;
};

}  // namespace

StreamFlowControl::Waits& StreamFlowControl::waits() {
  if (!waits_) waits_ = std::make_unique<Waits>();
  return *waits_;
}

void StreamFlowControl::resume_writing() {
  paused_ = false;
  if (waits_) waits_->drains.wake_all();
}

void StreamFlowControl::connection_lost(std::exception_ptr exc) {
  if (lost_) return;
  lost_ = true;
  error_ = std::move(exc);
  if (!waits_) return;
  auto& [drains, closes] = *waits_;
  for (detail::WaitNode* at = drains.first(); at != nullptr; at = drains.after(*at)) {
    if (at->pending()) static_cast<FlowWait*>(at)->lost = true;
  }
  // The order of asyncio's StreamReaderProtocol.connection_lost.
  closes.wake_all();
  drains.wake_all();
}

void StreamFlowControl::drop_transport() noexcept {
  const auto transport = std::move(transport_);
  if (!transport || transport->is_closing()) return;
  try {
    EventLoop& loop = transport->get_loop();
    if (loop.get_debug()) log(LogLevel::warning, "brio.net", "unclosed StreamWriter");
    if (!loop.is_closed()) transport->close();
  } catch (...) {
    // A closed loop has no use for a close.
  }
}

Coro<void> StreamFlowControl::drain(std::shared_ptr<StreamFlowControl> self) {
  if (self->lost_) throw ConnectionResetError(ECONNRESET, "write to a connection that is lost");
  if (!self->paused_) co_return;
  FlowWait wait(self->waits().drains);
  co_await wait;
  if (wait.lost && self->error_) std::rethrow_exception(self->error_);
}

Coro<void> StreamFlowControl::wait_closed(std::shared_ptr<StreamFlowControl> self) {
  if (!self->lost_) {
    FlowWait wait(self->waits().closes);
    co_await wait;
  }
  if (self->error_) std::rethrow_exception(self->error_);
}

}  // namespace brio
