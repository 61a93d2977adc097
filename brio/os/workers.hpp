// run_workers: several loops, each on a thread of its own, that serve one port and stop together.
//
//     brio::run_workers(0, [](brio::Worker& worker) -> brio::Coro<> {
//       auto server = co_await brio::start_server(handle, "0.0.0.0", 8080, {.reuse_port = true});
//       co_await worker.stopped();
//       server->close();
//       co_await server->wait_closed();
//     });
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/policy.hpp>
#include <brio/core/time.hpp>
#include <brio/sync/event.hpp>

#include <atomic>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace brio {

class Worker;

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

class WorkerThread;

/// A worker's main coroutine, with the callable's type forgotten.
class BRIO_API WorkerFactory {
public:
  WorkerFactory() = default;
  WorkerFactory(const WorkerFactory&) = delete;
  WorkerFactory& operator=(const WorkerFactory&) = delete;
  virtual ~WorkerFactory();
  /// In the worker's thread.
  [[nodiscard]] virtual Coro<void> call(Worker& worker) = 0;
};

template <class F>
class WorkerFactoryOf final : public WorkerFactory {
public:
  explicit WorkerFactoryOf(F& function) noexcept : function_(&function) {}
  [[nodiscard]] Coro<void> call(Worker& worker) override { co_await (*function_)(worker); }

private:
  F* function_;
};

template <class F>
concept WorkerMain =
    std::invocable<F&, Worker&> && iscoroutine_v<std::invoke_result_t<F&, Worker&>>;

BRIO_API void run_worker_threads(int n, WorkerFactory& factory, const WorkerOptions& options);

}  // namespace detail

/// What the main coroutine of one worker is given. Lives until that has ended and its loop is
/// closed. To be used in the worker's thread, except where it says "any thread".
class BRIO_API Worker {
public:
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Which one this is, from 0. Any thread.
  [[nodiscard]] int index() const noexcept { return index_; }
  /// How many there are. Any thread.
  [[nodiscard]] int count() const noexcept { return count_; }
  /// "brio-worker-" and the index: the name of its thread and of its main task. Any thread.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// Has it been told to stop? Any thread.
  [[nodiscard]] bool stopping() const noexcept { return stopping_.load(std::memory_order_relaxed); }
  /// Waits until it is told to stop: by a signal, by stop_all or because another worker failed.
  /// From then on the graceful_timeout runs. Cancellation leaves nothing behind.
  [[nodiscard]] detail::EventAwaiter stopped() noexcept { return stopped_.wait(); }
  /// Has every worker told to stop, this one included, soon. Harmless when repeated. Any thread.
  void stop_all();

private:
  friend class detail::WorkerThread;
  Worker(detail::WorkerThread& thread, int index, int count, std::string name);
  void told_to_stop();

  detail::WorkerThread* thread_;
  int index_;
  int count_;
  std::string name_;
  std::atomic<bool> stopping_{false};
  Event stopped_;
};

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
