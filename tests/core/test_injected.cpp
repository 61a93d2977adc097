// What combines tasks, with a cancellation at every point where one can come: of the scenario, of
// each task by itself, and by a cancel scope around it all. That nothing hangs and that no task,
// timer or generator is left for_each_cancellation asserts; here it is that what was begun ends,
// and that clean-up is done, once.
#include <brio/core/async_generator.hpp>
#include <brio/core/cancel_scope.hpp>
#include <brio/core/gather.hpp>
#include <brio/core/scoped.hpp>
#include <brio/core/shield.hpp>
#include <brio/core/sleep.hpp>
#include <brio/core/taskgroup.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/core/wait.hpp>
#include <brio/testing/injection.hpp>

#include <doctest/doctest.h>

#include <optional>
#include <string>
#include <vector>

using namespace brio;
using namespace std::chrono_literals;
using brio::testing::Counted;
using brio::testing::Victim;

namespace {

/// How often things began and ended.
struct Score {
  int begun = 0;
  int ended = 0;
};

/// Counts a block in and out; and lives, for Counted.
struct Inside : Counted {
  Score& score;
  explicit Inside(Score& s) : score(s) { ++score.begun; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  ~Inside() { ++score.ended; }
};

Coro<int> job(Score& score, Duration delay, int value = 1) {
  const Inside inside(score);
  co_await yield_now();
  co_await brio::sleep(delay);
  co_return value;
}

template <class Scenario, class Check>
void at_every_point(Scenario scenario, Check check, bool leftovers_allowed = false) {
  for (const Victim victim : {Victim::main, Victim::every_task, Victim::scope}) {
    CAPTURE(static_cast<int>(victim));
    const std::size_t runs =
        testing::for_each_cancellation(scenario,
                                       [&](const auto& run) {
                                         INFO(run.describe());
                                         CHECK(Counted::alive() == 0);
                                         if (run.started()) check(run);
                                       },
                                       {.victim = victim, .leftovers_allowed = leftovers_allowed});
    CHECK(runs > 5);
  }
}

}  // namespace

TEST_CASE("injected: nested task groups wait for all their children") {
  Score score;
  at_every_point(
      [&]() -> Coro<int> {
        score = {};
        co_return co_await task_group([&](TaskGroup& outer) -> Coro<int> {
          outer.create_task(job(score, 3s));
          const int sum = co_await task_group([&](TaskGroup& inner) -> Coro<int> {
            const auto a = inner.create_task(job(score, 1s));
            inner.create_task(job(score, 2s));
            co_return co_await a;
          });
          outer.create_task(job(score, 1s));
          co_return sum;
        });
      },
      [&](const auto& run) {
        CHECK(score.begun == score.ended);
        if (!run.hit()) CHECK(score.begun == 4);
      });
}

TEST_CASE("injected: a failing child takes its siblings along, and the group reports it") {
  Score score;
  at_every_point(
      [&]() -> Coro<std::string> {
        score = {};
        auto outcome = co_await as_outcome(task_group([&](TaskGroup& group) -> Coro<> {
          group.create_task(job(score, 3s));
          group.create_task([]() -> Coro<> {
            co_await brio::sleep(1s);
            throw ValueError("child");
          });
          co_await brio::sleep(2s);
        }));
        if (outcome.template error_as<ExceptionGroup>()) co_return "group";
        outcome.raise();
        co_return "value";
      },
      [&](const auto& run) {
        CHECK(score.begun == score.ended);
        // It can only end well if the child was cancelled before it failed.
        if (!run.hit()) CHECK(run.outcome.value() == "group");
      });
}

TEST_CASE("injected: a group that cancels itself") {
  Score score;
  Score after;
  at_every_point(
      [&]() -> Coro<> {
        score = {};
        after = {};
        co_await task_group([&](TaskGroup& group) -> Coro<> {
          group.create_task(job(score, 3s));
          group.create_task(
              [](TaskGroup& mine) -> Coro<> {
                co_await brio::sleep(1s);
                mine.cancel();
              },
              std::ref(group));
          co_await job(score, 2s);
        });
        if (current_task().cancelling() > 0) throw RuntimeError("a request is left over");
        co_await job(after, 1s);
      },
      [&](const auto& run) {
        CHECK(score.begun == score.ended);
        CHECK(after.begun == after.ended);
        if (!run.hit()) CHECK(after.begun == 1);
      });
}

TEST_CASE("injected: gather") {
  Score score;
  at_every_point(
      [&]() -> Coro<> {
        score = {};
        co_await gather(job(score, 1s), gather(job(score, 2s), job(score, 1s)));
        co_await gather(return_exceptions, job(score, 1s), job(score, 2s));
      },
      [&](const auto& run) {
        CHECK(score.begun == score.ended);
        if (!run.hit()) CHECK(score.begun == 5);
      },
      true);  // a gather ends before its other children do
}

TEST_CASE("injected: wait, wait_for, timeout, shield") {
  Score score;
  at_every_point(
      [&]() -> Coro<> {
        score = {};
        const std::vector tasks{create_task(job(score, 1s)), create_task(job(score, 3s))};
        co_await wait(tasks, {.timeout = 2s});
        co_await wait(tasks, {.return_when = FIRST_COMPLETED});
        (void)co_await as_outcome(wait_for(job(score, 5s), 1s));
        co_await yield_now();  // a scope's cancellation that the line above swallowed goes on
        co_await wait_for(job(score, 1s), 5s);
        co_await brio::timeout(10s, [&]() -> Coro<> { co_await shield(job(score, 2s)); });
        co_await wait(tasks);
      },
      [&](const auto&) { CHECK(score.begun == score.ended); }, true);
}

TEST_CASE("injected: what is shielded ends by itself, and its value is kept") {
  Score score;
  std::optional<Task<int>> inner;
  at_every_point(
      [&]() -> Coro<> {
        score = {};
        inner = create_task(job(score, 2s, 7));
        const auto outcome = co_await as_outcome(shield(*inner));
        if (!outcome.has_value())
          co_await shielded([&]() -> Coro<> { co_await wait(std::vector{*inner}); });
        outcome.raise();
      },
      [&](const auto& run) {
        CHECK(score.begun == score.ended);
        // With every task as the victim it may be the inner one itself.
        if (!inner->cancelled()) CHECK(inner->result() == 7);
        if (run.outcome.has_value()) CHECK(!inner->cancelled());
      });
}

TEST_CASE("injected: a task that waits in any combination cannot be cancelled without a trace") {
  // Whenever the request comes, also together with a time-out or with the result, the task ends
  // cancelled, and time-outs take back no more than they asked for.
  Score score;
  int left_over = 0;
  const std::size_t runs = testing::for_each_cancellation(
      [&]() -> Coro<> {
        score = {};
        left_over = 0;
        const auto late = co_await as_outcome(brio::timeout(2s, [&]() -> Coro<> {
          (void)co_await wait_for(job(score, 1s), 1s);
          co_await brio::timeout(1s, [&]() -> Coro<> { co_await job(score, 9s); });
        }));
        if (!late.error_as<TimeoutError>()) late.raise();
        const auto equal = co_await as_outcome(wait_for(job(score, 1s), 1s));
        if (!equal.error_as<TimeoutError>()) equal.raise();
        co_await gather(job(score, 1s), wait_for(job(score, 1s), 2s));
        co_await task_group([&](TaskGroup& group) -> Coro<> {
          group.create_task(job(score, 1s));
          co_await brio::sleep(1s);
        });
        left_over = current_task().cancelling();
      },
      [&](const auto& run) {
        INFO(run.describe());
        CHECK(left_over == 0);
        CHECK(score.begun == score.ended);
        CHECK(run.outcome.cancelled() == run.hit());
      },
      {.leftovers_allowed = true});
  CHECK(runs > 20);
}

TEST_CASE("injected: try_finally cleans up once, and the clean-up may await") {
  Score body;
  Score cleanup;
  at_every_point(
      [&]() -> Coro<> {
        body = {};
        cleanup = {};
        co_await try_finally([&]() -> Coro<> { co_await job(body, 1s); },
                             [&]() -> Coro<> { co_await job(cleanup, 1s); });
      },
      [&](const auto&) {
        CHECK(body.begun == body.ended);
        CHECK(body.begun == cleanup.begun);
        CHECK(cleanup.begun == cleanup.ended);
      });
}

namespace {
AsyncGenerator<int> numbers(Score& score) {
  const Inside inside(score);
  for (int i = 0; i < 3; ++i) {
    co_await brio::sleep(1s);
    co_yield i;
  }
}
}  // namespace

TEST_CASE("injected: async generators, run to the end, left early and closed") {
  Score score;
  at_every_point(
      [&]() -> Coro<> {
        score = {};
        auto whole = numbers(score);
        while (const auto i = co_await whole.next()) co_await yield_now();
        {
          auto left = numbers(score);
          co_await left.next();
        }
        auto closed = numbers(score);
        co_await closed.next();
        co_await closed.aclose();
        co_await brio::sleep(1s);
      },
      [&](const auto& run) {
        CHECK(score.begun == score.ended);
        if (!run.hit()) CHECK(score.begun == 3);
      },
      true);  // the loop closes what was left in a task of its own
}

TEST_CASE("injected: scopes inside scopes, shielded and with deadlines") {
  Score score;
  Score protected_part;
  at_every_point(
      [&]() -> Coro<> {
        score = {};
        protected_part = {};
        const bool in_time = co_await move_on_after(2s, [&]() -> Coro<> {
          co_await job(score, 1s);
          co_await job(score, 5s);
        });
        if (in_time) throw RuntimeError("the deadline did not strike");
        co_await shielded([&]() -> Coro<> { co_await job(protected_part, 1s); });
        co_await yield_now();
      },
      [&](const auto&) {
        CHECK(score.begun == score.ended);
        CHECK(protected_part.begun == protected_part.ended);
      });
}

TEST_CASE("injected: TaskGroup::start hands over or takes along") {
  Score score;
  bool got_ready = false;
  int taken_along = 0;
  at_every_point(
      [&]() -> Coro<> {
        score = {};
        got_ready = false;
        co_await task_group([&](TaskGroup& group) -> Coro<> {
          const auto port = co_await as_outcome(
              group.start<int>([&score, &got_ready](TaskStatus<int>& status) -> Coro<> {
                const Inside inside(score);
                co_await brio::sleep(1s);
                got_ready = true;
                status.started(7);
                co_await brio::sleep(1s);
              }));
          // The child that was not ready yet has been cancelled, not waited for.
          if (current_task().cancelling() > 0 && score.begun == 1 && !got_ready) ++taken_along;
          if (port.value() != 7) throw RuntimeError("started() gave another value");
          co_await brio::sleep(3s);
        });
      },
      [&](const auto&) { CHECK(score.begun == score.ended); });
  CHECK(taken_along > 0);
}
