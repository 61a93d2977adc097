#include <brio/testing/injection.hpp>

#include <brio/core/gather.hpp>
#include <brio/testing/run_test.hpp>

#include <dirent.h>

#include <vector>

namespace brio::testing {

InjectionFailure::~InjectionFailure() = default;

thread_local long Counted::count_ = 0;

namespace detail {

namespace {

// Turns of the loop after the scenario's end in which callbacks may still be on their way.
constexpr int settling_turns = 1000;

std::size_t open_descriptors() {
  std::size_t count = 0;
  if (DIR* directory = opendir("/proc/self/fd")) {
    while (const dirent* entry = readdir(directory))
      if (entry->d_name[0] != '.') ++count;
    closedir(directory);
  }
  return count;
}

[[noreturn]] void fail(const InjectionPoint& point, const std::string& what) {
  throw InjectionFailure(describe_point(point) + ": " + what);
}

// What one run needs while its loop runs.
class Injector {
public:
  Injector(const InjectionOptions& options, InjectionPoint& point, CancelScope* const& scope)
      : options_(options), point_(point), scope_(scope) {}

  /// One more point. True if somebody was cancelled at it.
  bool next() {
    if (over_ || main.done() || ++point_.points != point_.number) return false;
    EventLoop& loop = get_running_loop();
    switch (options_.victim) {
      case Victim::main: return strike(main);
      case Victim::every_task: {
        const std::vector<AnyTask> tasks = all_tasks(&loop);
        return point_.victim < tasks.size() && strike(tasks[point_.victim]);
      }
      case Victim::scope:
        if (!scope_) return false;
        describe_victim(main, "the scope");
        scope_->cancel();
        return true;
    }
    return false;
  }
  void end() noexcept { over_ = true; }

  AnyTask main;

private:
  bool strike(const AnyTask& task) {
    if (!task || task.done()) return false;
    describe_victim(task, "task '" + task.get_name() + "'");
    task.cancel();
    return true;
  }
  void describe_victim(const AnyTask& task, const std::string& whom) {
    point_.hit = true;
    point_.description = "cancelled " + whom;
    const std::vector<StackFrame> stack = task.get_stack();
    if (stack.empty())
      point_.description += ", which had not begun";
    else
      point_.description += std::string(", which waited at ") + stack.back().file_name + ":" +
                            std::to_string(stack.back().line);
  }

  const InjectionOptions& options_;
  InjectionPoint& point_;
  CancelScope* const& scope_;
  bool over_ = false;
};

// Lets callbacks that are queued run, without moving the clock.
void settle(EventLoop& loop) {
  for (int i = 0; i < settling_turns && !loop.ready_.empty(); ++i) loop.run_once();
}

void end_leftovers(EventLoop& loop, const InjectionPoint& point, bool allowed) {
  const std::vector<AnyTask> left = all_tasks(&loop);
  if (left.empty()) return;
  if (!allowed) fail(point, "tasks are left unfinished:\n" + describe_tasks(loop));
  for (const AnyTask& task : left) task.cancel();
  for (const AnyTask& task : left)
    if (!task.done()) loop.run_until_complete(gather(return_exceptions, task));
}

}  // namespace

std::string describe_point(const InjectionPoint& point) {
  if (!point.hit) return "nobody was cancelled";
  return point.description + ", at point " + std::to_string(point.number);
}

void throw_endless(const InjectionPoint& point) {
  fail(point, "the scenario has more points than InjectionOptions::limit");
}

void check_outcome(const InjectionPoint& point, const std::exception_ptr& error) {
  if (!error || brio::detail::classify(error) == brio::detail::ErrorKind::cancelled) return;
  fail(point, "the scenario ended with " + type_name(error) + ": " + describe(error));
}

void run_injected(const InjectionOptions& options, InjectionPoint& point,
                  const brio::detail::UniqueFunction<AnyTask(EventLoop&)>& start,
                  CancelScope* const& scope) {
  const std::size_t descriptors = open_descriptors();
  std::vector<std::string> reports;
  {
    Injector injector(options, point, scope);
    const LoopPtr loop = virtual_loop(options.clock);
    loop->set_debug(options.debug);
    loop->set_exception_handler([&reports](EventLoop&, const ExceptionContext& context) {
      reports.push_back(describe_report(context));
    });
    VirtualClockEngine& clock = virtual_clock(*loop);
    try {
      injector.main = start(*loop);
      loop->set_step_hook([&] { injector.next(); });
      clock.set_idle_hook([&] { return injector.next(); });
      injector.main.add_done_callback([&injector](const AnyFuture&) { injector.end(); });
      loop->run_until_complete(gather(return_exceptions, injector.main));
      loop->set_step_hook(nullptr);
      clock.set_idle_hook(nullptr);
      settle(*loop);
      end_leftovers(*loop, point, options.leftovers_allowed);
      settle(*loop);
      if (loop->first_generator_) fail(point, "an async generator is left open");
      if (!loop->timers_.empty())
        fail(point, std::to_string(loop->timers_.size()) + " timer(s) left armed");
      loop->run_until_complete(loop->shutdown_default_executor());
    } catch (const HangError& error) {
      loop->set_step_hook(nullptr);
      clock.set_idle_hook(nullptr);
      fail(point, error.what());
    }
  }
  if (!options.reports_allowed && !reports.empty())
    fail(point, "the exception handler was told: " + reports.front());
  if (const std::size_t now = open_descriptors(); now != descriptors)
    fail(point,
         std::to_string(descriptors) + " descriptors were open before, now " + std::to_string(now));
}

}  // namespace detail
}  // namespace brio::testing
