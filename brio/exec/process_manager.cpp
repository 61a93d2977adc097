#include <brio/exec/process_manager.hpp>

#include <brio/core/logging.hpp>
#include <brio/exec/processors.hpp>
#include <brio/exec/remote_error.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace brio::detail {

namespace {

int checked_workers(std::optional<int> workers) {
  if (!workers) return usable_processors();
  if (*workers <= 0) throw ValueError("max_workers must be greater than 0");
  return *workers;
}

std::optional<int> checked_calls(std::optional<int> calls) {
  if (calls && *calls <= 0) throw ValueError("max_tasks_per_child must be >= 1");
  return calls;
}

StartMethod checked_method(std::optional<StartMethod> method) {
  if (method.value_or(StartMethod::spawn) == StartMethod::spawn && !can_spawn())
    throw RuntimeError(
        "ProcessPoolExecutor: main() must begin with brio::freeze_support(argc, argv), or each "
        "worker would run the whole program; a program without other threads may do with "
        "StartMethod::fork");
  return method.value_or(StartMethod::spawn);
}

std::exception_ptr broken(const std::string& why) {
  return std::make_exception_ptr(concurrent::BrokenProcessPool(why));
}

// No handler of the program runs in the managing thread, nor in a worker before it has reset them.
// What the thread brings upon itself must still reach it.
sigset_t outside_signals() noexcept {
  sigset_t set;
  sigfillset(&set);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS})
    sigdelset(&set, number);
  return set;
}

}  // namespace

ProcessPool::ProcessPool(ProcessPoolOptions options)
    : max_(checked_workers(options.max_workers)),
      method_(checked_method(options.start_method)),
      initializer_(options.initializer.bytes()),
      max_calls_(checked_calls(options.max_tasks_per_child)),
      max_message_size_(options.max_message_size),
      generation_(PoolRegistry::fork_generation()) {
  if (initializer_.size() > max_message_size_)
    throw concurrent::SerializationError("the initializer's arguments exceed max_message_size");
}

// --- Any thread.

void ProcessPool::submit(RemoteJob job, std::exception_ptr error) {
  if (forked())
    throw RuntimeError("this executor belongs to the parent process: its workers are not ours");
  if (!error && job.bytes.size() > max_message_size_)
    error = std::make_exception_ptr(
        concurrent::SerializationError("the arguments have " + std::to_string(job.bytes.size()) +
                                       " bytes, more than the pool's max_message_size"));
  {
    const std::lock_guard lock(mutex_);
    if (broken_) throw concurrent::BrokenProcessPool(*broken_);
    if (shutdown_) throw RuntimeError("cannot schedule new futures after shutdown");
    if (PoolRegistry::exiting())
      throw RuntimeError("cannot schedule new futures after process exit has begun");
    if (!error) {
      if (!started_) start_thread();
      jobs_.push_back(std::move(job));
      wake();
      return;
    }
  }
  job.future.set_exception(std::move(error));
}

void ProcessPool::start_thread() {
  wake_fd_ = OwnedFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_fd_) throw_oserror(errno, "make a process pool");
  PoolRegistry::add(shared_from_this());
  const sigset_t blocked = outside_signals();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  std::exception_ptr error;
  try {
    thread_ = std::thread([self = shared_from_this()] { self->manage(); });
  } catch (...) {
    error = std::current_exception();
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error) {
    PoolRegistry::remove(*this);
    std::rethrow_exception(std::move(error));
  }
  started_ = true;
  live_ = true;
}

void ProcessPool::wake() const noexcept {
  if (!wake_fd_) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_fd_.get(), &one, sizeof one);
}

bool ProcessPool::shutdown(const ShutdownOptions& options, int signal) {
  if (forked()) return true;
  std::deque<RemoteJob> cancelled;
  {
    const std::lock_guard lock(mutex_);
    shutdown_ = true;
    if (signal != 0) signal_ = signal;
    if (options.cancel_futures) cancelled.swap(jobs_);
    if (!live_) ended_.store(true, std::memory_order_release);
    wake();
  }
  for (const RemoteJob& job : cancelled) job.future.cancel();
  return !options.wait || join(options.timeout);
}

bool ProcessPool::was_shut_down() const {
  if (forked()) return true;
  const std::lock_guard lock(mutex_);
  return shutdown_;
}

bool ProcessPool::inside() const {
  const std::lock_guard lock(mutex_);
  return thread_.get_id() == std::this_thread::get_id();
}

bool ProcessPool::join(std::optional<Duration> timeout) {
  if (inside()) throw RuntimeError("cannot join current thread");
  std::unique_lock lock(mutex_);
  const auto has_ended = [this] { return !live_ && !joining_; };
  if (!timeout)
    changed_.wait(lock, has_ended);
  else if (!changed_.wait_until(lock, after(std::chrono::steady_clock::now(), *timeout), has_ended))
    return false;
  if (thread_.joinable()) {
    std::thread thread = std::move(thread_);
    joining_ = true;
    lock.unlock();
    thread.join();
    lock.lock();
    joining_ = false;
    changed_.notify_all();
  }
  lock.unlock();
  PoolRegistry::remove(*this);
  return true;
}

// --- The managing thread.

void ProcessPool::manage() {
  ::pthread_setname_np(::pthread_self(), "brio processes");
  while (!over()) {
    wait_for_events();
    obey();
    dispatch();
    tell();
  }
}

// Nothing is left, and nothing will come. Under the same lock as submit, so no call slips between.
bool ProcessPool::over() {
  const std::lock_guard lock(mutex_);
  if (!(shutdown_ || broken_) || !jobs_.empty() || !workers_.empty()) return false;
  live_ = false;
  ended_.store(true, std::memory_order_release);
  changed_.notify_all();
  return true;
}

void ProcessPool::obey() {
  int signal = 0;
  {
    const std::lock_guard lock(mutex_);
    signal = std::exchange(signal_, 0);
  }
  if (signal == 0) return;
  killed_ = true;
  for (const auto& worker : workers_) send_signal(worker->process(), signal);
}

void ProcessPool::dispatch() {
  for (;;) {
    const auto idle = std::find_if(workers_.begin(), workers_.end(),
                                   [](const auto& worker) { return worker->idle(); });
    bool more = false;
    bool no_more = false;
    {
      const std::lock_guard lock(mutex_);
      const auto initializing = static_cast<std::size_t>(
          std::count_if(workers_.begin(), workers_.end(),
                        [](const auto& worker) { return worker->initializing(); }));
      more = jobs_.size() > (idle == workers_.end() ? initializing : 0);
      no_more = jobs_.empty() && (shutdown_ || broken_);
    }
    if (!more) {
      if (no_more)
        for (const auto& worker : workers_)
          if (worker->idle()) worker->close();
      return;
    }
    if (idle == workers_.end()) {
      if (!add_worker()) return;
    } else if (auto job = next_job()) {
      (*idle)->begin(next_id_++, std::move(*job));
      (*idle)->send();
    }
  }
}

// The next call that nobody has cancelled; it is running from here on.
std::optional<RemoteJob> ProcessPool::next_job() {
  for (;;) {
    RemoteJob job;
    {
      const std::lock_guard lock(mutex_);
      if (jobs_.empty()) return std::nullopt;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    try {
      if (job.future.set_running_or_notify_cancel()) return job;
    } catch (const RuntimeError&) {
      // Somebody has completed it by hand: there is nobody to work for.
    }
  }
}

bool ProcessPool::add_worker() {
  if (workers_.size() >= static_cast<std::size_t>(max_)) return false;
  std::exception_ptr error;
  try {
    auto worker =
        std::make_unique<Worker>(start_worker(method_, max_message_size_), max_message_size_);
    if (!initializer_.empty()) {
      RemoteJob job;
      job.bytes = initializer_;
      worker->begin(0, std::move(job));
      worker->send();
    }
    workers_.push_back(std::move(worker));
    return true;
  } catch (...) {
    error = std::current_exception();
  }
  // The workers there are will get round to it; without any, nobody would.
  if (workers_.empty()) fail_queue(error);
  return false;
}

void ProcessPool::wait_for_events() {
  std::vector<pollfd> watched{{.fd = wake_fd_.get(), .events = POLLIN, .revents = 0}};
  for (const auto& worker : workers_) {
    const short wanted = worker->wants_to_send() ? POLLIN | POLLOUT : POLLIN;
    watched.push_back({.fd = worker->channel_open() ? worker->process().channel.get() : -1,
                       .events = wanted,
                       .revents = 0});
    watched.push_back({.fd = worker->process().pidfd.get(), .events = POLLIN, .revents = 0});
  }
  if (::poll(watched.data(), watched.size(), -1) < 0) return;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(wake_fd_.get(), &count, sizeof count);
  std::vector<pid_t> dead;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = *workers_[i];
    const short events = watched[1 + 2 * i].revents;
    if (events != 0) look_at(worker, events);
    // Without a pidfd, the end of the channel is the end; the worker was killed if it was not.
    const bool ended =
        worker.process().pidfd ? watched[2 + 2 * i].revents != 0 : !worker.channel_open();
    if (ended) dead.push_back(worker.process().pid);
  }
  remove_dead(dead);
}

void ProcessPool::look_at(Worker& worker, short events) {
  if ((events & POLLOUT) != 0) worker.send();
  if ((events & (POLLIN | POLLHUP | POLLERR)) == 0) return;
  try {
    take_answers(worker);
  } catch (const concurrent::SerializationError& error) {
    protocol_error_ = std::string("; it had sent what is no answer: ") + error.what();
    worker.lose();
  }
  // A worker that has closed its channel, or writes nonsense into it, is of no use. One that is
  // ending goes its way.
  if (!worker.channel_open() && !worker.closing()) send_signal(worker.process(), SIGKILL);
}

void ProcessPool::take_answers(Worker& worker) {
  while (auto answer = worker.receive()) take_answer(worker, std::move(*answer));
}

void ProcessPool::take_answer(Worker& worker, WireFrame answer) {
  if (!worker.busy() || answer.id != worker.id() || answer.kind == WireKind::call ||
      worker.wants_to_send())
    serial::throw_malformed("nobody has asked for it");
  RemoteJob job = worker.finish();
  if (answer.id == 0) {
    if (answer.kind == WireKind::value) return;
    serial::Reader reader(answer.payload);
    const std::exception_ptr error = read_error(reader);
    const std::string text = type_name(error) + ": " + describe(error);
    log(LogLevel::critical, "brio.concurrent",
        "exception in the initializer of a pool's process: " + text);
    break_down("A process initializer failed, the process pool is not usable anymore (" + text +
               ")");
    worker.close();  // it ends by itself, too
    return;
  }
  if (max_calls_ && worker.calls() >= *max_calls_) worker.close();
  endings_.push_back({.job = std::move(job), .answer = std::move(answer)});
}

void ProcessPool::remove_dead(const std::vector<pid_t>& dead) {
  for (const pid_t pid : dead) {
    const auto at = std::find_if(workers_.begin(), workers_.end(), [pid](const auto& worker) {
      return worker->process().pid == pid;
    });
    const std::unique_ptr<Worker> worker = std::move(*at);
    workers_.erase(at);
    bury(*worker);
  }
}

// The worker has ended. What it had sent before counts.
void ProcessPool::bury(Worker& worker) {
  if (worker.channel_open()) look_at(worker, POLLIN);
  const WorkerEnd end = reap(worker.process());
  const std::string name = "worker process " + std::to_string(worker.process().pid);
  if (worker.closing()) {
    // Ctrl-C is for all of us, and the program has its own part of it.
    if (!end.clean && end.signal != SIGINT && !killed_ && !worker.busy())
      log(LogLevel::warning, "brio.concurrent", "a " + name + " " + end.text + " after its work");
    return;
  }
  const std::string how = name + " " + end.text + std::exchange(protocol_error_, {});
  break_down("A child process terminated abruptly, the process pool is not usable anymore (" + how +
             ")");
  if (!worker.busy() || worker.id() == 0) return;
  endings_.push_back({.job = worker.finish(),
                      .error = broken("A process in the process pool was terminated abruptly "
                                      "while the future was running (" +
                                      how + ")")});
}

void ProcessPool::break_down(const std::string& why) {
  {
    const std::lock_guard lock(mutex_);
    if (!broken_) broken_ = why;
  }
  fail_queue(broken(why));
}

void ProcessPool::fail_queue(const std::exception_ptr& error) {
  while (auto job = next_job()) endings_.push_back({.job = std::move(*job), .error = error});
}

// Completes futures: last of all, since callbacks of the user's run in here.
void ProcessPool::tell() {
  for (Ending& ending : std::exchange(endings_, {})) {
    std::exception_ptr error = std::move(ending.error);
    try {
      if (!error) {
        serial::Reader reader(ending.answer.payload);
        if (ending.answer.kind == WireKind::error)
          error = read_error(reader);
        else
          ending.job.deliver(ending.job.future, reader);
      }
    } catch (...) {
      error = std::current_exception();
    }
    if (!error) continue;
    try {
      ending.job.future.set_exception(std::move(error));
    } catch (const InvalidStateError&) {
      log(LogLevel::error, "brio.concurrent",
          "the outcome of a job was dropped: someone else has completed its future");
    }
  }
}

}  // namespace brio::detail
