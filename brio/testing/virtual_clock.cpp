#include <brio/testing/virtual_clock.hpp>

#include <brio/core/policy.hpp>

#include <dirent.h>

#include <utility>

namespace brio::testing {

HangError::~HangError() = default;

namespace {

// Passes on what is ready, and remembers whether anything was.
class NotingSink final : public Engine::Sink {
public:
  explicit NotingSink(Engine::Sink& to) : to_(to) {}
  void descriptor_ready(int fd, Interest ready) override {
    any = true;
    to_.descriptor_ready(fd, ready);
  }
  bool any = false;

private:
  Engine::Sink& to_;
};

// Only this thread: then nobody can wake the loop.
bool alone() {
  DIR* tasks = opendir("/proc/self/task");
  if (!tasks) return false;
  int count = 0;
  while (const dirent* entry = readdir(tasks))
    if (entry->d_name[0] != '.') ++count;
  closedir(tasks);
  return count == 1;
}

// Work that another thread does for the loop keeps the loop's inbox.
bool threads_at_work() {
  const EventLoop* loop = running_loop_or_null();
  return loop && loop->inbox()->shared();
}

std::string with_tasks(std::string text) {
  if (EventLoop* loop = running_loop_or_null()) text += "\n" + describe_tasks(*loop);
  return text;
}

}  // namespace

VirtualClockEngine::VirtualClockEngine(VirtualClockOptions options, std::unique_ptr<Engine> inner)
    : options_(options),
      inner_(inner ? std::move(inner) : get_event_loop_policy()->new_engine()),
      time_(std::make_shared<VirtualTime>(VirtualTime{options.start})),
      limit_(options.time_limit ? brio::detail::after(options.start, *options.time_limit)
                                : TimePoint::max()) {}

VirtualClockEngine::~VirtualClockEngine() = default;

void VirtualClockEngine::wake() noexcept {
  woken_.store(true, std::memory_order_release);
  inner_->wake();
}

// Until something is ready, somebody has woken the loop, or the time is up.
bool VirtualClockEngine::wait_really(Duration at_most, Sink& sink) {
  const auto deadline = std::chrono::steady_clock::now() + at_most;
  NotingSink noting(sink);
  Duration rest = at_most;
  while (true) {
    inner_->poll(rest, noting);
    if (woken_.exchange(false, std::memory_order_acquire) || noting.any) return true;
    rest = deadline - std::chrono::steady_clock::now();
    if (rest <= Duration::zero()) return false;
  }
}

// A thread may let go of the inbox without a word, after its result or in place of it: look often.
bool VirtualClockEngine::wait_for_threads(Sink& sink) {
  const auto deadline = std::chrono::steady_clock::now() + options_.patience;
  while (threads_at_work()) {
    if (wait_really(std::chrono::milliseconds(1), sink)) return true;
    if (std::chrono::steady_clock::now() >= deadline) break;
  }
  return false;
}

void VirtualClockEngine::poll(Duration timeout, Sink& sink) {
  if (wait_really(Duration::zero(), sink) || timeout == Duration::zero()) return;
  if (idle_hook_ && idle_hook_()) return;
  if (timeout > Duration::zero()) {
    if (wait_for_threads(sink)) return;
    if (inner_->watching() && wait_really(options_.io_wait, sink)) return;
    jump(timeout);
    return;
  }
  if (alone() && !inner_->watching()) {
    // A thread may have had its last word since we looked, and be gone: alone() is asked first.
    if (wait_really(Duration::zero(), sink)) return;
    throw HangError(with_tasks("nothing is ready and there is no timer: the test would hang"));
  }
  if (!wait_really(options_.patience, sink))
    throw HangError(with_tasks(
        "nothing is ready and there is no timer, and neither a descriptor nor a thread has "
        "brought anything: the test would hang"));
}

void VirtualClockEngine::jump(Duration by) {
  // A clock that ticks plays a real one, whose engine rounds its waits up as well.
  if (options_.tick > Duration::zero()) by = rounded_wait(by);
  time_->now = brio::detail::after(time_->now, by);
  if (time_->now > limit_)
    throw HangError(with_tasks("the time limit of the test has passed: it would hang"));
}

void VirtualClockEngine::advance(Duration by) {
  if (by > Duration::zero()) time_->now = brio::detail::after(time_->now, by);
}

LoopPtr virtual_loop(VirtualClockOptions options, std::unique_ptr<Engine> inner) {
  return new_event_loop(std::make_unique<VirtualClockEngine>(options, std::move(inner)));
}

VirtualClockEngine& virtual_clock(EventLoop& loop) {
  auto* engine = dynamic_cast<VirtualClockEngine*>(&loop.engine());
  if (!engine) throw TypeError("this event loop has no virtual clock");
  return *engine;
}

std::string describe_tasks(EventLoop& loop) {
  std::string text;
  for (const AnyTask& task : all_tasks(&loop)) {
    text += "  task '" + task.get_name() + "'\n";
    for (const StackFrame& frame : task.get_stack())
      text += std::string("    ") + frame.file_name + ":" + std::to_string(frame.line) + " in " +
              frame.function_name + "\n";
  }
  return text.empty() ? "  no task is unfinished\n" : text;
}

}  // namespace brio::testing
