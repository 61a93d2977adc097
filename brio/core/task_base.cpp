#include <brio/core/cancel_scope.hpp>
#include <brio/core/loop.hpp>

#include <atomic>
#include <memory>

namespace brio::detail {

namespace {

std::uint64_t next_task_number() noexcept {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

// name_ holds 2·number, or a string's address with the low bit set.
constexpr std::uint64_t named = 1;
std::string* name_string(std::uint64_t name) noexcept {
  return reinterpret_cast<std::string*>(static_cast<std::uintptr_t>(name & ~named));
}

}  // namespace

TaskBase::TaskBase(LoopCore& loop, std::source_location where)
    : FutureBase(loop, where), scope_(thread_state.spawn_scope), name_(next_task_number() << 1) {
  is_task_ = true;
  if (scope_) [[unlikely]]
    scope_cancelled_ = scope_->effectively_cancelled();
}

TaskBase::~TaskBase() {
  if (root_) destroy_frames();
  if (name_ & named) delete name_string(name_);
}

std::string TaskBase::name() const {
  return name_ & named ? *name_string(name_) : "Task-" + std::to_string(name_ >> 1);
}

void TaskBase::set_name(std::string name) {
  auto text = std::make_unique<std::string>(std::move(name));
  if (name_ & named) delete name_string(name_);
  name_ = reinterpret_cast<std::uintptr_t>(text.release()) | named;
}

std::string TaskBase::repr() const {
  std::string text = FutureBase::repr();
  text.insert(text.find(' '), " name='" + name() + "'");
  if (!done() && root_) text += std::string(" in ") + root_->where_.function_name();
  return text;
}

void TaskBase::start(bool eager) {
  if (loop_->debug_) loop_->loop().check_thread();
  ref();  // the loop's own reference, until the task is done
  listed_ = true;
  previous_task_ = loop_->last_task_;
  (previous_task_ ? previous_task_->next_task_ : loop_->first_task_) = this;
  loop_->last_task_ = this;
  if (!eager) {
    loop_->ready(*this);
    return;
  }
  // What the first step creates is its own, not the group's that this task was made for.
  CancelScope* const spawning = std::exchange(thread_state.spawn_scope, nullptr);
  step();
  thread_state.spawn_scope = spawning;
}

void TaskBase::unlink() noexcept {
  if (!std::exchange(listed_, false)) return;
  (previous_task_ ? previous_task_->next_task_ : loop_->first_task_) = next_task_;
  (next_task_ ? next_task_->previous_task_ : loop_->last_task_) = previous_task_;
  next_task_ = previous_task_ = nullptr;
  unref();
}

bool TaskBase::cancel(const SharedText& message) {
  if (done()) return false;
  if (loop_->debug_) loop_->loop().check_thread();
  log_error_ = false;
  ++cancel_requests_;
  if (waiting_on_ && waiting_on_->cancel_wait(message)) return true;
  must_cancel_ = true;
  cancel_message_ = message;
  return true;
}

bool TaskBase::suspend_cancelled(Node& node) {
  if (scope_cancelled_ && scope_shields_ == 0) {
    // The coroutine runs on, and may have ended when somebody next asks where the task stands.
    suspended_ = nullptr;
    waiting_on_ = nullptr;
    suspended_ = nullptr;
    return false;
  }
  if (must_cancel_ && node.cancel_wait(cancel_message_)) must_cancel_ = false;
  return true;
}

void TaskBase::run() { step(); }

namespace {
// The task and its context are current for one step; an eager first step runs inside another's.
class Entered {
public:
  Entered(TaskBase& task, ContextSlot& context) noexcept
      : task_(thread_state.task), context_(thread_state.context) {
    thread_state.task = &task;
    thread_state.context = &context;
  }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;
  ~Entered() {
    thread_state.task = task_;
    thread_state.context = context_;
  }

private:
  TaskBase* task_;
  ContextSlot* context_;
};
}  // namespace

void TaskBase::step() {
  const Entered entered(*this, context_);
  if (root_->started_) [[likely]] {
    std::exchange(suspended_, nullptr)->frame().resume();
  } else {
    root_->started_ = true;
    if (must_cancel_) [[unlikely]] {
      // Cancelled before its first step: the body never runs, not even to a finally.
      must_cancel_ = false;
      destroy_frames();
      error_ = std::make_exception_ptr(CancelledError(cancel_message_));
      cancel_message_ = SharedText();
      const Ref<TaskBase> keep(this);
      finish(FutureStatus::cancelled);
      unlink();
      return;
    }
    root_->frame().resume();
  }
  if (root_->outcome_ != Outcome_::none) finish_step();
}

void TaskBase::finish_step() {
  const Ref<TaskBase> keep(this);
  if (root_->outcome_ == Outcome_::value) [[likely]] {
    if (must_cancel_) [[unlikely]] {
      // It returned in spite of a request that nobody delivered: it ends cancelled.
      must_cancel_ = false;
      destroy_frames();
      finish(FutureStatus::cancelled);
    } else {
      take_value();
      destroy_frames();
      finish(FutureStatus::finished);
    }
    unlink();
    return;
  }
  std::exception_ptr error = take_error();
  destroy_frames();
  error_ = error;
  switch (classify(error)) {
    case ErrorKind::cancelled:
      cancel_message_ = SharedText();
      finish(FutureStatus::cancelled);
      unlink();
      return;
    case ErrorKind::fatal:
      log_error_ = true;
      finish(FutureStatus::finished);
      unlink();
      std::rethrow_exception(std::move(error));
    case ErrorKind::ordinary:
      log_error_ = true;
      finish(FutureStatus::finished);
      unlink();
      return;
  }
}

// A chain of suspended coroutines is taken apart from the innermost outwards: destroying the
// outermost would recurse through every awaiter, as deep as the chain. A generator's frame belongs
// to its AsyncGenerator object, so what is inside of one goes with that object.
constinit thread_local void* dismantled_child = nullptr;

void TaskBase::destroy_frames() noexcept {
  PromiseBase* const root = std::exchange(root_, nullptr);
  if (!root) return;
  PromiseBase* at = std::exchange(suspended_, nullptr);
  for (PromiseBase* p = at; p; p = p->awaiter_)
    if (p->kind_ == FrameKind::generator) at = p->awaiter_;
  while (at && at != root) {
    PromiseBase* const outer = at->awaiter_;
    const std::coroutine_handle<> frame = at->frame();
    frame.destroy();
    dismantled_child = frame.address();
    at = outer;
  }
  root->frame().destroy();
  dismantled_child = nullptr;
}

void TaskBase::abandon() noexcept {
  const Ref<TaskBase> keep(this);
  waiting_on_ = nullptr;
  const Entered entered(*this, context_);
  destroy_frames();
  unlink();
}

}  // namespace brio::detail
