#include <brio/brio.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;

TEST_CASE("a cancelled scope interrupts every suspension until it is left") {
  brio::testing::run_test([]() -> Coro<> {
    std::vector<std::string> trace;
    const bool finished = co_await brio::move_on_after(1s, [&]() -> Coro<> {
      for (int i = 0; i < 3; ++i) {
        try {
          co_await brio::sleep(1h);
        } catch (const brio::CancelledError&) {
          trace.emplace_back("interrupted");
        }
      }
      co_await brio::yield_now();
      trace.emplace_back("never");
    });
    CHECK(!finished);
    CHECK(trace == std::vector<std::string>(3, "interrupted"));
    CHECK(brio::current_task().cancelling() == 0);
    co_await brio::sleep(1s);  // outside, suspensions work again
  });
}

TEST_CASE("a body that ends in time gives its value") {
  brio::testing::run_test([]() -> Coro<> {
    const auto value = co_await brio::move_on_after(1s, []() -> Coro<int> {
      co_await brio::sleep(10ms);
      co_return 4;
    });
    REQUIRE(value);
    CHECK(*value == 4);
    const int other = co_await brio::fail_after(1s, []() -> Coro<int> { co_return 5; });
    CHECK(other == 5);
    const auto late = co_await brio::as_outcome(
        brio::fail_after(1s, []() -> Coro<> { co_await brio::sleep(2s); }));
    CHECK(late.error_as<brio::TimeoutError>());
  });
}

TEST_CASE("a suspension in a cancelled scope raises before it starts") {
  brio::testing::run_test([]() -> Coro<> {
    brio::Lock lock;
    brio::Queue<int> queue;
    queue.put_nowait(1);
    co_await brio::cancel_scope([&](brio::CancelScope& scope) -> Coro<> {
      scope.cancel();
      co_await lock.acquire();  // does not suspend: granted
      CHECK(lock.locked());
      const int item = co_await queue.get();
      CHECK(item == 1);
      const auto blocked = co_await brio::as_outcome(queue.get());
      CHECK(blocked.cancelled());
      const auto held = co_await brio::as_outcome(lock.acquire());
      CHECK(held.cancelled());
      lock.release();
      co_await lock.acquire();
      lock.release();
    });
    queue.put_nowait(2);
    CHECK(queue.qsize() == 1);
  });
}

TEST_CASE("what a cancelled scope refuses to wait for is cancelled, as if the wait had begun") {
  brio::testing::run_test([]() -> Coro<> {
    int cancelled = 0;
    const auto child = [&]() -> Coro<> {
      const auto slept = co_await brio::as_outcome(brio::sleep(1h));
      cancelled += slept.cancelled() ? 1 : 0;
      slept.raise();
    };
    brio::Task<void> outside = brio::create_task(child);
    brio::Task<void> shielded = brio::create_task(child);
    co_await brio::yield_now();
    co_await brio::cancel_scope([&](brio::CancelScope& scope) -> Coro<> {
      brio::Task<void> a = brio::create_task(child);
      brio::Task<void> b = brio::create_task(child);
      co_await brio::yield_now();  // both have begun
      scope.cancel();
      const auto gathered = co_await brio::as_outcome(brio::gather(a, b));
      CHECK(gathered.cancelled());
      const auto awaited = co_await brio::as_outcome(brio::AnyFuture(outside));
      CHECK(awaited.cancelled());
      const auto kept = co_await brio::as_outcome(brio::shield(shielded));
      CHECK(kept.cancelled());
    });
    for (int i = 0; i < 3; ++i) co_await brio::yield_now();
    CHECK(cancelled == 3);
    CHECK(outside.cancelled());
    CHECK(!shielded.done());
    shielded.cancel();
    (void)co_await brio::as_outcome(brio::AnyFuture(shielded));
  });
}

TEST_CASE("scopes nest: the outer one reaches through, a shield keeps it out") {
  brio::testing::run_test([]() -> Coro<> {
    std::vector<std::string> trace;
    const bool outer = co_await brio::move_on_after(1s, [&]() -> Coro<> {
      const bool inner = co_await brio::move_on_after(1h, [&]() -> Coro<> {
        const auto interrupted = co_await brio::as_outcome(brio::sleep(2h));
        trace.emplace_back(interrupted.cancelled() ? "inner interrupted" : "?");
        co_await brio::shielded([&]() -> Coro<> {
          co_await brio::sleep(5s);
          trace.emplace_back("shielded done");
        });
        co_await brio::yield_now();
      });
      trace.emplace_back(inner ? "inner finished" : "inner cut");
    });
    // The cancellation is the outer scope's: the inner one must not swallow it.
    CHECK(!outer);
    CHECK(trace == std::vector<std::string>{"inner interrupted", "shielded done"});
  });
}

TEST_CASE("a group inside a scope cancels its children and waits for them, without spinning") {
  int steps = 0;
  brio::testing::run_test([&]() -> Coro<> {
    brio::get_running_loop().set_step_hook([&] { ++steps; });
    std::vector<std::string> trace;
    const bool finished = co_await brio::move_on_after(1s, [&]() -> Coro<> {
      co_await brio::task_group([&](brio::TaskGroup& group) -> Coro<> {
        for (int i = 0; i < 3; ++i)
          group.create_task([&trace]() -> Coro<> {
            const auto o = co_await brio::as_outcome(brio::sleep(1h));
            co_await brio::shielded([]() -> Coro<> { co_await brio::sleep(10s); });
            trace.emplace_back("child ended");
            o.raise();
          });
        co_await brio::sleep(1h);
      });
    });
    CHECK(!finished);
    CHECK(trace == std::vector<std::string>(3, "child ended"));
    brio::get_running_loop().set_step_hook(nullptr);
  });
  CHECK(steps < 100);
}

TEST_CASE("Task::cancel inside a cancelled scope is not swallowed by it") {
  brio::testing::run_test([]() -> Coro<> {
    auto task = brio::create_task([]() -> Coro<> {
      co_await brio::cancel_scope([](brio::CancelScope& scope) -> Coro<> {
        brio::get_running_loop().call_later(1s, [&scope] { scope.cancel(); });
        co_await brio::sleep(1h);
      });
      FAIL("the request was lost");
    });
    co_await brio::sleep(500ms);
    task.cancel("edge");
    const auto outcome = co_await brio::as_outcome(task);
    CHECK(outcome.cancelled());
  });
}

TEST_CASE("deadline and shield can be moved while inside") {
  brio::testing::run_test([]() -> Coro<> {
    auto& loop = brio::get_running_loop();
    const auto begun = loop.time();
    brio::CancelScope* inside = nullptr;
    const bool finished = co_await brio::cancel_scope([&](brio::CancelScope& scope) -> Coro<> {
      inside = &scope;
      scope.set_deadline(loop.time() + 1s);
      scope.set_deadline(loop.time() + 3s);
      co_await brio::sleep(1h);
    });
    CHECK(!finished);
    CHECK(loop.time() - begun >= 3s);
    CHECK(loop.time() - begun < 4s);
    const bool passed = co_await brio::cancel_scope([&](brio::CancelScope& scope) -> Coro<> {
      scope.set_deadline(loop.time() - 1s);  // has passed: cancels at once
      CHECK(scope.cancel_called());
      co_await brio::yield_now();
    });
    CHECK(!passed);
  });
}

TEST_CASE("a scope cancelled before its block interrupts the first suspension") {
  brio::testing::run_test([]() -> Coro<> {
    brio::CancelScope scope;
    scope.cancel();
    scope.enter();
    const auto outcome = co_await brio::as_outcome(brio::yield_now());
    CHECK(outcome.cancelled());
    const auto left = scope.leave(outcome.error());
    CHECK(left == nullptr);
    CHECK(scope.cancelled_caught());
    CHECK_THROWS_AS(scope.enter(), brio::RuntimeError);
  });
}

TEST_CASE("start waits for started, throws what comes before it, and cancels with its caller") {
  brio::testing::run_test([]() -> Coro<> {
    std::vector<std::string> trace;
    const auto service = [&trace](brio::TaskStatus<int>& status, int port) -> Coro<> {
      co_await brio::sleep(1s);
      if (port == 0) throw brio::ValueError("no port");
      if (port == 1) co_return;
      status.started(port);
      const auto o = co_await brio::as_outcome(brio::sleep(1h));
      trace.emplace_back("service ended");
      o.raise();
    };
    co_await brio::task_group([&](brio::TaskGroup& group) -> Coro<> {
      const int port = co_await group.start<int>(service, 80);
      CHECK(port == 80);
      CHECK(group.size() == 1);
      const auto failed = co_await brio::as_outcome(group.start<int>(service, 0));
      CHECK(failed.error_as<brio::ValueError>());
      const auto silent = co_await brio::as_outcome(group.start<int>(service, 1));
      CHECK(silent.error_as<brio::RuntimeError>());
      const bool in_time = co_await brio::move_on_after(
          500ms, [&]() -> Coro<> { (void)co_await group.start<int>(service, 81); });
      CHECK(!in_time);
      CHECK(group.size() == 1);
      group.cancel();
    });
    CHECK(trace == std::vector<std::string>{"service ended"});
  });
}

TEST_CASE("an outer scope does not reach into a shield in a group's child") {
  for (const bool body_waits : {true, false}) {
    std::vector<std::string> trace;
    brio::testing::run_test([&]() -> Coro<> {
      co_await brio::move_on_after(1s, [&]() -> Coro<> {
        co_await brio::task_group([&](brio::TaskGroup& group) -> Coro<> {
          group.create_task([&]() -> Coro<> {
            co_await brio::shielded([&]() -> Coro<> {
              co_await brio::sleep(10s);
              trace.emplace_back("shielded part done");
            });
            const auto outcome = co_await brio::as_outcome(brio::sleep(1h));
            trace.emplace_back(outcome.cancelled() ? "then cancelled" : "not cancelled");
            outcome.raise();
          });
          if (body_waits) co_await brio::sleep(1h);
        });
      });
    });
    CHECK(trace == std::vector<std::string>{"shielded part done", "then cancelled"});
  }
}

TEST_CASE("Task::cancel after a scope's still reaches a group's children, shielded or not") {
  brio::testing::run_test([]() -> Coro<> {
    auto task = brio::create_task([]() -> Coro<> {
      co_await brio::move_on_after(1s, []() -> Coro<> {
        co_await brio::task_group([](brio::TaskGroup& group) -> Coro<> {
          group.create_task([]() -> Coro<> {
            co_await brio::shielded([]() -> Coro<> { co_await brio::sleep(1h); });
          });
          co_await brio::sleep(1h);
        });
      });
    });
    const auto began = brio::get_running_loop().time();
    co_await brio::sleep(2s);
    CHECK(!task.done());
    task.cancel();
    const auto outcome = co_await brio::as_outcome(task);
    CHECK(outcome.cancelled());
    CHECK(brio::get_running_loop().time() - began < 3s);
  });
}
