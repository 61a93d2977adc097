// Scopes that outlive their block: Timeout and TaskGroup objects of the caller's.
#include <brio/core/sleep.hpp>
#include <brio/core/taskgroup.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>

#include <stdexcept>

using namespace brio;
using namespace std::chrono_literals;

TEST_CASE("timeout: a scope of the caller's tells afterwards whether it expired") {
  testing::run_test([]() -> Coro<> {
    Timeout in_time(1s);
    const int value = co_await brio::timeout(in_time, []() -> Coro<int> { co_return 7; });
    CHECK(value == 7);
    CHECK(!in_time.expired());
    CHECK_THROWS_AS(in_time.reschedule(std::nullopt), RuntimeError);

    Timeout late(1s);
    const auto outcome =
        co_await as_outcome(brio::timeout(late, []() -> Coro<> { co_await brio::sleep(2s); }));
    CHECK(late.expired());
    const auto error = outcome.error_as<TimeoutError>();
    REQUIRE(error);
    CHECK_THROWS_AS(std::rethrow_exception(error->cause()), CancelledError);
    const auto again = co_await as_outcome(brio::timeout(late, []() -> Coro<> { co_return; }));
    CHECK(again.error_as<RuntimeError>());
  });
}

TEST_CASE("wait_for: the cause of its TimeoutError is the cancellation") {
  testing::run_test([]() -> Coro<> {
    for (const Duration delay : {Duration(0), Duration(1s)}) {
      const auto outcome = co_await as_outcome(wait_for(brio::sleep(2s), delay));
      const auto error = outcome.error_as<TimeoutError>();
      REQUIRE(error);
      CHECK_THROWS_AS(std::rethrow_exception(error->cause()), CancelledError);
    }
    CHECK(!TimeoutError().cause());
  });
}

TEST_CASE("task_group: a group of the caller's can be cancelled before its block") {
  testing::run_test([]() -> Coro<> {
    TaskGroup group;
    group.cancel();
    bool reached = false;
    co_await task_group(group, [&](TaskGroup&) -> Coro<> {
      co_await yield_now();
      reached = true;
    });
    CHECK(!reached);
    group.cancel();
    CHECK(group.size() == 0);
  });
}

TEST_CASE("AnyTask: the task behind a future") {
  testing::run_test([]() -> Coro<> {
    const Task<> task = create_task(brio::sleep(1s), {.name = "sleeper"});
    const AnyFuture forgotten = task;
    CHECK(AnyTask(forgotten).get_name() == "sleeper");
    CHECK_THROWS_AS(AnyTask(AnyFuture(create_future<>())), TypeError);
    co_await task;
  });
}
