#include <brio/sync/detail/wait_list.hpp>

#include <brio/core/loop.hpp>

#include <string>

namespace brio::detail {

// ---- WaitNode

// Only those with Turn::node have turns, and they override this.
void WaitNode::run() { task()->run(); }

bool WaitNode::wait_on(WaitList& line, PromiseBase& promise) {
  TaskBase& waiting = *task();
  // TaskBase::suspend would refuse too, but it takes the coroutine for one that runs.
  if (waiting.scope_cancelled_ && waiting.scope_shields_ == 0) {
    state_ = State::interrupted;
    return false;
  }
  line.push_back(*this);
  state_ = State::pending;
  return waiting.suspend(promise, *this);
}

bool WaitNode::cancel_wait(const SharedText& message) {
  if (state_ != State::pending) return false;
  state_ = State::cancelled;
  message_ = message;
  if (turn_ == Turn::task)
    task()->wake();
  else
    task()->wake_through(*this);
  return true;
}

std::string WaitNode::describe() const { return task()->describe(); }

void WaitNode::throw_orphaned() {
  throw RuntimeError("what the task waited for was destroyed under it");
}

void WaitNode::check_thread(const TaskBase& waiting) { waiting.loop().check_thread(); }

// ---- WaitList

bool WaitList::any_not_cancelled() const noexcept {
  for (const WaitNode* at = first(); at; at = after(*at))
    if (!at->cancelled()) return true;
  return false;
}

std::size_t WaitList::count_waiting() const noexcept {
  std::size_t count = 0;
  for (const WaitNode* at = waiting_; at; at = after(*at))
    if (at->pending()) ++count;
  return count;
}

void WaitList::orphan_all() noexcept {
  while (WaitNode* at = first()) {
    remove(*at);
    at->orphaned_ = true;
  }
}

// ---- LoopBound

void LoopBound::throw_other_loop(const char* what) {
  throw RuntimeError(std::string(what) + " is bound to a different event loop");
}

}  // namespace brio::detail
