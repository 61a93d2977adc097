// Inside brio/os: who starts, replaces and stops worker processes.
#pragma once

#include <brio/core/time.hpp>
#include <brio/os/child.hpp>
#include <brio/os/descriptor.hpp>
#include <brio/os/supervisor_signals.hpp>
#include <brio/os/worker_processes.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace brio::detail {

/// One worker process, as its supervisor sees it.
struct WorkerProcess {
  /// What it was told, each more urgent than the one before.
  enum class Told : std::uint8_t { nothing, to_stop, cancelled, killed };

  WorkerProcess(std::size_t place, os::Descriptor to, TimePoint now)
      : index(place), channel(std::move(to)), started(now) {}
  /// The name and the pid, for the log.
  [[nodiscard]] std::string name() const;
  /// Sends a word of worker_child.hpp. A worker that does not listen any more is ending.
  void say(char word) const noexcept;

  std::size_t index;
  os::Descriptor channel;
  TimePoint started;
  /// Set once it is forked.
  std::optional<os::detail::Child> child = std::nullopt;
  Told told = Told::nothing;
  /// A SIGTERM came to it alone: it stops, and another takes its place.
  bool terminated = false;
  /// When the next thing is done to it that `told` calls for; before, when it must be ready.
  std::optional<TimePoint> deadline = std::nullopt;
};

/// Starts the workers, replaces those that die, stops them. Runs no user code and no loop in its
/// process, which has this thread alone.
class Supervisor {
public:
  Supervisor(std::size_t count, WorkerFactory& factory, const WorkerProcessOptions& options);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  /// Kills the workers that are left: there are some only when run() has thrown.
  ~Supervisor() = default;

  /// Until every worker has ended. Throws what the first starts threw.
  void run();

private:
  /// Where worker i stands. It is done when there is neither a process nor a restart.
  struct Place {
    Duration delay;                    // from the start of a worker that dies to the next start
    WorkerProcess* current = nullptr;  // the one that serves
    WorkerProcess* next = nullptr;     // its replacement, until that is ready
    bool replace_again = false;        // SIGHUP came while there was a `next`
    std::optional<TimePoint> restart_at = std::nullopt;
  };

  // Processes.
  WorkerProcess& start(std::size_t index);
  [[noreturn]] void be_worker(std::size_t index, const os::Descriptor& channel, pid_t supervisor);
  void start_or_retry(std::size_t index);
  void replace(std::size_t index);
  void tell_to_stop(WorkerProcess& process);
  void cancel(WorkerProcess& process);

  // All of them.
  void stop();
  void cancel_all();
  void reload();
  void more();
  void fewer();

  // What happens.
  [[nodiscard]] bool done() const;
  void wait();
  void turn();
  void hear(WorkerProcess& process);
  void is_ready(WorkerProcess& process);
  void is_terminated(WorkerProcess& process);
  void ended(WorkerProcess& process, int returncode);
  void signal_came(int number);
  void look_at_the_clock();
  void too_late(WorkerProcess& process);
  [[nodiscard]] Place* place_of(const WorkerProcess& process);
  void restart_later(Place& place, TimePoint counted_from);

  WorkerFactory& factory_;
  const WorkerProcessOptions& options_;
  SupervisorSignals signals_;
  std::vector<Place> places_;
  std::vector<std::unique_ptr<WorkerProcess>> processes_;  // those that live
  int stop_signals_ = 0;
  bool stopping_ = false;
};

}  // namespace brio::detail
