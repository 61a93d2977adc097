// Inside brio/exec. The pools that have threads, so that process exit waits for them.
#pragma once

#include <memory>

namespace brio::detail {

class PoolOfThreads {
public:
  PoolOfThreads() = default;
  PoolOfThreads(const PoolOfThreads&) = delete;
  PoolOfThreads& operator=(const PoolOfThreads&) = delete;
  virtual ~PoolOfThreads() = default;
  /// No job will run any more; what is left is to join the threads.
  [[nodiscard]] virtual bool threads_ended() const noexcept = 0;
  /// Takes no more jobs, waits for those it has, joins the threads. False, and nothing is waited
  /// for, in one of those threads.
  virtual bool finish_and_join() = 0;
};

/// Keeps a pool from its first thread until the threads are joined: a thread must not be the last
/// to hold its own pool. A pool that was shut down without a wait is joined when another one is
/// made, or at exit.
class PoolRegistry {
public:
  /// Throws RuntimeError once the process is exiting.
  static void add(std::shared_ptr<PoolOfThreads> pool);
  static void remove(const PoolOfThreads& pool) noexcept;
  /// Joins the pools whose threads have ended. To be called without a lock held: the last thing
  /// that a thread does may be a user's callback.
  static void join_ended();
  /// Has exit() begun?
  [[nodiscard]] static bool exiting() noexcept;
  /// How many forks this process is away from the first one that had threads.
  [[nodiscard]] static unsigned fork_generation() noexcept;
};

}  // namespace brio::detail
