#include <brio/core/cancel_scope.hpp>
#include <brio/core/loop.hpp>

#include <atomic>
#include <memory>
#include <vector>

namespace brio::detail {

namespace {

// name_ holds 2·number, or a string's address with the low bit set.
constexpr std::uint64_t named = 1;
std::string* name_string(std::uint64_t name) noexcept {
  return reinterpret_cast<std::string*>(static_cast<std::uintptr_t>(name & ~named));
}

}  // namespace

// A thread takes numbers by the block: the counter is shared by all, and adding to it is dear.
void TaskBase::take_numbers() noexcept {
  constexpr std::uint64_t block = 64;
  static constinit std::atomic<std::uint64_t> next{1};
  thread_state.next_task_number = next.fetch_add(block, std::memory_order_relaxed);
  thread_state.task_numbers_end = thread_state.next_task_number + block;
}

void TaskBase::enter_scope() noexcept { scope_cancelled_ = scope_->effectively_cancelled(); }

void TaskBase::drop_name() noexcept { delete name_string(name_); }

std::string TaskBase::name() const {
  return name_ & named ? *name_string(name_) : "Task-" + std::to_string(name_ >> 1);
}

void TaskBase::set_name(std::string name) {
  auto text = std::make_unique<std::string>(std::move(name));
  if (name_ & named) delete name_string(name_);
  name_ = reinterpret_cast<std::uintptr_t>(text.release()) | named;
}

std::string TaskBase::repr_details() const {
  std::string text = " name='" + name() + "'";
  if (done()) {
    // Where it was defined is not known any more: its latest await stood in that file.
    if (*ended_coro_.function_name())
      text += std::string(" coro=<") + ended_coro_.function_name() + " done, defined in " +
              ended_coro_.file_name() + ">";
    return text;
  }
  if (!root_) return text;
  const std::source_location& where = root_->where_;
  text += std::string(" coro=<") + where.function_name() + " running at " + where.file_name() +
          ":" + std::to_string(where.line()) + ">";
  if (!waiting_on_) return text;
  // Of a task only the name: a chain of tasks may be long, or a circle.
  const FutureBase* const awaited = waiting_on_->awaited();
  text += " wait_for=";
  if (!awaited)  // a sleep, a lock: where asyncio has a future of its own
    text += "<Future pending cb=[Task.task_wakeup()]>";
  else if (awaited->is_task())
    text += "<Task name='" + static_cast<const TaskBase*>(awaited)->name() + "'>";
  else
    text += awaited->repr();
  return text;
}

void TaskBase::launch(TaskOptions& options) {
  if (loop_->debug_) [[unlikely]]
    loop_->loop().check_thread();
  if (options.name) [[unlikely]]
    set_name(std::move(*options.name));
  context_ =
      options.context ? ContextSlot(options.context->state()) : ContextSlot::current().copy();
  ref();  // the loop's own reference, until the task is done
  listed_ = true;
  previous_task_ = loop_->last_task_;
  (previous_task_ ? previous_task_->next_task_ : loop_->first_task_) = this;
  loop_->last_task_ = this;
  if (!options.eager_start.value_or(false) || !loop_->loop().is_running()) [[likely]] {
    loop_->ready(*this);
    return;
  }
  // What the first step creates is its own, not the group's that this task was made for.
  struct Spawning {
    CancelScope* scope = std::exchange(thread_state.spawn_scope, nullptr);
    ~Spawning() { thread_state.spawn_scope = scope; }
  } const spawning;  // a fatal error leaves run()
  run();
  // As in CPython: of a task that has ended already nobody needs the coroutine.
  if (done()) ended_coro_ = {};
}

void TaskBase::unlink() noexcept {
  if (!listed_) return;
  listed_ = false;
  (previous_task_ ? previous_task_->next_task_ : loop_->first_task_) = next_task_;
  (next_task_ ? next_task_->previous_task_ : loop_->last_task_) = previous_task_;
  next_task_ = previous_task_ = nullptr;
  unref();
}

bool TaskBase::cancel(const SharedText& message) {
  if (done()) return false;
  if (loop_->debug_) loop_->loop().check_thread();
  if (TaskBase* const below = awaited_task())
    pass_cancel_down(below, message);
  else
    request_cancel(message);
  return true;
}

// The unfinished task that this one does nothing but wait for.
TaskBase* TaskBase::awaited_task() const noexcept {
  FutureBase* const future = waiting_on_ ? waiting_on_->passes_cancel_to() : nullptr;
  return future && future->is_task() && !future->done() ? static_cast<TaskBase*>(future) : nullptr;
}

void TaskBase::request_cancel(const SharedText& message) {
  log_error_ = false;
  ++cancel_requests_;
  // A gather among those below may lead back here. CPython runs into its recursion limit then.
  if (passing_cancel_) throw RuntimeError("tasks await each other in a circle: " + repr());
  passing_cancel_ = true;
  struct Reset {
    TaskBase& task;
    ~Reset() { task.passing_cancel_ = false; }
  } const reset{*this};
  if (waiting_on_ && waiting_on_->cancel_wait(message)) return;
  must_cancel_ = true;
  cancel_message_ = message;
}

// A request to a task that awaits a task goes to that one. No recursion: such chains are as long as
// their program likes.
void TaskBase::pass_cancel_down(TaskBase* to, const SharedText& message) {
  struct Reset {
    std::vector<TaskBase*> tasks;
    ~Reset() {
      for (TaskBase* task : tasks) task->passing_cancel_ = false;
    }
  } passed;
  TaskBase* at = this;
  for (; to && !at->passing_cancel_; to = at->awaited_task()) {
    passed.tasks.push_back(at);
    at->passing_cancel_ = true;
    at->log_error_ = false;
    ++at->cancel_requests_;
    at = to;
  }
  at->request_cancel(message);
}

bool TaskBase::suspend_cancelled(PromiseBase& promise, Node& node) {
  if (scope_cancelled_ && scope_shields_ == 0) {
    // It runs on, or stays suspended where it was: suspended_ tells that already.
    waiting_on_ = nullptr;
    return false;
  }
  suspended_ = &promise;
  waiting_on_ = &node;
  if (must_cancel_ && node.cancel_wait(cancel_message_)) must_cancel_ = false;
  return true;
}

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

void TaskBase::run() {
  const Entered entered(*this, context_);
  if (PromiseBase* const at = suspended_) [[likely]] {
    suspended_ = nullptr;
    at->frame().resume();
  } else {
    first_step();
  }
  // It has suspended again, or it has ended, and then this may go with it.
  if (!suspended_) finish_step();
}

void TaskBase::first_step() {
  root_->started_ = true;
  if (!must_cancel_) [[likely]] {
    root_->frame().resume();
    return;
  }
  // Cancelled before its first step: the body never runs, not even to a finally.
  must_cancel_ = false;
  const std::source_location coro = root_->where_;
  destroy_frames();
  error_ = std::make_exception_ptr(CancelledError(cancel_message_));
  cancel_message_ = SharedText();
  end(FutureStatus::cancelled, coro);
}

void TaskBase::finish_step() {
  if (root_ && root_->outcome_ == Outcome_::value && !must_cancel_) [[likely]] {
    const std::source_location coro = root_->where_;
    try {
      take_value();
    } catch (...) {
      // The value's own move constructor: it is the task's error, and goes no further.
      error_ = std::current_exception();
      log_error_ = true;
      destroy_frames();
    }
    end(FutureStatus::finished, coro);
  } else if (!end_otherwise()) {
    return;
  }
  unlink();
}

bool TaskBase::end_otherwise() {
  if (!root_) return true;                              // cancelled before it began
  if (root_->outcome_ == Outcome_::none) return false;  // an awaiter that knows no tasks
  const std::source_location coro = root_->where_;
  if (root_->outcome_ == Outcome_::value) {
    // It returned in spite of a request that nobody delivered: it ends cancelled.
    must_cancel_ = false;
    destroy_frames();
    end(FutureStatus::cancelled, coro);
    return true;
  }
  error_ = take_error();
  destroy_frames();
  switch (classify(error_)) {
    case ErrorKind::cancelled:
      cancel_message_ = SharedText();
      end(FutureStatus::cancelled, coro);
      break;
    case ErrorKind::fatal: {
      log_error_ = true;
      const std::exception_ptr error = error_;
      end(FutureStatus::finished, coro);
      unlink();
      std::rethrow_exception(error);
    }
    case ErrorKind::ordinary:
      log_error_ = true;
      end(FutureStatus::finished, coro);
      break;
  }
  return true;
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
