// The everyday umbrella: coroutines, tasks, the loop, synchronisation, threads, streams.
//
//     #include <brio/brio.hpp>
//     brio::Coro<> hello() { co_await brio::sleep(1s); std::puts("hello"); }
//     int main() { brio::run(hello()); }
//
// It stays light: `make bench` holds its compile time against its bound. TLS, subprocesses, HTTP
// and the rest have headers of their own. To link: brio::net, which brings the rooms beneath it.
#pragma once

#include <brio/core/async_generator.hpp>
#include <brio/core/callgraph.hpp>
#include <brio/core/cancel_scope.hpp>
#include <brio/core/context.hpp>
#include <brio/core/coro.hpp>
#include <brio/core/ensure_future.hpp>
#include <brio/core/exception_group.hpp>
#include <brio/core/exceptions.hpp>
#include <brio/core/future.hpp>
#include <brio/core/gather.hpp>
#include <brio/core/generator.hpp>
#include <brio/core/loop.hpp>
#include <brio/core/outcome.hpp>
#include <brio/core/policy.hpp>
#include <brio/core/runner.hpp>
#include <brio/core/scoped.hpp>
#include <brio/core/shield.hpp>
#include <brio/core/sleep.hpp>
#include <brio/core/task.hpp>
#include <brio/core/taskgroup.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/core/wait.hpp>
#include <brio/sync/as_completed.hpp>
#include <brio/sync/barrier.hpp>
#include <brio/sync/condition.hpp>
#include <brio/sync/event.hpp>
#include <brio/sync/lock.hpp>
#include <brio/sync/queue.hpp>
#include <brio/sync/semaphore.hpp>

// A brio that was built without these rooms (BRIO_ROOMS) has no headers of theirs.
#if __has_include(<brio/exec/thread_pool.hpp>)
#include <brio/exec/concurrent_future.hpp>
#include <brio/exec/run_in_executor.hpp>
#include <brio/exec/thread_pool.hpp>
#include <brio/exec/wrap_future.hpp>
#endif
#if __has_include(<brio/net/streams.hpp>)
#include <brio/net/streams.hpp>
#endif
