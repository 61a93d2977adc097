// Inside brio/os: the life of a forked worker, and the words that it and its supervisor exchange.
#pragma once

#include <brio/os/worker_processes.hpp>

#include <csignal>
#include <sys/types.h>

namespace brio::detail {

/// A worker to its supervisor: Worker::ready, Worker::stop_all, and that a SIGTERM came to it
/// alone.
inline constexpr char worker_says_ready = 'r';
inline constexpr char worker_says_stop_all = 's';
inline constexpr char worker_says_terminated = 't';
/// The supervisor to a worker. The end of the channel means that there is no supervisor any more.
inline constexpr char worker_is_to_stop = 'S';
inline constexpr char worker_is_cancelled = 'C';

/// What a worker is born with.
struct WorkerBirth {
  int index;
  int count;
  /// A non-blocking stream socket to the supervisor.
  int channel;
  /// The supervisor's process.
  pid_t supervisor;
  /// The signal mask to run with. At first the signals that a worker handles are blocked.
  const sigset_t& signal_mask;
  WorkerFactory& factory;
  const WorkerProcessOptions& options;
};

/// Runs the worker and ends the process: with 0, SystemExit's code, or 1 for an error, which is
/// logged. To be called in the forked process.
[[noreturn]] void run_worker_child(const WorkerBirth& birth) noexcept;

}  // namespace brio::detail
