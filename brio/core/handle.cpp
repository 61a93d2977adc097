#include <brio/core/loop.hpp>

#include <chrono>
#include <cstdio>
#include <memory>

namespace brio::detail {

namespace {

std::string place(std::source_location where) {
  return std::string(where.file_name()) + ":" + std::to_string(where.line());
}

// Runs a callback; an ordinary error is reported and the loop goes on, a fatal one leaves it.
template <class Call, class Report>
void guarded(Call&& call, Report&& report) {
  std::exception_ptr error;
  try {
    call();
    return;
  } catch (...) {
    error = std::current_exception();
  }
  if (classify(error) == ErrorKind::fatal) std::rethrow_exception(error);
  report(std::move(error));
}

// Stands in a report for a callback that is no HandleState and has run.
class ReportedHandle final : public HandleState {
public:
  using HandleState::HandleState;

private:
  void call() override {}
  void clear() noexcept override {}
};

Handle reported(LoopCore& loop, ContextSlot& context, std::source_location where) {
  return Handle(Ref<HandleState>(new ReportedHandle(loop, ContextSlot(context.share()), where)));
}

}  // namespace

HandleState::~HandleState() { loop_->unref(); }

void HandleState::schedule() {
  ref();
  loop_->ready(*this);
}

void HandleState::schedule_at(TimePoint when) {
  when_ = when;
  ref();
  loop_->timers_.add(*this, when);
}

void HandleState::run() {
  const Ref<HandleState> keep(this, Adopt{});
  if (!cancelled_) invoke();
}

void HandleState::cancel() noexcept {
  if (std::exchange(cancelled_, true)) return;
  const Ref<HandleState> keep(this);
  if (armed()) {
    loop_->timers_.remove(*this);
    unref();
  }
  if (!running_) clear();
}

void HandleState::invoke() {
  const Ref<HandleState> keep(this);
  const ContextSwitch switched(context_);
  // A callback may cancel itself, or be replaced as a reader by itself.
  struct Running {
    HandleState& self;
    explicit Running(HandleState& handle) noexcept : self(handle) { self.running_ = true; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;
    ~Running() {
      self.running_ = false;
      if (self.cancelled_) self.clear();
    }
  } const running{*this};
  guarded([this] { call(); },
          [this](std::exception_ptr error) {
            ExceptionContext context;
            context.message = "Exception in callback " + repr();
            context.exception = std::move(error);
            context.handle = Handle(Ref<HandleState>(this));
            context.where = where_;
            loop_->loop().call_exception_handler(context);
          });
}

std::string HandleState::repr() const {
  const bool timer = when_ != TimePoint{};
  std::string text = timer ? "<TimerHandle" : "<Handle";
  if (cancelled_) text += " cancelled";
  if (timer) {
    char when[40];
    std::snprintf(when, sizeof when, " when=%.9g",
                  std::chrono::duration<double>(when_.time_since_epoch()).count());
    text += when;
  }
  return text + " created at " + place(where_) + ">";
}

std::string HandleState::describe() const { return repr(); }

void PostedState::run() {
  if (refs_.load(std::memory_order_acquire) == 1) [[likely]] {
    // No handle is left: nobody can cancel this or wait for it, so it takes no atomic operation.
    const std::unique_ptr<PostedState> self(this);
    if (!cancelled()) invoke();
    return;
  }
  const Ref<PostedState> keep(this, Adopt{});
  struct End {
    PostedState& self;
    ~End() { self.end(); }
  } const at_end{*this};
  Phase phase = Phase::queued;
  if (phase_.compare_exchange_strong(phase, Phase::running, std::memory_order_acq_rel)) invoke();
}

void PostedState::invoke() {
  const ContextSwitch switched(context_);
  guarded([this] { call(); },
          [this](std::exception_ptr error) {
            ExceptionContext context;
            context.message = "Exception in callback " + describe();
            context.exception = std::move(error);
            context.handle = reported(*loop_, context_, where_);
            context.where = where_;
            loop_->loop().call_exception_handler(context);
          });
}

void PostedState::end() noexcept {
  // The callable goes here, in the loop's thread: it may hold futures, and the poster's handle may
  // live on elsewhere.
  clear();
  if (phase_.exchange(Phase::over, std::memory_order_acq_rel) == Phase::awaited)
    phase_.notify_all();
}

void PostedState::cancel() {
  Phase phase = Phase::queued;
  if (!phase_.compare_exchange_strong(phase, Phase::over, std::memory_order_acq_rel) &&
      thread_state.running != &loop_->loop()) {
    while (phase == Phase::running || phase == Phase::awaited) {
      if (phase == Phase::running && !phase_.compare_exchange_weak(phase, Phase::awaited)) continue;
      phase_.wait(Phase::awaited);
      phase = phase_.load();
    }
  }
  cancelled_.store(true);
}

std::string PostedState::describe() const {
  return "<ThreadSafeHandle created at " + place(where_) + ">";
}

// ---- done-callbacks

void CallbackBase::on_done(FutureBase& future) {
  future_ = Ref<FutureBase>(&future);
  future.core().ready(*this);
}

void CallbackBase::run() {
  const std::unique_ptr<CallbackBase> self(this);
  const ContextSwitch switched(context_);
  guarded([this] { call(*future_); },
          [this](std::exception_ptr error) {
            ExceptionContext context;
            context.message = "Exception in callback " + describe();
            context.exception = std::move(error);
            context.handle = reported(future_->core(), context_, where_);
            context.where = where_;
            future_->loop().call_exception_handler(context);
          });
}

void CallbackBase::drop() noexcept { delete this; }

std::string CallbackBase::describe() const {
  return "<done-callback created at " + place(where_) + ">";
}

std::string CallbackBase::label() const { return "callback() at " + place(where_); }

std::size_t remove_callbacks(FutureBase& future, const void* type, const void* function) {
  std::size_t removed = 0;
  future.each_callback([&](DoneCallback& callback) {
    auto* user = callback.user_callback();
    if (!user || !user->same(type, function)) return;
    future.remove(callback);
    delete user;
    ++removed;
  });
  return removed;
}

std::size_t remove_callback_id(FutureBase& future, std::uint64_t id) {
  std::size_t removed = 0;
  future.each_callback([&](DoneCallback& callback) {
    auto* user = callback.user_callback();
    if (!user || user->id() != id) return;
    future.remove(callback);
    delete user;
    ++removed;
  });
  return removed;
}

}  // namespace brio::detail
