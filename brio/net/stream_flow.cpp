#include <brio/net/stream_flow.hpp>

#include <brio/core/exceptions.hpp>

#include <utility>

namespace brio {

namespace {

// One task in one of the lists.
class FlowWait : public detail::WaitNode {
public:
  explicit FlowWait(detail::WaitList& list) noexcept : list_(&list) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    if (!suspend(caller.promise())) return false;
    list_->push_back(*this);
    return true;
  }
  void await_resume() {
    if (linked()) unlink();
    check();
  }

  // Set when the connection's loss, not resume_writing, has ended the wait.
  bool lost = false;

private:
  detail::WaitList* list_;
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
  drains_.wake_all();
  closes_.wake_all();
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
