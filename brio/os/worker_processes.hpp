// run_worker_processes: several processes with a loop each, looked after by the one that calls, as
// uvicorn's and gunicorn's --workers does.
//
//     auto sock = brio::net::bound_socket(brio::net::SocketAddress::ip("0.0.0.0", 8080));
//     sock.listen(100);
//     brio::run_worker_processes(0, [&](brio::Worker& worker) -> brio::Coro<> {
//       auto server = co_await brio::start_server(handle, sock.dup());
//       worker.ready();
//       co_await worker.stopped();
//       server->close();
//       co_await server->wait_closed();
//     });
#pragma once

#include <brio/core/policy.hpp>
#include <brio/core/time.hpp>
#include <brio/os/worker.hpp>

#include <optional>
#include <type_traits>
#include <utility>

namespace brio {

/// Keyword arguments of run_worker_processes.
struct WorkerProcessOptions {
  /// How long a worker may take to end once it was told to stop; then its main coroutine is
  /// cancelled. Null: as long as it likes.
  std::optional<Duration> graceful_timeout = std::chrono::seconds(30);
  /// How long it may take after the cancellation; then it is killed. Null: as long as it likes.
  std::optional<Duration> cancel_timeout = std::chrono::seconds(10);
  /// A worker that dies is started again, but not before this long after its own start. Twice as
  /// long for the next one, and so on, up to max_restart_delay; anew after one that lived that
  /// long.
  Duration restart_delay = std::chrono::seconds(1);
  /// See restart_delay.
  Duration max_restart_delay = std::chrono::seconds(30);
  /// How long a replacement may take to call Worker::ready; then it is told to stop, and the worker
  /// that it was to replace goes on. Null: as long as it likes.
  std::optional<Duration> ready_timeout = std::chrono::seconds(30);
  /// Take SIGINT, SIGTERM, SIGHUP, SIGTTIN and SIGTTOU, each if it is at its default.
  bool handle_signals = true;
  /// Debug mode of the workers' loops; default: BRIO_DEBUG.
  std::optional<bool> debug = std::nullopt;
  /// Makes a worker's loop, in the worker; default: new_event_loop.
  LoopFactory loop_factory = nullptr;
};

namespace detail {
BRIO_API void run_worker_processes(int n, WorkerFactory& factory,
                                   const WorkerProcessOptions& options);
}  // namespace detail

/// Runs `n` workers, each in a process of its own, forked from this one; 0: one for each processor
/// that this process may use. `factory(Worker&)` is called in each and gives its main coroutine.
/// Blocks until all have ended.
///
/// A worker that dies is logged and started again: one that ends with an error (which it logs
/// itself), with a SystemExit other than 0, or by a signal. One that ends well or cancelled has
/// done its work. If this process dies, the workers stop as if it had told them to, timeouts
/// included, also where one blocks its loop.
///
/// Signals to this process: a first SIGINT or SIGTERM tells all to stop and is no error; a second
/// one cancels their main coroutines at once; a third has its default action. SIGHUP replaces every
/// worker: a new one is started beside the old one, which is told to stop as soon as the new one
/// has called Worker::ready(); if that ends before, the old one goes on. SIGTTIN starts one worker
/// more, SIGTTOU tells the last one to stop, unless there is only one left.
///
/// Signals to a worker: SIGTERM tells that one to stop, and another is started in its place; a
/// second one cancels it. SIGINT and SIGHUP, which a terminal sends to all, are disregarded.
/// SIGRTMAX tells it that this process has died, if both timeouts are set.
///
/// No connection is refused in any of this when the workers serve a socket that listens since
/// before the call, by `start_server(handler, sock.dup())`: what waits in its queue is served by
/// whoever lives. Of a port that each binds with `reuse_port`, a queue goes with its worker.
///
/// Throws ValueError for a negative `n`. Throws RuntimeError inside a running loop, and when the
/// process has other threads: a forked one has the calling thread alone, and the locks that others
/// held are never released. Throws OSError when the first processes cannot be started, after those
/// that could have ended.
template <detail::WorkerMain F>
void run_worker_processes(int n, F&& factory, const WorkerProcessOptions& options = {}) {
  std::decay_t<F> function(std::forward<F>(factory));
  detail::WorkerFactoryOf<std::decay_t<F>> erased(function);
  detail::run_worker_processes(n, erased, options);
}

}  // namespace brio
