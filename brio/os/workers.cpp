#include <brio/os/workers.hpp>

#include <brio/core/detail/error_trace.hpp>
#include <brio/core/exception_group.hpp>
#include <brio/core/runner.hpp>
#include <brio/os/signals.hpp>

#include <csignal>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace brio {

namespace detail {

namespace {

// What a worker is asked for, each more urgent than the one before.
enum class Request : std::uint8_t { none, stop, cancel, tell };

// Where the unfinished tasks of the running loop stand.
std::string describe_tasks() {
  std::string text;
  for (const AnyTask& task : all_tasks()) {
    text += "\n" + task.repr();
    for (const StackFrame& frame : task.get_stack())
      text += std::string("\n  ") + frame.file_name + ":" + std::to_string(frame.line) + " in " +
              frame.function_name;
  }
  return text;
}

}  // namespace

class WorkerGroup;

/// One worker and its thread.
class WorkerThread final : public WorkerHost {
public:
  WorkerThread(WorkerGroup& group, int index)
      : group_(group), index_(index), name_(worker_name(static_cast<std::size_t>(index))) {}
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  ~WorkerThread() override { join(); }

  // For the calling thread.
  void start() {
    thread_ = std::thread([this] { work(); });
  }
  void join() {
    if (thread_.joinable()) thread_.join();
  }
  void ask(Request request);
  bool running = false;  // the group's note: started, and not ended

  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  // For every thread.
  void stop_all() override;
  void ready() override {}

private:
  // Lives in the worker's loop and goes with its close().
  struct Closing {
    Closing() = default;
    Closing(const Closing&) = delete;
    Closing& operator=(const Closing&) = delete;
    ~Closing() {
      if (thread) thread->unreachable();
    }
    WorkerThread* thread = nullptr;
  };

  void work() noexcept;
  void run();
  static Coro<void> main_of(WorkerThread& self, Worker& worker);
  void pin() const;
  void reachable(EventLoop& loop);
  void unreachable() noexcept;
  void obey(Request request);
  void failed(const std::exception_ptr& error);

  WorkerGroup& group_;
  const int index_;
  const std::string name_;
  std::thread thread_;

  std::mutex mutex_;  // over the next two: a request must not meet a loop that is gone
  EventLoop* loop_ = nullptr;
  Request asked_ = Request::none;

  // The worker's own thread alone.
  Worker* worker_ = nullptr;
  AnyTask main_;
  bool cancelled_ = false;
};

/// All workers of one run_workers, and the loop on which the calling thread looks after them.
class WorkerGroup {
public:
  WorkerGroup(std::size_t count, WorkerFactory& main, const WorkerOptions& with)
      : factory(main), options(with), processors(processor_numbers()) {
    if (count == 0) count = processors.size();
    for (std::size_t i = 0; i < count; ++i)
      workers_.push_back(std::make_unique<WorkerThread>(*this, static_cast<int>(i)));
  }
  WorkerGroup(const WorkerGroup&) = delete;
  WorkerGroup& operator=(const WorkerGroup&) = delete;
  // An error on the way out of run(): the threads must end before they can be joined.
  ~WorkerGroup() { ask_all(Request::cancel); }

  void run();

  // For every thread.
  WorkerFactory& factory;
  const WorkerOptions& options;
  const std::vector<int> processors;
  [[nodiscard]] std::size_t count() const noexcept { return workers_.size(); }
  // Calls function() in the calling thread of run_workers.
  template <class F>
  void post(F function) {
    loop_->call_soon_threadsafe(std::move(function));
  }

  // For the calling thread.
  void stop();
  void failed(std::exception_ptr error);
  void ended(WorkerThread& worker);

private:
  void start();
  void cancel();
  void report_hanging();
  void take_signals();
  void signal_came(int number);
  void give_back_signals();
  void ask_all(Request request);
  void throw_errors();

  LoopPtr loop_ = new_event_loop();
  Future<> all_ended_ = loop_->create_future();
  std::size_t running_ = 0;
  bool stopping_ = false;
  bool cancelling_ = false;
  std::vector<int> signals_;  // those that we have
  int signals_seen_ = 0;
  std::vector<std::exception_ptr> errors_;
  std::vector<std::unique_ptr<WorkerThread>> workers_;  // the first to go: they use the rest
};

void WorkerThread::stop_all() {
  group_.post([group = &group_] { group->stop(); });
}

// ---- a worker, in its thread

void WorkerThread::work() noexcept {
  pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());  // the kernel keeps 15
  try {
    run();
  } catch (...) {
    failed(std::current_exception());
  }
  group_.post([this] { group_.ended(*this); });
}

void WorkerThread::run() {
  if (group_.options.pin_to_processors) pin();
  // Its event is bound to the loop and gives it up in this thread.
  Worker worker(*this, index_, static_cast<int>(group_.count()));
  worker_ = &worker;
  RunOptions options;
  options.debug = group_.options.debug;
  options.handle_sigint = false;
  if (group_.options.loop_factory)
    options.loop_factory = [this] { return group_.options.loop_factory(); };
  Runner runner(std::move(options));
  reachable(runner.get_loop());
  try {
    runner.run(main_of(*this, worker));
  } catch (...) {
    failed(std::current_exception());
  }
  runner.close();
}

Coro<void> WorkerThread::main_of(WorkerThread& self, Worker& worker) {
  self.main_ = current_task();
  self.main_.set_name(self.name_);
  co_await self.group_.factory.call(worker);
}

// Told at once, before what the worker leaves behind is torn down.
void WorkerThread::failed(const std::exception_ptr& error) {
  if (classify(error) == ErrorKind::cancelled) return;
  log(LogLevel::error, "brio.os",
      name_ + " failed\n" + error_trace(error) + type_name(error) + ": " + describe(error));
  group_.post([group = &group_, error] { group->failed(error); });
}

void WorkerThread::pin() const {
  const auto& all = group_.processors;
  const int processor = all[static_cast<std::size_t>(index_) % all.size()];
  cpu_set_t set;
  CPU_ZERO(&set);
  if (processor < CPU_SETSIZE) CPU_SET(processor, &set);
  if (const int error = pthread_setaffinity_np(pthread_self(), sizeof set, &set))
    log(LogLevel::warning, "brio.os",
        "cannot bind " + name_ + " to processor " + std::to_string(processor) + ": " +
            describe(make_oserror(error, "pthread_setaffinity_np")));
}

void WorkerThread::reachable(EventLoop& loop) {
  loop.local<Closing>().thread = this;
  const std::lock_guard lock(mutex_);
  loop_ = &loop;
  // What was asked before there was anybody to ask. The loop takes what was posted only after
  // main's first step is queued, so main_ is known by then.
  if (asked_ != Request::none)
    loop.call_soon_threadsafe([this, request = asked_] { obey(request); });
}

void WorkerThread::unreachable() noexcept {
  main_ = {};
  const std::lock_guard lock(mutex_);
  loop_ = nullptr;
}

void WorkerThread::obey(Request request) {
  worker_->told_to_stop();
  if (request >= Request::cancel && !std::exchange(cancelled_, true)) main_.cancel();
  if (request == Request::tell)
    log(LogLevel::error, "brio.os", name_ + " has these tasks left:" + describe_tasks());
}

// ---- a worker, from the calling thread

void WorkerThread::ask(Request request) {
  const std::lock_guard lock(mutex_);
  asked_ = request;
  if (!loop_) return;
  try {
    loop_->call_soon_threadsafe([this, request] { obey(request); });
  } catch (const RuntimeError&) {
    // It is being closed: there is nobody left to ask.
  }
}

// ---- all of them, in the calling thread

void WorkerGroup::run() {
  take_signals();
  start();
  if (running_ > 0) loop_->run_until_complete(all_ended_);
  for (const auto& worker : workers_) worker->join();
  give_back_signals();
  throw_errors();
}

void WorkerGroup::start() {
  try {
    for (const auto& worker : workers_) {
      worker->start();
      worker->running = true;
      ++running_;
    }
  } catch (...) {
    // No thread for this one: those that run are stopped before anybody hears of it.
    errors_.push_back(std::current_exception());
    stop();
  }
}

void WorkerGroup::ask_all(Request request) {
  for (const auto& worker : workers_)
    if (worker->running) worker->ask(request);
}

void WorkerGroup::stop() {
  if (std::exchange(stopping_, true)) return;
  ask_all(Request::stop);
  if (!options.graceful_timeout) return;
  loop_->call_later(*options.graceful_timeout, [this] {
    if (cancelling_ || running_ == 0) return;
    std::string names;
    for (const auto& worker : workers_)
      if (worker->running) names += (names.empty() ? "" : ", ") + worker->name();
    log(LogLevel::warning, "brio.os", names + " did not end in time and will be cancelled");
    cancel();
  });
}

void WorkerGroup::cancel() {
  if (std::exchange(cancelling_, true)) return;
  stopping_ = true;
  ask_all(Request::cancel);
  if (options.cancel_timeout)
    loop_->call_later(*options.cancel_timeout, [this] { report_hanging(); });
}

void WorkerGroup::report_hanging() {
  for (const auto& worker : workers_) {
    if (!worker->running) continue;
    log(LogLevel::error, "brio.os", worker->name() + " hangs: it was cancelled and has not ended");
    worker->ask(Request::tell);  // where it stands, if its loop still turns
  }
}

void WorkerGroup::failed(std::exception_ptr error) {
  const bool fatal = classify(error) == ErrorKind::fatal;
  if (!fatal && options.on_error == OnWorkerError::report) return;
  errors_.push_back(std::move(error));
  stop();
}

void WorkerGroup::ended(WorkerThread& worker) {
  worker.running = false;
  if (--running_ == 0) all_ended_.set_result();
}

void WorkerGroup::throw_errors() {
  if (errors_.empty()) return;
  for (const std::exception_ptr& error : errors_)
    if (errors_.size() == 1 || classify(error) == ErrorKind::fatal) std::rethrow_exception(error);
  throw ExceptionGroup("unhandled errors in workers", std::move(errors_));
}

void WorkerGroup::take_signals() {
  if (!options.handle_signals || getpid() != gettid()) return;
  for (const int number : {SIGINT, SIGTERM}) {
    if (!has_default_action(number)) continue;
    add_signal_handler(*loop_, number, [this, number] { signal_came(number); });
    signals_.push_back(number);
  }
}

void WorkerGroup::give_back_signals() {
  for (const int number : std::exchange(signals_, {})) remove_signal_handler(*loop_, number);
}

void WorkerGroup::signal_came(int number) {
  ++signals_seen_;
  if (signals_seen_ == 1) {
    stop();
  } else if (signals_seen_ == 2) {
    // First this: who sees the cancellation and sends a third signal must not meet our handler.
    give_back_signals();
    cancel();
  } else {
    std::raise(number);  // came together with the second
  }
}

void run_worker_threads(int n, WorkerFactory& factory, const WorkerOptions& options) {
  if (n < 0) throw ValueError("run_workers: the number of workers must not be negative");
  if (running_loop_or_null())
    throw RuntimeError("brio::run_workers() cannot be called from a running event loop");
  install_terminate_handler();
  WorkerGroup(static_cast<std::size_t>(n), factory, options).run();
}

}  // namespace detail

}  // namespace brio
