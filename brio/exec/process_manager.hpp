// Inside brio/exec. The part of a ProcessPoolExecutor that its handles and its thread share.
//
// One thread manages the workers: it starts them, hands each one call at a time over a channel of
// its own, takes the answers, completes the futures, and sees a worker die. So a dying worker can
// take no call and no result with it but the one that it was busy with.
#pragma once

#include <brio/exec/pool_registry.hpp>
#include <brio/exec/process_frames.hpp>
#include <brio/exec/process_pool.hpp>
#include <brio/exec/process_worker.hpp>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <poll.h>
#include <string>
#include <thread>
#include <vector>

namespace brio::detail {

/// A worker process as the managing thread sees it.
class Worker {
public:
  Worker(PoolProcess process, std::size_t max_message_size)
      : process_(std::move(process)), reader_(max_message_size) {}

  [[nodiscard]] const PoolProcess& process() const noexcept { return process_; }
  [[nodiscard]] bool idle() const noexcept { return !busy_ && !closing_ && !lost_; }
  [[nodiscard]] bool initializing() const noexcept { return busy_ && id_ == 0; }
  /// Was it told to end, and has nothing to do any more?
  [[nodiscard]] bool closing() const noexcept { return closing_; }
  [[nodiscard]] bool wants_to_send() const noexcept { return busy_ && sent_ < to_send(); }
  [[nodiscard]] bool channel_open() const noexcept { return !lost_; }
  [[nodiscard]] int calls() const noexcept { return calls_; }

  /// Begins a call. `id` 0 is the initializer.
  void begin(std::uint64_t id, RemoteJob job);
  /// Sends what the channel takes.
  void send() noexcept;
  /// Takes what has arrived: an answer, if it is complete. Throws SerializationError for what is
  /// none.
  std::optional<WireFrame> receive();
  /// Is the answer to the call it is busy with; gives the call.
  RemoteJob finish();
  /// Tells an idle worker to end.
  void close() noexcept;
  /// The channel is not to be used any more.
  void lose() noexcept { lost_ = true; }
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  [[nodiscard]] bool busy() const noexcept { return busy_; }

private:
  [[nodiscard]] std::size_t to_send() const noexcept {
    return sizeof(WireHeader) + job_.bytes.size();
  }

  PoolProcess process_;
  WireReader reader_;
  RemoteJob job_;
  std::uint64_t id_ = 0;  // of the call
  std::size_t sent_ = 0;
  int calls_ = 0;
  bool busy_ = false;
  bool closing_ = false;
  bool lost_ = false;
};

class ProcessPool final : public PoolOfThreads, public std::enable_shared_from_this<ProcessPool> {
public:
  explicit ProcessPool(ProcessPoolOptions options);
  ProcessPool(const ProcessPool&) = delete;
  ProcessPool& operator=(const ProcessPool&) = delete;
  ~ProcessPool() override = default;

  [[nodiscard]] int max_workers() const noexcept { return max_; }
  void submit(RemoteJob job, std::exception_ptr error);
  /// And sends the workers a signal, unless it is 0.
  bool shutdown(const ShutdownOptions& options, int signal = 0);
  [[nodiscard]] bool was_shut_down() const;
  /// Is the caller the managing thread?
  [[nodiscard]] bool inside() const;
  // For the registry.
  [[nodiscard]] bool threads_ended() const noexcept override {
    return ended_.load(std::memory_order_acquire);
  }
  bool finish_and_join() override { return !inside() && shutdown({}); }

private:
  /// The end of a call that the managing thread has yet to tell.
  struct Ending {
    RemoteJob job;
    WireFrame answer = {};
    std::exception_ptr error = nullptr;  // null: the answer tells
  };

  // Any thread.
  void start_thread();
  void wake() const noexcept;
  bool join(std::optional<Duration> timeout);
  // A forked child has the pool's memory without its thread.
  [[nodiscard]] bool forked() const noexcept {
    return generation_ != PoolRegistry::fork_generation();
  }
  // The managing thread.
  void manage();
  bool over();
  void obey();
  void dispatch();
  bool add_worker();
  std::optional<RemoteJob> next_job();
  void wait_for_events();
  void look_at(Worker& worker, short events);
  void take_answers(Worker& worker);
  void take_answer(Worker& worker, WireFrame answer);
  void remove_dead(const std::vector<pid_t>& dead);
  void bury(Worker& worker);
  void break_down(const std::string& why);
  void fail_queue(const std::exception_ptr& error);
  void tell();

  const int max_;
  const StartMethod method_;
  const std::string initializer_;
  const std::optional<int> max_calls_;
  const std::size_t max_message_size_;
  const unsigned generation_;
  OwnedFd wake_fd_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // the thread has ended, or was joined
  std::deque<RemoteJob> jobs_;
  std::thread thread_;
  bool started_ = false;
  bool live_ = false;
  bool shutdown_ = false;
  bool joining_ = false;
  int signal_ = 0;                     // to be sent to all workers
  std::optional<std::string> broken_;  // why
  std::atomic<bool> ended_{false};

  // The managing thread's own.
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Ending> endings_;
  std::uint64_t next_id_ = 1;
  bool killed_ = false;  // the workers, by us
  std::string protocol_error_;
};

}  // namespace brio::detail
