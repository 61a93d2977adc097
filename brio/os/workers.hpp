// run_workers: several loops, each on a thread of its own, that serve one port and stop together.
//
//     brio::run_workers(0, [](brio::Worker& worker) -> brio::Coro<> {
//       auto server = co_await brio::start_server(handle, "0.0.0.0", 8080, {.reuse_port = true});
//       co_await worker.stopped();
//       server->close();
//       co_await server->wait_closed();
//     });
#pragma once

#include <brio/core/policy.hpp>
#include <brio/core/time.hpp>
#include <brio/os/worker.hpp>

#include <cstdint>
#include <optional>
#include <type_traits>
#include <utility>

namespace brio {

/// What run_workers does when a worker's main coroutine throws. Either way the error is logged at
/// once, with the worker's name and the coroutines that it has left.
enum class OnWorkerError : std::uint8_t {
  /// Stop the other workers gracefully, then throw the error from run_workers.
  stop_all,
  /// Let the others go on. SystemExit and KeyboardInterrupt stop them all the same.
  report,
};

/// Keyword arguments of run_workers.
struct WorkerOptions {
  /// How long the workers may take to end once they were told to stop; then their main coroutines
  /// are cancelled. Null: as long as they like.
  std::optional<Duration> graceful_timeout = std::chrono::seconds(30);
  /// How long they may take after the cancellation; whoever has not ended then is logged as
  /// hanging, with what its tasks wait for. Null: nothing is logged.
  std::optional<Duration> cancel_timeout = std::chrono::seconds(10);
  /// What an error of one means for the others.
  OnWorkerError on_error = OnWorkerError::stop_all;
  /// Take SIGINT and SIGTERM, each if it is at its default and this is the main thread.
  bool handle_signals = true;
  /// Bind each worker to one of the processors that this process may use, in turn. Threads that a
  /// worker starts (to_thread's, the resolver's) inherit that. What the kernel refuses is logged.
  bool pin_to_processors = false;
  /// Debug mode of the workers' loops; default: BRIO_DEBUG.
  std::optional<bool> debug = std::nullopt;
  /// Makes a worker's loop; default: new_event_loop. Called in every worker's thread, by several at
  /// once.
  LoopFactory loop_factory = nullptr;
};

namespace detail {

BRIO_API void run_worker_threads(int n, WorkerFactory& factory, const WorkerOptions& options);

}  // namespace detail

/// Runs `n` workers, each a Runner on a thread of its own; 0: one for each processor that this
/// process may use. `factory(Worker&)` is called in each of these threads, by several at once, and
/// gives the worker's main coroutine; the callable lives until the end. They share a port when each
/// serves it with `reuse_port`: the kernel deals out the connections.
///
/// Blocks until all have ended. A first SIGINT or SIGTERM tells all to stop and is no error; a
/// second one cancels their main coroutines at once; a third has its default action. A worker that
/// ends by itself, or by being cancelled, leaves the others alone.
///
/// Throws what a worker threw (see OnWorkerError), an ExceptionGroup if several did, but a
/// SystemExit or KeyboardInterrupt alone; ValueError for a negative `n`; RuntimeError inside a
/// running loop; OSError or std::system_error when a loop or a thread cannot be made.
template <detail::WorkerMain F>
void run_workers(int n, F&& factory, const WorkerOptions& options = {}) {
  std::decay_t<F> function(std::forward<F>(factory));
  detail::WorkerFactoryOf<std::decay_t<F>> erased(function);
  detail::run_worker_threads(n, erased, options);
}

}  // namespace brio
