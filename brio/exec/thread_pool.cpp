#include <brio/exec/thread_pool.hpp>

#include <brio/core/logging.hpp>
#include <brio/exec/pool_registry.hpp>
#include <brio/exec/processors.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <thread>
#include <vector>

namespace brio {

namespace detail {

int usable_processors() noexcept {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

namespace {

int checked_workers(std::optional<int> workers) {
  if (!workers) return std::min(32, usable_processors() + 4);
  if (*workers <= 0) throw ValueError("max_workers must be greater than 0");
  return *workers;
}

std::string checked_prefix(std::string prefix) {
  static std::atomic<unsigned> next{0};
  if (prefix.empty()) prefix = "ThreadPoolExecutor-" + std::to_string(next.fetch_add(1));
  return prefix;
}

// The kernel keeps 15 characters; the number tells threads apart, so the prefix gives way.
void name_this_thread(const std::string& prefix, std::size_t number) {
  const std::string suffix = "_" + std::to_string(number);
  const std::string name = prefix.substr(0, 15 - std::min<std::size_t>(15, suffix.size())) + suffix;
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

}  // namespace

/// What an executor and its threads share.
class ThreadPool final : public PoolOfThreads, public std::enable_shared_from_this<ThreadPool> {
public:
  explicit ThreadPool(ThreadPoolOptions options)
      : max_(checked_workers(options.max_workers)),
        prefix_(checked_prefix(std::move(options.thread_name_prefix))),
        initializer_(std::move(options.initializer)),
        generation_(PoolRegistry::fork_generation()) {}
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;
  ~ThreadPool() override = default;

  [[nodiscard]] int max_workers() const noexcept { return max_; }
  void submit(Job job);
  bool shutdown(const ShutdownOptions& options);
  [[nodiscard]] bool was_shut_down() const {
    if (forked()) return true;
    const std::lock_guard lock(mutex_);
    return shutdown_;
  }
  concurrent::Future<void> ended();
  /// Is the caller one of the threads?
  [[nodiscard]] bool inside() const;
  // For the registry.
  [[nodiscard]] bool threads_ended() const noexcept override {
    return ended_.load(std::memory_order_acquire);
  }
  bool finish_and_join() override { return !inside() && shutdown({}); }

private:
  void start_thread();
  void work(std::size_t number);
  bool initialize();
  void mark_broken();
  bool join(std::optional<Duration> timeout);
  // A forked child has the pool's memory without its threads.
  [[nodiscard]] bool forked() const noexcept {
    return generation_ != PoolRegistry::fork_generation();
  }

  const int max_;
  const std::string prefix_;
  const UniqueFunction<void()> initializer_;
  const unsigned generation_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;     // a job, or shutdown
  std::condition_variable changed_;  // the last thread has ended, or was joined
  std::deque<Job> jobs_;
  std::vector<std::thread> threads_;
  std::size_t started_ = 0;
  std::size_t idle_ = 0;  // threads that wait for a job
  std::size_t live_ = 0;
  bool shutdown_ = false;
  bool broken_ = false;
  bool joining_ = false;
  std::atomic<bool> ended_{false};  // shut down, and no thread is left in work()
  std::vector<concurrent::Future<void>> waiting_for_end_;
};

void ThreadPool::submit(Job job) {
  if (forked())
    throw RuntimeError("this executor belongs to the parent process: its threads are not here");
  const std::lock_guard lock(mutex_);
  if (broken_)
    throw concurrent::BrokenThreadPool(
        "A thread initializer failed, the thread pool is not usable anymore");
  if (shutdown_) throw RuntimeError("cannot schedule new futures after shutdown");
  if (PoolRegistry::exiting())
    throw RuntimeError("cannot schedule new futures after process exit has begun");
  jobs_.push_back(std::move(job));
  if (jobs_.size() > idle_ && live_ < static_cast<std::size_t>(max_)) {
    try {
      start_thread();
    } catch (...) {
      // The threads there are will get round to it; without any, nobody would.
      if (live_ == 0) {
        jobs_.pop_back();
        throw;
      }
    }
  }
  if (idle_ > 0) wake_.notify_one();
}

void ThreadPool::start_thread() {
  if (started_ == 0) PoolRegistry::add(shared_from_this());
  threads_.reserve(threads_.size() + 1);
  threads_.emplace_back([self = shared_from_this(), number = started_] { self->work(number); });
  ++started_;
  ++live_;
}

void ThreadPool::work(std::size_t number) {
  name_this_thread(prefix_, number);
  const bool usable = initialize();
  std::unique_lock lock(mutex_);
  while (usable) {
    if (jobs_.empty()) {
      if (shutdown_) break;
      ++idle_;
      wake_.wait(lock);
      --idle_;
      continue;
    }
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job.run();
    job = Job();
    lock.lock();
  }
  if (--live_ > 0 || !shutdown_) return;
  ended_.store(true, std::memory_order_release);
  const auto told = std::exchange(waiting_for_end_, {});
  changed_.notify_all();
  lock.unlock();
  for (const auto& future : told) future.set_result();
}

bool ThreadPool::initialize() {
  if (!initializer_) return true;
  std::exception_ptr error;
  try {
    initializer_();
    return true;
  } catch (...) {
    error = std::current_exception();
  }
  log(LogLevel::critical, "brio.concurrent",
      "exception in the initializer of a pool's thread: " + type_name(error) + ": " +
          describe(error));
  mark_broken();
  return false;
}

void ThreadPool::mark_broken() {
  std::deque<Job> jobs;
  {
    const std::lock_guard lock(mutex_);
    broken_ = true;
    jobs.swap(jobs_);
  }
  for (const Job& job : jobs) {
    try {
      job.fail(std::make_exception_ptr(concurrent::BrokenThreadPool(
          "A thread initializer failed, the thread pool is not usable anymore")));
    } catch (const InvalidStateError&) {
      // Cancelled meanwhile.
    }
  }
}

bool ThreadPool::shutdown(const ShutdownOptions& options) {
  if (forked()) return true;
  std::deque<Job> cancelled;
  std::vector<concurrent::Future<void>> told;
  {
    const std::lock_guard lock(mutex_);
    shutdown_ = true;
    if (options.cancel_futures) cancelled.swap(jobs_);
    wake_.notify_all();
    if (live_ == 0) {
      ended_.store(true, std::memory_order_release);
      told.swap(waiting_for_end_);
    }
  }
  for (const Job& job : cancelled) job.cancel();
  for (const auto& future : told) future.set_result();
  return !options.wait || join(options.timeout);
}

bool ThreadPool::join(std::optional<Duration> timeout) {
  if (inside()) throw RuntimeError("cannot join current thread");
  std::unique_lock lock(mutex_);
  const auto all_ended = [this] { return live_ == 0 && !joining_; };
  if (!timeout)
    changed_.wait(lock, all_ended);
  else if (!changed_.wait_until(lock, after(std::chrono::steady_clock::now(), *timeout), all_ended))
    return false;
  std::vector<std::thread> threads = std::exchange(threads_, {});
  joining_ = true;
  lock.unlock();
  for (std::thread& thread : threads) thread.join();
  lock.lock();
  joining_ = false;
  changed_.notify_all();
  lock.unlock();
  PoolRegistry::remove(*this);
  return true;
}

bool ThreadPool::inside() const {
  const std::lock_guard lock(mutex_);
  return std::any_of(threads_.begin(), threads_.end(), [](const std::thread& thread) {
    return thread.get_id() == std::this_thread::get_id();
  });
}

concurrent::Future<void> ThreadPool::ended() {
  auto future = concurrent::create_future<void>();
  // Running, so that whoever gives up on it does not cancel it for the thread that completes it.
  future.set_running_or_notify_cancel();
  {
    const std::lock_guard lock(mutex_);
    if (!ended_.load(std::memory_order_relaxed)) {
      waiting_for_end_.push_back(future);
      return future;
    }
  }
  future.set_result();
  return future;
}

}  // namespace detail

Executor::~Executor() = default;

ThreadPoolExecutor::ThreadPoolExecutor(ThreadPoolOptions options)
    : pool_(std::make_shared<detail::ThreadPool>(std::move(options))) {
  detail::PoolRegistry::join_ended();
}

ThreadPoolExecutor::ThreadPoolExecutor(ThreadPoolExecutor&& other) noexcept
    : Executor(), pool_(std::move(other.pool_)) {}

ThreadPoolExecutor& ThreadPoolExecutor::operator=(ThreadPoolExecutor&& other) noexcept {
  if (this == &other) return *this;
  close();
  pool_ = std::move(other.pool_);
  return *this;
}

ThreadPoolExecutor::~ThreadPoolExecutor() { close(); }

void ThreadPoolExecutor::close() noexcept {
  if (!pool_ || pool_->was_shut_down()) return;
  // The last handle may go in a job of the pool itself, which cannot wait for its own thread.
  pool_->shutdown({.wait = !pool_->inside()});
}

int ThreadPoolExecutor::max_workers() const noexcept { return pool_ ? pool_->max_workers() : 0; }

concurrent::Future<void> ThreadPoolExecutor::ended() const { return pool_->ended(); }

void ThreadPoolExecutor::submit_job(Job job) {
  if (!pool_) throw RuntimeError("cannot schedule new futures after shutdown");
  pool_->submit(std::move(job));
}

bool ThreadPoolExecutor::do_shutdown(const ShutdownOptions& options) {
  return !pool_ || pool_->shutdown(options);
}

}  // namespace brio
