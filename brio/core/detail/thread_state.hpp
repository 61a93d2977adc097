// What a thread knows about the loop that it runs. One thread_local, constant-initialised, so
// that reading it is a plain load.
#pragma once

#include <brio/core/config.hpp>

#include <cstdint>

namespace brio {
class EventLoop;
class CancelScope;
}  // namespace brio

namespace brio::detail {

class TaskBase;
class ContextSlot;

struct ThreadState {
  EventLoop* running;        // the loop whose run_forever is on this thread's stack
  TaskBase* task;            // the task whose step runs now
  ContextSlot* context;      // where the current context lives; null: the thread's own
  EventLoop* set_loop;       // set_event_loop
  CancelScope* spawn_scope;  // the scope that a task made now belongs to (a group's child)
  bool forked_in_task;       // this is a child that was forked in a task of its parent's
  // Numbers for the names of tasks, taken from the process's counter a block at a time.
  std::uint64_t next_task_number;
  std::uint64_t task_numbers_end;
};

BRIO_API extern constinit thread_local ThreadState thread_state
    __attribute__((tls_model("initial-exec")));

}  // namespace brio::detail
