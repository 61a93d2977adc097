// What a program's slots may hold.
#pragma once

#include "value.hpp"

#include <brio/core/async_generator.hpp>
#include <brio/core/context.hpp>
#include <brio/core/future.hpp>
#include <brio/core/handle.hpp>
#include <brio/core/taskgroup.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/sync/barrier.hpp>
#include <brio/sync/condition.hpp>
#include <brio/sync/event.hpp>
#include <brio/sync/lock.hpp>
#include <brio/sync/queue.hpp>
#include <brio/sync/semaphore.hpp>

#include <memory>
#include <variant>

namespace conformance {

/// A generator object, and how far it has got: Python's athrow tells a generator that has ended
/// from one that ends now, brio's gives nothing for both.
struct Generator {
  struct Progress {
    bool started = false;
    bool finished = false;
  };
  std::shared_ptr<Progress> progress;
  brio::AsyncGenerator<Value> object;
};

/// Futures, tasks, handles and contexts are handles themselves; the rest is shared so that it lives
/// to the end of the run, as it would in Python while anybody waits on it.
using Object =
    std::variant<std::monostate, brio::AnyFuture, brio::Handle, brio::TimerHandle, brio::Context,
                 std::shared_ptr<brio::Lock>, std::shared_ptr<brio::Event>,
                 std::shared_ptr<brio::Condition>, std::shared_ptr<brio::Semaphore>,
                 std::shared_ptr<brio::BoundedSemaphore>, std::shared_ptr<brio::Barrier>,
                 std::shared_ptr<brio::Queue<Value>>, std::shared_ptr<brio::LifoQueue<Value>>,
                 std::shared_ptr<brio::PriorityQueue<Value>>, std::shared_ptr<brio::Timeout>,
                 std::shared_ptr<brio::TaskGroup>, std::shared_ptr<Generator>>;

/// A task or a future made by hand, as what it is.
[[nodiscard]] inline brio::Future<Value> as_value_future(const brio::AnyFuture& future) {
  return brio::Future<Value>(brio::detail::Ref<brio::detail::FutureBase>(future.state()));
}

/// A future known to be a task.
[[nodiscard]] inline brio::AnyTask as_task(const brio::AnyFuture& future) {
  return brio::AnyTask(brio::detail::Ref<brio::detail::FutureBase>(future.state()));
}

}  // namespace conformance
