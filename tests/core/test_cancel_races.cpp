// Cancellations that meet something else in the same iteration.
#include <brio/core/cancel_scope.hpp>
#include <brio/core/sleep.hpp>
#include <brio/testing/injection.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>

using namespace brio;
using namespace std::chrono_literals;

TEST_CASE("cancel: of a sleep whose deadline passes before the task's turn") {
  bool cancelled = false;
  testing::run_test([&]() -> Coro<> {
    const Task<> sleeper = create_task([]() -> Coro<> { co_await brio::sleep(1s); });
    co_await yield_now();
    sleeper.cancel();
    testing::virtual_clock().advance(2s);
    // The timer must not be collected any more: the task, which runs first, takes it along.
    co_await yield_now();
    co_await yield_now();
    cancelled = sleeper.cancelled();
  });
  CHECK(cancelled);
}

TEST_CASE("cancel: a wait that a cancelled scope refuses leaves no trace in the task") {
  testing::for_each_cancellation(
      []() -> Coro<> {
        // The inner coroutine's frame is gone when the task ends.
        const auto inner = []() -> Coro<> {
          (void)co_await as_outcome(brio::sleep(1s));
          co_await brio::sleep(1s);
        };
        (void)co_await as_outcome(inner());
      },
      {.victim = testing::Victim::scope});
}

TEST_CASE("cancel: tasks that await each other in a circle are an error, not a stack overflow") {
  std::string message;
  int requests = 0;
  // The clean-up after main meets the circle too.
  CHECK_THROWS_AS(testing::run_test([&]() -> Coro<> {
                    Task<> second;
                    const Task<> first = create_task([&second]() -> Coro<> { co_await second; });
                    second = create_task([&first]() -> Coro<> { co_await first; });
                    co_await yield_now();
                    co_await yield_now();
                    try {
                      first.cancel();
                    } catch (const RuntimeError& error) {
                      message = error.what();
                    }
                    requests = first.cancelling();
                  }),
                  RuntimeError);
  CHECK(message.starts_with("tasks await each other in a circle: <Task cancelling name='Task-"));
  CHECK(requests == 2);
}
