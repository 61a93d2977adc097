#include <brio/net/stream_flow.hpp>

#include <brio/core/exceptions.hpp>
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

void StreamFlowControl::resume_writing() {
  paused_ = false;
  drains_.wake_all();
}

void StreamFlowControl::connection_lost(std::exception_ptr exc) {
  if (lost_) return;
  lost_ = true;
  error_ = std::move(exc);
  for (detail::WaitNode* at = drains_.first(); at != nullptr; at = drains_.after(*at)) {
    if (at->pending()) static_cast<FlowWait*>(at)->lost = true;
  }
  // The order of asyncio's StreamReaderProtocol.connection_lost.
  closes_.wake_all();
  drains_.wake_all();
}

Coro<void> StreamFlowControl::drain(std::shared_ptr<StreamFlowControl> self) {
  if (self->lost_) throw ConnectionResetError(ECONNRESET, "write to a connection that is lost");
  if (!self->paused_) co_return;
  FlowWait wait(self->drains_);
  co_await wait;
  if (wait.lost && self->error_) std::rethrow_exception(self->error_);
}

Coro<void> StreamFlowControl::wait_closed(std::shared_ptr<StreamFlowControl> self) {
  if (!self->lost_) {
    FlowWait wait(self->closes_);
    co_await wait;
  }
  if (self->error_) std::rethrow_exception(self->error_);
}

}  // namespace brio
