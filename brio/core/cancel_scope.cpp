#include <brio/core/cancel_scope.hpp>
#include <brio/core/taskgroup.hpp>

namespace brio {

CancelScope::~CancelScope() { timer_.cancel(); }

void CancelScope::arm() {
  timer_.cancel();
  timer_ = Handle();
  if (!deadline_ || cancel_called_ || !host_) return;
  EventLoop& loop = host_->loop();
  if (*deadline_ <= loop.time())
    cancel();
  else
    timer_ = loop.call_at(*deadline_, [this] { cancel(); });
}

void CancelScope::enter() {
  if (entered_) throw RuntimeError("CancelScope has already been entered");
  detail::TaskBase* task = detail::thread_state.task;
  if (!task) throw RuntimeError("CancelScope should be used inside a task");
  entered_ = true;
  host_ = detail::Ref<detail::FutureBase>(task);
  cancelling_ = task->cancelling();
  parent_ = task->scope_;
  if (parent_) {
    next_sibling_ = parent_->first_child_;
    if (next_sibling_) next_sibling_->previous_sibling_ = this;
    parent_->first_child_ = this;
  }
  task->scope_ = this;
  update(*task);
  arm();
}

std::exception_ptr CancelScope::leave(std::exception_ptr error) {
  auto& task = static_cast<detail::TaskBase&>(*host_);
  if (task.scope_ != this) throw RuntimeError("CancelScope is not the innermost one of its task");
  timer_.cancel();
  timer_ = Handle();
  task.scope_ = parent_;
  if (parent_) {
    (previous_sibling_ ? previous_sibling_->next_sibling_ : parent_->first_child_) = next_sibling_;
    if (next_sibling_) next_sibling_->previous_sibling_ = previous_sibling_;
  }
  update(task);
  if (!error || !cancel_called_ || detail::classify(error) != detail::ErrorKind::cancelled)
    return error;
  // Somebody else's request goes on: an outer scope's, or a Task::cancel since entry.
  const bool outer = !shield_ && parent_ && parent_->effectively_cancelled();
  if (outer || task.cancelling() > cancelling_) return error;
  cancelled_caught_ = true;
  return nullptr;
}

void CancelScope::cancel() {
  if (cancel_called_) return;
  cancel_called_ = true;
  timer_.cancel();
  if (host_) deliver();
}

void CancelScope::set_deadline(std::optional<TimePoint> when) {
  deadline_ = when;
  arm();
}

void CancelScope::set_shield(bool shield) {
  if (shield_ == shield) return;
  shield_ = shield;
  if (host_) deliver();
}

void CancelScope::update(detail::TaskBase& task) {
  const bool before = task.scope_cancelled_;
  task.scope_cancelled_ = task.scope_ && task.scope_->effectively_cancelled();
  if (task.scope_cancelled_ && !before) task.interrupt_wait();
}

void CancelScope::deliver() {
  // The current task, among others, may be inside: interrupt_wait does nothing to it, its next
  // suspension finds the flag.
  auto& host = static_cast<detail::TaskBase&>(*host_);
  if (host.scope_ == this && !host.done()) update(host);
  for (TaskGroup* group = first_group_; group; group = group->next_in_scope_)
    group->each_child([this](detail::TaskBase& task) {
      if (task.scope_ == this) update(task);
    });
  for (CancelScope* child = first_child_; child; child = child->next_sibling_) child->deliver();
}

}  // namespace brio
