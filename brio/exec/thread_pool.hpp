// ThreadPoolExecutor: calls in a set of threads (concurrent.futures.ThreadPoolExecutor).
#pragma once

#include <brio/exec/executor.hpp>

#include <memory>
#include <optional>
#include <string>

namespace brio {

namespace detail {
class ThreadPool;
}

/// How a ThreadPoolExecutor is made.
struct ThreadPoolOptions {
  /// Default: 4 more than the processors that this process may use, at most 32.
  std::optional<int> max_workers = std::nullopt;
  /// Threads are named "<prefix>_<number>", as the system shows them (15 characters: the prefix is
  /// cut). Default: "ThreadPoolExecutor-<number>".
  std::string thread_name_prefix = {};
  /// Called in each new thread before its first job; it may run in several at once. If it throws,
  /// the pool is broken: waiting and later jobs fail with concurrent::BrokenThreadPool.
  detail::UniqueFunction<void()> initializer = {};
};

/// Runs jobs in threads, in the order submitted. A thread is started only when a job comes and no
/// thread is idle, until there are `max_workers`; they end with shutdown().
///
/// The destructor is the end of Python's `with` block: shutdown(), with its wait, unless it was
/// called before. Threads that are left at work by `shutdown({.wait = false})` finish what was
/// submitted; the process does not exit before they have.
class BRIO_API ThreadPoolExecutor final : public Executor {
public:
  /// Throws ValueError if max_workers is not positive. Starts no thread.
  explicit ThreadPoolExecutor(ThreadPoolOptions options = {});
  ThreadPoolExecutor(ThreadPoolExecutor&& other) noexcept;
  /// Shuts down what it had, as the destructor does.
  ThreadPoolExecutor& operator=(ThreadPoolExecutor&& other) noexcept;
  ~ThreadPoolExecutor() override;

  /// The most threads that it will start.
  [[nodiscard]] int max_workers() const noexcept;
  /// Completed when shutdown() was called and the last thread is about to end.
  [[nodiscard]] concurrent::Future<void> ended() const;

private:
  void submit_job(Job job) override;
  bool do_shutdown(const ShutdownOptions& options) override;
  void close() noexcept;

  std::shared_ptr<detail::ThreadPool> pool_;  // null when moved from
};

}  // namespace brio
