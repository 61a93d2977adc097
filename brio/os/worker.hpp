// Worker: what the main coroutine of a worker is given, by run_workers and run_worker_processes.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/sync/event.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace brio {

class Worker;

namespace detail {

/// The processors that this process may use; at least one.
[[nodiscard]] std::vector<int> processor_numbers();
/// Is this signal at its default action?
[[nodiscard]] bool has_default_action(int signal_number) noexcept;

/// "brio-worker-" and the index.
[[nodiscard]] std::string worker_name(std::size_t index);

/// Where a worker's words go.
class BRIO_API WorkerHost {
public:
  WorkerHost() = default;
  WorkerHost(const WorkerHost&) = delete;
  WorkerHost& operator=(const WorkerHost&) = delete;
  virtual ~WorkerHost();
  /// Worker::stop_all.
  virtual void stop_all() = 0;
  /// Worker::ready.
  virtual void ready() = 0;
};

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

}  // namespace detail

/// What the main coroutine of one worker is given. Lives until that has ended and its loop is
/// closed. To be used in the worker's thread, except where it says "any thread".
class BRIO_API Worker {
public:
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker() = default;

  /// Which one this is, from 0. Any thread.
  [[nodiscard]] int index() const noexcept { return index_; }
  /// How many there are; with processes, how many there were when it started. Any thread.
  [[nodiscard]] int count() const noexcept { return count_; }
  /// "brio-worker-" and the index: the name of its thread or process, and of its main task. Any
  /// thread.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  /// Has it been told to stop? Any thread.
  [[nodiscard]] bool stopping() const noexcept { return stopping_.load(std::memory_order_relaxed); }
  /// Waits until it is told to stop: by a signal, by stop_all, because another worker failed or a
  /// new one has its place. From then on the graceful_timeout runs. Cancellation leaves nothing
  /// behind.
  [[nodiscard]] detail::EventAwaiter stopped() noexcept { return stopped_.wait(); }
  /// Has every worker told to stop, this one included, soon. Harmless when repeated. Any thread.
  void stop_all() { host_->stop_all(); }
  /// It serves now: only then does run_worker_processes stop the worker that this one replaces.
  /// Does nothing in other cases, and with run_workers. Any thread.
  void ready() { host_->ready(); }

  // ---- for the functions that run workers

  /// Named worker_name(index).
  Worker(detail::WorkerHost& host, int index, int count);
  /// Completes stopped(). In the worker's thread.
  void told_to_stop();

private:
  detail::WorkerHost* host_;
  int index_;
  int count_;
  std::string name_;
  std::atomic<bool> stopping_{false};
  Event stopped_;
};

}  // namespace brio
