#include <brio/sync/detail/wait_list.hpp>

#include <brio/core/loop.hpp>

#include <string>

namespace brio::detail {

// ---- WaitNode

void WaitNode::run() {
  // Nothing may follow: this node lives in a frame of the task.
  TaskBase& waiting = *task();
  if (turn()) waiting.run();
}

bool WaitNode::turn() { return true; }

bool WaitNode::wait_on() {
  state_ = State::pending;
  // suspended() is still the coroutine that this wait began in.
  if (task()->suspend(*task()->suspended(), *this)) return true;
  state_ = State::interrupted;
  if (linked()) unlink();
  return false;
}

bool WaitNode::cancel_wait(const SharedText& message) {
  if (state_ != State::pending) return false;
  state_ = State::cancelled;
  message_ = message;
  if (resume_ == Resume::task)
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

WaitNode* WaitList::first_pending() const noexcept {
  WaitNode* at = first();
  while (at && !at->pending()) at = after(*at);
  return at;
}

std::size_t WaitList::count_pending() const noexcept {
  std::size_t count = 0;
  for (const WaitNode* at = first(); at; at = after(*at))
    if (at->pending()) ++count;
  return count;
}

bool WaitList::wake_next(WaitList& leaving) {
  while (WaitNode* at = first()) {
    at->unlink();
    leaving.push_back(*at);
    if (at->pending()) {
      at->wake();
      return true;
    }
  }
  return false;
}

void WaitList::wake_all() {
  for (WaitNode* at = first(); at; at = after(*at)) at->wake();
}

void WaitList::orphan_all() noexcept {
  while (WaitNode* at = first()) {
    at->unlink();
    at->orphaned_ = true;
  }
}

// ---- LoopBound

void LoopBound::throw_other_loop(const char* what) {
  throw RuntimeError(std::string(what) + " is bound to a different event loop");
}

}  // namespace brio::detail
