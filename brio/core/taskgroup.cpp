#include <brio/core/taskgroup.hpp>
#include <brio/core/cancel_scope.hpp>
#include <brio/core/wait.hpp>

namespace brio {

namespace detail {

/// One child's done-callback. The group waits for all of them, so it outlives each.
class GroupChild final : public DoneCallback, public Pooled {
public:
  GroupChild(TaskGroup& group, FutureBase& task) : group_(&group), task_(&task) {}
  GroupChild(const GroupChild&) = delete;
  GroupChild& operator=(const GroupChild&) = delete;
  ~GroupChild() = default;

  void on_done(FutureBase& future) override { future.core().ready(*this); }
  void run() override {
    const std::unique_ptr<GroupChild> self(this);
    if (group_) group_->child_done(*this);
  }
  void drop() noexcept override {
    if (group_) unlink();
    delete this;
  }
  [[nodiscard]] std::string label() const override { return "TaskGroup._on_task_done()"; }
  [[nodiscard]] FutureBase* awaiting() const noexcept override {
    return group_ ? group_->parent_.get() : nullptr;
  }
  void link() noexcept {
    previous_ = group_->last_;
    (previous_ ? previous_->next_ : group_->first_) = this;
    group_->last_ = this;
    ++group_->unfinished_;
  }
  void unlink() noexcept {
    (previous_ ? previous_->next_ : group_->first_) = next_;
    (next_ ? next_->previous_ : group_->last_) = previous_;
    --group_->unfinished_;
  }
  /// The group goes although the child has not ended (its loop was closed). One that is not queued
  /// goes too: it and its task hold each other.
  void orphan() noexcept {
    group_ = nullptr;
    if (!linked()) return;
    task_->remove(*this);
    delete this;
  }
  [[nodiscard]] FutureBase& task() const noexcept { return *task_; }
  [[nodiscard]] GroupChild* next() const noexcept { return next_; }

private:
  TaskGroup* group_;
  Ref<FutureBase> task_;
  GroupChild* next_ = nullptr;
  GroupChild* previous_ = nullptr;
};

}  // namespace detail

TaskGroup::~TaskGroup() {
  leave_scope();
  for (detail::GroupChild* child = first_; child;) std::exchange(child, child->next())->orphan();
}

void TaskGroup::enter() {
  if (entered_) throw_refusal("has already been entered");
  detail::TaskBase* task = detail::thread_state.task;
  if (!task) throw_refusal("cannot determine the parent task");
  loop_ = &get_running_loop();
  parent_ = detail::Ref<detail::FutureBase>(task);
  entered_ = true;
  join_scope();
  if (aborting_) cancel_parent();
}

const char* TaskGroup::refuses() const noexcept {
  if (!entered_) return "has not been entered";
  if (exiting_ && unfinished_ == 0) return "is finished";
  if (aborting_) return "is shutting down";
  return nullptr;
}

void TaskGroup::throw_refusal(const char* reason) const {
  throw RuntimeError("TaskGroup " + repr() + " " + reason);
}

std::string TaskGroup::repr() const {
  std::string text = "<TaskGroup";
  if (unfinished_ > 0) text += " tasks=" + std::to_string(unfinished_);
  if (!errors_.empty()) text += " errors=" + std::to_string(errors_.size());
  if (aborting_)
    text += " cancelling";
  else if (entered_)
    text += " entered";
  return text + ">";
}

void TaskGroup::adopt(const AnyTask& task) {
  // Through the loop even if the child has finished eagerly: an error must not cancel the body
  // from inside create_task.
  auto* child = new detail::GroupChild(*this, *task.state());
  child->link();
  task.state()->add(*child);
}

void TaskGroup::each_child(const detail::UniqueFunction<void(detail::TaskBase&)>& visit) {
  for (detail::GroupChild* child = first_; child; child = child->next())
    if (!child->task().done()) visit(static_cast<detail::TaskBase&>(child->task()));
}

void TaskGroup::join_scope() {
  scope_ = detail::task_of(parent_).scope_;
  if (!scope_) return;
  next_in_scope_ = scope_->first_group_;
  if (next_in_scope_) next_in_scope_->previous_in_scope_ = this;
  scope_->first_group_ = this;
}

void TaskGroup::leave_scope() noexcept {
  CancelScope* const scope = std::exchange(scope_, nullptr);
  if (!scope) return;
  (previous_in_scope_ ? previous_in_scope_->next_in_scope_ : scope->first_group_) = next_in_scope_;
  if (next_in_scope_) next_in_scope_->previous_in_scope_ = previous_in_scope_;
}

void TaskStatusBase::hand_over() {
  if (std::exchange(started_, true))
    throw RuntimeError("called 'started' twice on the same task status");
  // The task owns this status: keeping the handle here would be a circle.
  const AnyTask task = std::exchange(task_, {});
  if (task.cancelling() > 0 && group_->refuses()) return;
  group_->adopt(task);
  if (group_->aborting_) task.cancel();
}

Coro<void> TaskGroup::await_start(AnyFuture started, AnyTask task) {
  const AnyFuture child(detail::Ref<detail::FutureBase>(task.state()));
  Outcome<WaitResult<AnyFuture>> outcome = co_await as_outcome(
      wait(std::vector<AnyFuture>{started, child}, {.return_when = FIRST_COMPLETED}));
  if (!outcome.has_value() && !started.done()) {
    // Cancelled before the child was ready: take it along.
    started.cancel();
    task.cancel();
    const detail::ScopeShield shield(*detail::thread_state.task);
    while (!task.done()) (void)co_await as_outcome(wait(std::vector<AnyFuture>{child}));
    if (!task.cancelled() && task.exception()) std::rethrow_exception(task.exception());
    outcome.raise();
  }
  outcome.raise();
  if (started.done()) co_return;
  child.state()->require_value();
  throw RuntimeError("child exited without calling task_status.started()");
}

// True where a scope alone cancels: it reaches the children by itself, and those that are shielded
// not at all.
static bool cancelled_by_scope(const detail::TaskBase& parent, bool scope_cancelled) noexcept {
  return scope_cancelled && parent.cancelling() == 0;
}

void TaskGroup::abort() {
  aborting_ = true;
  for (detail::GroupChild* child = first_; child; child = child->next())
    if (!child->task().done()) child->task().cancel({});
}

void TaskGroup::cancel_parent() {
  parent_cancel_requested_ = true;
  parent_->cancel({});
}

void TaskGroup::cancel() {
  if (exiting_ && unfinished_ == 0) return;
  if (!aborting_) abort();
  if (entered_ && !exiting_ && !parent_cancel_requested_) cancel_parent();
}

void TaskGroup::child_done(detail::GroupChild& child) {
  child.unlink();
  if (completed_ && unfinished_ == 0) completed_->wake();
  detail::FutureBase& task = child.task();
  if (!task.failed()) return;
  std::exception_ptr error = task.exception();
  errors_.push_back(error);
  if (!base_error_ && detail::classify(error) == detail::ErrorKind::fatal) base_error_ = error;
  if (parent_->done()) {
    ExceptionContext context;
    context.message = "Task " + task.repr() + " has errored out but its parent task " +
                      parent_->repr() + " is already completed";
    context.exception = std::move(error);
    context.task = AnyTask(detail::Ref<detail::FutureBase>(&task));
    context.where = task.where();
    loop_->call_exception_handler(context);
    return;
  }
  if (!aborting_ && !parent_cancel_requested_) {
    abort();
    cancel_parent();
  }
}

Coro<std::exception_ptr> TaskGroup::leave(std::exception_ptr error) {
  using detail::ErrorKind;
  exiting_ = true;
  const ErrorKind kind = detail::classify(error);
  if (error && kind == ErrorKind::fatal && !base_error_) base_error_ = error;
  std::exception_ptr cancellation = kind == ErrorKind::cancelled ? error : nullptr;
  detail::TaskBase& parent = detail::task_of(parent_);
  bool by_scope_alone = false;
  const auto stop = [&](bool by_scope) {
    by_scope_alone = by_scope;
    if (by_scope) {
      aborting_ = true;
    } else {
      abort();
    }
  };
  if (error && !aborting_) {
    stop(kind == ErrorKind::cancelled && cancelled_by_scope(parent, parent.scope_cancelled_));
  }
  std::optional<detail::ScopeShield> shield;
  while (unfinished_ > 0) {
    // The wait can be cancelled again and again; the group still waits for its children. A
    // level-triggered scope would do so without end: it interrupts once.
    detail::Pause pause;
    completed_ = &pause;
    std::exception_ptr interrupted = co_await pause;
    completed_ = nullptr;
    if (!interrupted) continue;
    const bool scope_cancelled = pause.refused_by_scope() || parent.scope_cancelled_;
    if (scope_cancelled) shield.emplace(parent);
    const bool by_scope = cancelled_by_scope(parent, scope_cancelled);
    if (!aborting_) {
      cancellation = std::move(interrupted);
      stop(by_scope);
    } else if (by_scope_alone && !by_scope) {
      stop(false);  // a request of Task::cancel after the scope's
    }
  }
  shield.reset();
  leave_scope();

  if (base_error_) co_return base_error_;
  // What this group asked of its parent it takes back; what remains is somebody else's request.
  if (parent_cancel_requested_ && parent.uncancel() == 0) cancellation = nullptr;
  if (cancellation && errors_.empty()) co_return cancellation;
  if (error && kind != ErrorKind::cancelled) errors_.push_back(std::move(error));
  if (errors_.empty()) co_return nullptr;
  // A foreign request meets an error: the error goes first, the request is delivered again at the
  // parent's next suspension.
  if (parent.cancelling() > 0) {
    parent.uncancel();
    parent.cancel({});
  }
  co_return std::make_exception_ptr(
      ExceptionGroup("unhandled errors in a TaskGroup", std::move(errors_)));
}

}  // namespace brio
