// A bridge from std::stop_token: a stop request from any thread cancels a task. (For libraries that
// call back, complete a concurrent::Future and await it through wrap_future.)
#pragma once

#include <brio/core/loop.hpp>

#include <memory>
#include <stop_token>
#include <utility>

namespace brio {

/// While it lives, a stop request of `token` cancels `task`, through call_soon_threadsafe. Make and
/// destroy it in the loop's thread, while the loop is open.
class [[nodiscard]] StopGuard {
public:
  StopGuard(std::stop_token token, const AnyTask& task)
      // The handle's count is the loop's: the callback shares a holder instead of copying it.
      : task_(std::make_shared<AnyTask>(task)),
        callback_(std::move(token), Cancel{&task.get_loop(), task_}) {}
  StopGuard(const StopGuard&) = delete;
  StopGuard& operator=(const StopGuard&) = delete;
  ~StopGuard() = default;

private:
  struct Cancel {
    EventLoop* loop;
    std::shared_ptr<AnyTask> task;
    void operator()() const {
      loop->call_soon_threadsafe([task = task] { task->cancel("stop requested"); });
    }
  };
  std::shared_ptr<AnyTask> task_;
  std::stop_callback<Cancel> callback_;
};

/// `auto guard = brio::cancel_on_stop(token);` — the current task, or the one given.
[[nodiscard]] inline StopGuard cancel_on_stop(std::stop_token token,
                                              const AnyTask& task = current_task()) {
  return StopGuard(std::move(token), task);
}

}  // namespace brio
