#include <brio/os/supervisor.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/logging.hpp>
#include <brio/os/worker_child.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <poll.h>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace brio::detail {

namespace {

TimePoint now() { return std::chrono::steady_clock::now(); }

std::optional<TimePoint> after_now(const std::optional<Duration>& delay) {
  if (!delay) return std::nullopt;
  return after(now(), *delay);
}

void complain(LogLevel level, const std::string& text) { log(level, "brio.os", text); }

std::string end_of(int returncode) {
  if (returncode >= 0) return " ended with exit code " + std::to_string(returncode);
  const char* const description = sigdescr_np(-returncode);
  return " was killed by signal " + std::to_string(-returncode) +
         (description ? std::string(" (") + description + ")" : "");
}

// While it lives, the signals that a worker handles wait, also those that we did not take: a new
// worker must not die of one that comes before it has its handlers.
class SignalsHeld {
public:
  SignalsHeld() noexcept {
    sigset_t set;
    sigemptyset(&set);
    for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, number);
    pthread_sigmask(SIG_BLOCK, &set, &before_);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  ~SignalsHeld() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
  sigset_t before_;
};

}  // namespace

std::string WorkerProcess::name() const {
  return worker_name(index) + " (pid " + std::to_string(child->pid()) + ")";
}

void WorkerProcess::say(char word) const noexcept {
  if (channel) (void)::send(channel.fileno(), &word, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

Supervisor::Supervisor(std::size_t count, WorkerFactory& factory,
                       const WorkerProcessOptions& options)
    : factory_(factory),
      options_(options),
      signals_(options.handle_signals),
      places_(count, Place{.delay = options.restart_delay}) {}

void Supervisor::run() {
  std::exception_ptr error;
  try {
    for (std::size_t i = 0; i < places_.size(); ++i) places_[i].current = &start(i);
  } catch (...) {
    error = std::current_exception();
    stop();
  }
  while (!done()) turn();
  // Once told to stop, we have heeded every later signal too.
  while (stopping_ && signals_.next()) {
  }
  signals_.give_back();
  if (error) std::rethrow_exception(error);
}

// ---- processes

WorkerProcess& Supervisor::start(std::size_t index) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
    throw_oserror(errno, "socketpair for a worker");
  os::Descriptor ours = os::Descriptor::adopt(ends[0]);
  const os::Descriptor theirs = os::Descriptor::adopt(ends[1]);
  // Everything that may fail is done before there is a process.
  processes_.push_back(std::make_unique<WorkerProcess>(index, std::move(ours), now()));
  WorkerProcess& process = *processes_.back();
  std::fflush(nullptr);  // or the child would write it as well
  const SignalsHeld held;
  const pid_t self = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) be_worker(index, theirs, self);
  if (pid < 0) {
    const int error = errno;
    processes_.pop_back();
    throw_oserror(error, "fork");
  }
  process.child.emplace(pid);
  return process;
}

void Supervisor::be_worker(std::size_t index, const os::Descriptor& channel, pid_t supervisor) {
  // A worker sees by the end of its channel that we are gone: only we may hold our ends of them.
  for (const auto& other : processes_) {
    other->channel.close();
    if (other->child) other->child->forget();
  }
  signals_.forget();
  run_worker_child({.index = static_cast<int>(index),
                    .count = static_cast<int>(places_.size()),
                    .channel = channel.fileno(),
                    .supervisor = supervisor,
                    .signal_mask = signals_.mask_before(),
                    .factory = factory_,
                    .options = options_});
}

void Supervisor::start_or_retry(std::size_t index) {
  Place& place = places_[index];
  place.restart_at.reset();
  try {
    place.current = &start(index);
  } catch (const std::exception& error) {
    complain(LogLevel::error, "cannot start " + worker_name(index) + " yet: " + error.what());
    restart_later(place, now());
  }
}

void Supervisor::replace(std::size_t index) {
  Place& place = places_[index];
  if (stopping_ || !place.current) return;  // it has done its work, or starts anew anyway
  place.replace_again = place.next != nullptr;
  if (place.next) return;
  try {
    place.next = &start(index);
    place.next->deadline = after_now(options_.ready_timeout);
  } catch (const std::exception& error) {
    complain(LogLevel::error, "cannot replace " + place.current->name() + ": " + error.what());
  }
}

void Supervisor::tell_to_stop(WorkerProcess& process) {
  if (process.told >= WorkerProcess::Told::to_stop) return;
  process.told = WorkerProcess::Told::to_stop;
  process.say(worker_is_to_stop);
  process.deadline = after_now(options_.graceful_timeout);
}

void Supervisor::cancel(WorkerProcess& process) {
  if (process.told >= WorkerProcess::Told::cancelled) return;
  process.told = WorkerProcess::Told::cancelled;
  process.say(worker_is_cancelled);
  process.deadline = after_now(options_.cancel_timeout);
}

// ---- all of them

void Supervisor::stop() {
  if (std::exchange(stopping_, true)) return;
  for (Place& place : places_) place.restart_at.reset();
  for (const auto& process : processes_) tell_to_stop(*process);
}

void Supervisor::cancel_all() {
  stop();
  for (const auto& process : processes_) cancel(*process);
}

void Supervisor::reload() {
  for (std::size_t i = 0; i < places_.size(); ++i) replace(i);
}

void Supervisor::more() {
  if (stopping_) return;
  places_.push_back({.delay = options_.restart_delay});
  start_or_retry(places_.size() - 1);
}

void Supervisor::fewer() {
  if (stopping_ || places_.size() <= 1) return;
  const Place last = places_.back();
  places_.pop_back();
  for (WorkerProcess* const process : {last.current, last.next})
    if (process) tell_to_stop(*process);
}

// ---- what happens

bool Supervisor::done() const {
  return processes_.empty() && std::none_of(places_.begin(), places_.end(), [](const Place& place) {
           return place.restart_at.has_value();
         });
}

void Supervisor::wait() {
  std::vector<pollfd> watched{{signals_.fileno(), POLLIN, 0}};
  std::optional<TimePoint> wake;
  const auto not_after = [&wake](const std::optional<TimePoint>& when) {
    if (when && (!wake || *when < *wake)) wake = when;
  };
  for (const auto& process : processes_) {
    watched.push_back({process->channel.fileno(), POLLIN, 0});
    watched.push_back({process->child->pidfd(), POLLIN, 0});
    not_after(process->deadline);
    // Without a pidfd nothing tells of its end.
    if (process->child->pidfd() < 0) not_after(now() + std::chrono::milliseconds(50));
  }
  for (const Place& place : places_) not_after(place.restart_at);

  timespec timeout{};
  if (wake) {
    const Duration left = std::max(Duration::zero(), Duration(*wake - now()));
    const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
    timeout.tv_sec = static_cast<time_t>(seconds.count());
    timeout.tv_nsec = static_cast<long>((left - seconds).count());
  }
  if (::ppoll(watched.data(), watched.size(), wake ? &timeout : nullptr, nullptr) < 0 &&
      errno != EINTR)
    throw_oserror(errno, "poll for workers");
}

// Few processes and rare events: all are asked each time, and nobody keeps a table of who was
// ready.
void Supervisor::turn() {
  wait();
  for (std::size_t i = 0; i < processes_.size();) {
    WorkerProcess& process = *processes_[i];
    const std::optional<int> returncode = process.child->poll();
    hear(process);  // after that: its last words too
    if (!returncode) {
      ++i;
      continue;
    }
    const std::unique_ptr<WorkerProcess> gone = std::move(processes_[i]);
    processes_.erase(processes_.begin() + static_cast<std::ptrdiff_t>(i));
    ended(*gone, *returncode);
  }
  while (const std::optional<int> number = signals_.next()) signal_came(*number);
  look_at_the_clock();
}

void Supervisor::hear(WorkerProcess& process) {
  if (!process.channel) return;
  char words[16];
  ssize_t count = 0;
  while ((count = ::recv(process.channel.fileno(), words, sizeof words, 0)) > 0) {
    for (const char word : std::string_view(words, static_cast<std::size_t>(count))) {
      if (word == worker_says_ready) is_ready(process);
      if (word == worker_says_terminated) is_terminated(process);
      if (word == worker_says_stop_all) stop();
    }
  }
  if (count == 0 || (errno != EAGAIN && errno != EINTR)) process.channel.close();  // it is ending
}

void Supervisor::is_ready(WorkerProcess& process) {
  Place* const place = place_of(process);
  if (!place || place->next != &process || process.told != WorkerProcess::Told::nothing) return;
  WorkerProcess& old = *place->current;
  place->current = std::exchange(place->next, nullptr);
  process.deadline.reset();
  tell_to_stop(old);
  if (place->replace_again) replace(process.index);
}

void Supervisor::is_terminated(WorkerProcess& process) {
  process.terminated = true;
  tell_to_stop(process);
}

void Supervisor::ended(WorkerProcess& process, int returncode) {
  if (returncode != 0 && process.told != WorkerProcess::Told::killed)
    complain(LogLevel::error, process.name() + end_of(returncode));
  Place* const place = place_of(process);
  if (!place) return;  // another has its place
  const bool was_next = place->next == &process;
  if (!was_next) place->current = place->next;
  place->next = nullptr;
  if (stopping_) return;
  if (was_next) {
    complain(LogLevel::error, process.name() + " was to replace one that goes on in its place");
  } else if (place->current) {  // ready or not, there is no other
    if (place->current->told == WorkerProcess::Told::nothing) place->current->deadline.reset();
  } else if (returncode != 0 || process.terminated) {
    restart_later(*place, process.started);
  }
  if (place->replace_again) replace(process.index);
}

void Supervisor::signal_came(int number) {
  switch (number) {
    case SIGHUP: reload(); return;
    case SIGTTIN: more(); return;
    case SIGTTOU: fewer(); return;
    default: break;
  }
  if (++stop_signals_ == 1) {
    stop();
  } else {
    cancel_all();
    signals_.give_back();  // a third kills us, and the workers see that
  }
}

void Supervisor::look_at_the_clock() {
  const TimePoint time = now();
  for (std::size_t i = 0; i < processes_.size(); ++i)  // by index: more may come
    if (processes_[i]->deadline && *processes_[i]->deadline <= time) too_late(*processes_[i]);
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (places_[i].restart_at && *places_[i].restart_at <= time) start_or_retry(i);
}

void Supervisor::too_late(WorkerProcess& process) {
  process.deadline.reset();
  switch (process.told) {
    case WorkerProcess::Told::nothing: {
      complain(LogLevel::error, process.name() +
                                    " was not ready in time; what it was to replace "
                                    "goes on in its place");
      tell_to_stop(process);
      Place& place = places_[process.index];  // only a replacement has this deadline
      place.next = nullptr;
      if (place.replace_again) replace(process.index);
      break;
    }
    case WorkerProcess::Told::to_stop:
      complain(LogLevel::warning, process.name() + " did not end in time: cancelled");
      cancel(process);
      break;
    case WorkerProcess::Told::cancelled:
      complain(LogLevel::error,
               process.name() + " hangs: it was cancelled and has not ended; killed");
      process.told = WorkerProcess::Told::killed;
      process.child->send_signal(SIGKILL);
      break;
    case WorkerProcess::Told::killed: break;
  }
}

Supervisor::Place* Supervisor::place_of(const WorkerProcess& process) {
  if (process.index >= places_.size()) return nullptr;
  Place& place = places_[process.index];
  return place.current == &process || place.next == &process ? &place : nullptr;
}

// What dies at once is started again and again, but ever more seldom. One that has lived for
// max_restart_delay was well.
void Supervisor::restart_later(Place& place, TimePoint counted_from) {
  const TimePoint time = now();
  if (time >= after(counted_from, options_.max_restart_delay)) place.delay = options_.restart_delay;
  place.restart_at = std::max(time, after(counted_from, place.delay));
  const Duration most = std::max(options_.restart_delay, options_.max_restart_delay);
  place.delay = place.delay > most / 2 ? most : 2 * place.delay;
}

}  // namespace brio::detail
