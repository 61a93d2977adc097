#include <brio/core/timeouts.hpp>
#include <brio/core/detail/children.hpp>

namespace brio {

namespace detail {

TimePoint deadline_after(Duration delay) { return after(get_running_loop().time(), delay); }

namespace {
// Wakes a pause from a done-callback; refcounted because a queued call may outlive the wait.
class Release final : public ChildOwner {
public:
  void ref() noexcept { ++refs_; }
  void unref() noexcept {
    if (--refs_ == 0) delete this;
  }
  void child_done(ChildNode&) override {
    if (pause) pause->wake();
  }
  void hold_for_child() noexcept override { ref(); }
  void release_for_child() noexcept override { unref(); }
  [[nodiscard]] FutureBase* waiting_for_children() const noexcept override {
    return pause ? pause->task() : nullptr;
  }
  ChildNode node;
  Pause* pause = nullptr;

private:
  unsigned refs_ = 0;
};
}  // namespace

Coro<void> cancel_and_wait(Ref<FutureBase> future) {
  const Ref<Release> release(new Release);
  Pause pause;
  release->pause = &pause;
  release->node.watch(*release, *future);
  future->cancel({});
  const std::exception_ptr interrupted = co_await pause;
  release->pause = nullptr;
  release->node.forget();
  if (interrupted) std::rethrow_exception(interrupted);
}

}  // namespace detail

Timeout::~Timeout() { handle_.cancel(); }

void Timeout::reschedule(std::optional<TimePoint> when) {
  if (state_ != State::active) {
    if (state_ == State::created) throw RuntimeError("Timeout has not been entered");
    const char* state = state_ == State::expiring  ? "expiring"
                        : state_ == State::expired ? "expired"
                                                   : "finished";
    throw RuntimeError(std::string("Cannot change state of ") + state + " Timeout");
  }
  when_ = when;
  handle_.cancel();
  handle_ = Handle();
  if (!when) return;
  EventLoop& loop = get_running_loop();
  // A deadline that has passed strikes at the first suspension, in the order of call_soon.
  if (*when <= loop.time())
    handle_ = loop.call_soon([this] { strike(); });
  else
    handle_ = loop.call_at(*when, [this] { strike(); });
}

void Timeout::enter() {
  if (state_ != State::created) throw RuntimeError("Timeout has already been entered");
  detail::TaskBase* task = detail::thread_state.task;
  if (!task) throw RuntimeError("Timeout should be used inside a task");
  state_ = State::active;
  task_ = detail::Ref<detail::FutureBase>(task);
  cancelling_ = task->cancelling();
  reschedule(when_);
}

void Timeout::strike() {
  task_->cancel({});
  state_ = State::expiring;
  handle_ = Handle();
}

std::exception_ptr Timeout::leave(std::exception_ptr error) {
  handle_.cancel();
  handle_ = Handle();
  if (state_ == State::active) {
    state_ = State::finished;
    return error;
  }
  if (state_ != State::expiring) return error;
  state_ = State::expired;
  auto& task = static_cast<detail::TaskBase&>(*task_);
  if (task.uncancel() <= cancelling_ && error &&
      detail::classify(error) == detail::ErrorKind::cancelled)
    return std::make_exception_ptr(TimeoutError(std::move(error)));
  return error;
}

}  // namespace brio
