// One task's wait in a list that somebody else wakes.
#pragma once

#include <brio/sync/detail/wait_list.hpp>

namespace brio::net::detail {

/// `ListWait wait(list); co_await wait;` returns once the list's owner has woken it. The list must
/// outlive the wait: hold what owns it in the coroutine.
class ListWait : public brio::detail::WaitNode {
public:
  explicit ListWait(brio::detail::WaitList& list) noexcept : list_(&list) {}

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    if (!suspend(caller.promise())) return false;
    list_->push_back(*this);
    return true;
  }
  void await_resume() {
    leave();
    check();
  }

private:
  brio::detail::WaitList* list_;
};

}  // namespace brio::net::detail
