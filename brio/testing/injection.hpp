// Cancellation injection: reruns a scenario with a cancellation at every point where one can come,
// and looks whether anything was lost.
//
//     brio::testing::for_each_cancellation(
//         [&]() -> brio::Coro<> { queue.emplace(); … },          // begins afresh each time
//         [&](const auto& run) { INFO(run.describe()); CHECK(queue->empty()); });
//
// A point is the moment before a handle or a task's step is run, or the moment when the loop goes
// idle. That is finer than "each suspension": a cancellation then also meets completions that are
// under way. The scenario must do the same each time; the clock is virtual.
#pragma once

#include <brio/core/cancel_scope.hpp>
#include <brio/core/outcome.hpp>
#include <brio/testing/virtual_clock.hpp>

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace brio::testing {

/// Who is cancelled.
enum class Victim : std::uint8_t {
  main,        ///< the scenario's own task
  every_task,  ///< each unfinished task in turn: one run per point and task
  scope,       ///< a CancelScope around the scenario: level-triggered
};

/// How for_each_cancellation goes about it.
struct InjectionOptions {
  /// Who is cancelled.
  Victim victim = Victim::main;
  /// The points to try, counted from 1; to look at a single one again.
  std::size_t first_point = 1;
  /// The last point to try.
  std::size_t last_point = std::numeric_limits<std::size_t>::max();
  /// Points after which the scenario counts as endless.
  std::size_t limit = 20'000;
  /// Tasks that the scenario has left unfinished are cancelled and must end; without this they are
  /// a failure.
  bool leftovers_allowed = false;
  /// Do not fail for what the loop's exception handler was told.
  bool reports_allowed = false;
  /// Debug mode of the loop.
  bool debug = true;
  /// How the virtual clock behaves.
  VirtualClockOptions clock = {.time_limit = std::chrono::hours(24 * 366)};
};

/// A run of the scenario left something behind, hung, or ended with an error that it does not end
/// with when nobody is cancelled. what() says at which point and whom the cancellation hit.
class BRIO_API InjectionFailure : public RuntimeError {
public:
  using RuntimeError::RuntimeError;
  InjectionFailure(const InjectionFailure&) = default;
  InjectionFailure& operator=(const InjectionFailure&) = default;
  ~InjectionFailure() override;
};

/// Counts the living objects of all classes that derive from it, so that a check can find out
/// whether a run has lost or duplicated one.
class BRIO_API Counted {
public:
  Counted() noexcept { ++count_; }
  Counted(const Counted&) noexcept { ++count_; }
  Counted& operator=(const Counted&) noexcept = default;
  ~Counted() { --count_; }
  /// How many there are. Of one thread.
  [[nodiscard]] static long alive() noexcept { return count_; }

private:
  static thread_local long count_;
};

namespace detail {

/// Where the cancellation struck.
struct InjectionPoint {
  std::size_t number = 0;     // 0: nobody was cancelled
  std::size_t victim = 0;     // its place among the unfinished tasks, for every_task
  bool hit = false;           // somebody was cancelled
  bool started = false;       // the scenario's body began
  std::size_t points = 0;     // how many the run had
  std::string description{};  // whom, and where it waited
};

[[nodiscard]] BRIO_API std::string describe_point(const InjectionPoint& point);

/// One run: makes a loop, has `start` make the scenario's task, and looks after it. `scope` gives
/// the scope around the scenario once it is entered, for Victim::scope.
BRIO_API void run_injected(const InjectionOptions& options, InjectionPoint& point,
                           const brio::detail::UniqueFunction<AnyTask(EventLoop&)>& start,
                           CancelScope* const& scope);

[[noreturn]] BRIO_API void throw_endless(const InjectionPoint& point);
/// Throws InjectionFailure unless `error` is null or a cancellation, or the run had none.
BRIO_API void check_outcome(const InjectionPoint& point, const std::exception_ptr& error);

template <class Scenario, class T>
Coro<void> injected_body(Scenario& scenario, std::optional<Outcome<T>>& outcome,
                         CancelScope*& scope, bool scoped) {
  if (!scoped) {
    outcome.emplace(co_await as_outcome(scenario()));
    co_return;
  }
  CancelScope around;
  around.enter();
  scope = &around;
  outcome.emplace(co_await as_outcome(scenario()));
  scope = nullptr;
  (void)around.leave(outcome->error());
}

}  // namespace detail

/// What became of one run.
template <class T>
class InjectedRun {
public:
  InjectedRun(const detail::InjectionPoint& point, Outcome<T> result)
      : outcome(std::move(result)), point_(point) {}

  /// What the scenario ended with: its value, CancelledError, or another error. CancelledError also
  /// if it was cancelled before its first step.
  Outcome<T> outcome;
  /// Was anybody cancelled? Not so in the first run and in the last.
  [[nodiscard]] bool hit() const noexcept { return point_.hit; }
  /// Did the scenario begin? Not so if it was cancelled before its first step: what a check looks
  /// at is then left from the run before.
  [[nodiscard]] bool started() const noexcept { return point_.started; }
  /// The number of the point, from 1; 0 for the run without a cancellation.
  [[nodiscard]] std::size_t point() const noexcept { return point_.number; }
  /// "cancelled task 'Task-3' at point 17, which waited at …"; for a test's INFO.
  [[nodiscard]] std::string describe() const { return detail::describe_point(point_); }

private:
  detail::InjectionPoint point_;
};

/// Runs `scenario()`, which returns a Coro, once without a cancellation and then once for each
/// point (and, with Victim::every_task, each task) with one there, until it ends before the point
/// is reached. Calls `check(const InjectedRun<T>&)` after each run, when the loop is closed. Gives
/// the number of runs.
///
/// After each run it asserts, with InjectionFailure, that: nothing hung; every task ended; no timer
/// is armed; no async generator is open; no descriptor was lost; the exception handler was told
/// nothing; and, with Victim::main or scope, that the scenario ended with its value or the
/// cancellation.
template <class Scenario, class Check>
std::size_t for_each_cancellation(Scenario scenario, Check check, InjectionOptions options = {}) {
  using T = typename brio::detail::CoroValue<std::invoke_result_t<Scenario&>>::type;
  detail::InjectionPoint point;
  std::size_t runs = 0;
  std::size_t next = options.first_point;
  std::size_t victim = 0;
  while (true) {
    point.victim = victim;
    std::optional<Outcome<T>> outcome;
    CancelScope* scope = nullptr;
    detail::run_injected(
        options, point,
        [&](EventLoop& loop) -> AnyTask {
          return loop.create_task(detail::injected_body<Scenario, T>(
              scenario, outcome, scope, options.victim == Victim::scope));
        },
        scope);
    point.started = outcome.has_value();
    if (!outcome) outcome.emplace(std::make_exception_ptr(CancelledError()));
    ++runs;
    if (options.victim != Victim::every_task) detail::check_outcome(point, outcome->error());
    const InjectedRun<T> run(point, std::move(*outcome));
    check(run);
    if (run.hit() && options.victim == Victim::every_task) {
      ++victim;
    } else if (point.number > 0) {
      if (point.points < point.number) return runs;
      victim = 0;
      ++next;
    }
    if (next > options.last_point) return runs;
    if (next > options.limit) detail::throw_endless(point);
    point = {.number = next};
  }
}
/// The same without a check of one's own.
template <class Scenario>
std::size_t for_each_cancellation(Scenario scenario, InjectionOptions options = {}) {
  return for_each_cancellation(std::move(scenario), [](const auto&) {}, options);
}

}  // namespace brio::testing
