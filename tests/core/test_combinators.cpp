#include <brio/brio.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;

namespace {
Coro<int> after(std::chrono::milliseconds delay, int value) {
  co_await brio::sleep(delay);
  co_return value;
}
Coro<> fail_after_ms(int ms, const char* what) {
  co_await brio::sleep(std::chrono::milliseconds(ms));
  throw brio::ValueError(what);
}
Coro<std::unique_ptr<int>> boxed(int n) {
  co_await brio::yield_now();
  co_return std::make_unique<int>(n);
}
}  // namespace

TEST_CASE("gather: types mix, void is monostate, move-only values are moved out") {
  brio::testing::run_test([]() -> Coro<> {
    auto task = brio::create_task(after(1ms, 3));
    auto [a, none, box, b] =
        co_await brio::gather(after(2ms, 1), [](int) -> Coro<> { co_return; }(0), boxed(2), task);
    CHECK(a == 1);
    CHECK(none == std::monostate());
    CHECK(*box == 2);
    CHECK(b == 3);
    CHECK(task.result() == 3);  // somebody else's handle keeps its value
    auto [twice, again] = co_await brio::gather(task, task);
    CHECK(twice + again == 6);
    co_await brio::gather(brio::sleep(1ms), brio::yield_now());  // any awaitable
  });
}

TEST_CASE("gather of ranges, empty ones included") {
  brio::testing::run_test([]() -> Coro<> {
    std::vector<Coro<int>> coros;
    for (int i = 0; i < 100; ++i) coros.push_back(after(std::chrono::milliseconds(100 - i), i));
    const std::vector<int> values = co_await brio::gather(std::move(coros));
    for (int i = 0; i < 100; ++i) CHECK(values[static_cast<std::size_t>(i)] == i);
    const auto nothing = co_await brio::gather(std::vector<Coro<int>>());
    CHECK(nothing.empty());
  });
}

TEST_CASE("gather with return_exceptions keeps errors in their place") {
  brio::testing::run_test([]() -> Coro<> {
    auto [good, bad] =
        co_await brio::gather(brio::return_exceptions, after(1ms, 1), fail_after_ms(2, "bad"));
    CHECK(good.value() == 1);
    CHECK(bad.error_as<brio::ValueError>());
  });
}

TEST_CASE("the first error ends gather at once and the siblings go on") {
  brio::testing::run_test([]() -> Coro<> {
    auto slow = brio::create_task(after(10ms, 9));
    const auto outcome = co_await brio::as_outcome(brio::gather(slow, fail_after_ms(1, "early")));
    CHECK(outcome.error_as<brio::ValueError>());
    CHECK(!slow.done());
    const int value = co_await slow;
    CHECK(value == 9);
  });
}

TEST_CASE("wait keeps the order of its arguments and drops repetitions") {
  brio::testing::run_test([]() -> Coro<> {
    auto a = brio::create_task(after(3ms, 1));
    auto b = brio::create_task(after(1ms, 2));
    const auto first =
        co_await brio::wait(std::vector{a, b, a}, {.return_when = brio::FIRST_COMPLETED});
    CHECK(first.done == std::vector{b});
    CHECK(first.pending == std::vector{a});
    const auto timed = co_await brio::wait(std::vector{a}, {.timeout = 1ms});
    CHECK(timed.done.empty());
    const auto all = co_await brio::wait(std::vector<brio::AnyFuture>{a, b});
    CHECK(all.done.size() == 2);
    const auto empty = co_await brio::as_outcome(brio::wait(std::vector<brio::AnyFuture>()));
    CHECK(empty.error_as<brio::ValueError>());
  });
}

TEST_CASE("wait_for takes coroutines, futures and other awaitables") {
  brio::testing::run_test([]() -> Coro<> {
    const int value = co_await brio::wait_for(after(1ms, 5), 1s);
    CHECK(value == 5);
    const auto late = co_await brio::as_outcome(brio::wait_for(after(2s, 5), 1s));
    CHECK(late.error_as<brio::TimeoutError>());
    brio::Lock lock;
    co_await lock.acquire();
    const auto held = co_await brio::as_outcome(brio::wait_for(lock.acquire(), 1ms));
    CHECK(held.error_as<brio::TimeoutError>());
    lock.release();
    bool ran = false;
    const auto never = co_await brio::as_outcome(brio::wait_for(
        [](bool& flag) -> Coro<> {
          flag = true;
          co_return;
        }(ran),
        0s));
    CHECK(never.error_as<brio::TimeoutError>());
    CHECK(!ran);
    const std::unique_ptr<int> box = co_await brio::wait_for(boxed(3), std::nullopt);
    CHECK(*box == 3);
  });
}

TEST_CASE("timeouts: value, expiry, rescheduling, misuse") {
  brio::testing::run_test([]() -> Coro<> {
    const int value = co_await brio::timeout(1s, []() -> Coro<int> { return after(1ms, 2); });
    CHECK(value == 2);
    auto& loop = brio::get_running_loop();
    const auto begun = loop.time();
    const auto moved = co_await brio::as_outcome(brio::timeout(1s, [&](brio::Timeout& t) -> Coro<> {
      t.reschedule(loop.time() + 5s);
      co_await brio::sleep(1h);
    }));
    CHECK(moved.error_as<brio::TimeoutError>());
    CHECK(loop.time() - begun >= 5s);
    co_await brio::timeout(std::nullopt, []() -> Coro<> { co_await brio::sleep(1h); });
    brio::Timeout unused(std::nullopt);
    CHECK_THROWS_AS(unused.reschedule(loop.time()), brio::RuntimeError);
  });
}

TEST_CASE("shield keeps the inner task, and reports what nobody is left to see") {
  auto loop = brio::new_event_loop();
  std::vector<std::string> reports;
  loop->set_exception_handler([&](brio::EventLoop&, const brio::ExceptionContext& context) {
    reports.push_back(context.message);
  });
  loop->run_until_complete([]() -> Coro<> {
    auto inner = brio::create_task(after(5ms, 8));
    auto outer = brio::shield(inner);
    outer.cancel();
    const int value = co_await inner;
    CHECK(value == 8);
    auto failing = brio::create_task(fail_after_ms(1, "x"));
    brio::shield(failing).cancel();
    co_await brio::wait(std::vector{failing});
    co_await brio::yield_now();
  }());
  CHECK(reports == std::vector<std::string>{"brio::ValueError exception in shielded future"});
}

TEST_CASE("as_completed: both iterations, leaving early, time-out") {
  brio::testing::run_test([]() -> Coro<> {
    const auto make = [] {
      std::vector<Coro<int>> coros;
      for (const int ms : {5, 1, 3}) coros.push_back(after(std::chrono::milliseconds(ms), ms));
      return coros;
    };
    std::vector<int> order;
    auto async_form = brio::as_completed(make());
    while (auto task = co_await async_form.next()) order.push_back(task->result());
    for (auto slot : brio::as_completed(make())) order.push_back(co_await std::move(slot));
    CHECK(order == std::vector<int>{1, 3, 5, 1, 3, 5});
    auto timed = brio::as_completed(make(), {.timeout = 2ms});
    const auto first = co_await timed.next();
    CHECK(first->result() == 1);
    for (int i = 0; i < 2; ++i) {
      const auto slot = co_await brio::as_outcome(timed.next());
      CHECK(slot.error_as<brio::TimeoutError>());
    }
    const auto end = co_await timed.next();
    CHECK(!end);
  });
}

TEST_CASE("ExceptionGroup: split, subgroup, handle keep the nesting") {
  const auto make = [](auto e) { return std::make_exception_ptr(e); };
  const brio::ExceptionGroup inner("inner",
                                   {make(brio::ValueError("v1")), make(brio::RuntimeError("r1"))});
  const brio::ExceptionGroup group("outer", {make(inner), make(brio::ValueError("v2"))});
  CHECK(std::string(group.what()) == "outer (2 sub-exceptions)");
  const auto [values, rest] = group.split<brio::ValueError>();
  REQUIRE(values);
  REQUIRE(rest);
  CHECK(values->leaves().size() == 2);
  CHECK(rest->leaves().size() == 1);
  CHECK(rest->exceptions().size() == 1);  // the inner group, with one leaf
  std::vector<std::string> seen;
  const auto left = group.handle<brio::ValueError>(
      [&](const brio::ValueError& e) { seen.emplace_back(e.what()); });
  CHECK(seen == std::vector<std::string>{"v1", "v2"});
  CHECK(left->leaves().size() == 1);
  CHECK(!group.subgroup<brio::TimeoutError>());
  CHECK_THROWS_AS(brio::ExceptionGroup("empty", {}), brio::ValueError);
}

TEST_CASE("task_group gives the body's value and an ExceptionGroup of what failed") {
  brio::testing::run_test([]() -> Coro<> {
    int sum = 0;
    const int value = co_await brio::task_group([&](brio::TaskGroup& group) -> Coro<int> {
      for (int i = 1; i <= 3; ++i)
        group.create_task([&sum, i]() -> Coro<> {
          co_await brio::sleep(1ms);
          sum += i;
        });
      co_return 42;
    });
    CHECK(value == 42);
    CHECK(sum == 6);
    const auto outcome =
        co_await brio::as_outcome(brio::task_group([](brio::TaskGroup& group) -> Coro<> {
          group.create_task(fail_after_ms(1, "child"));
          co_await brio::sleep(1h);
        }));
    const auto group = outcome.error_as<brio::ExceptionGroup>();
    REQUIRE(group);
    CHECK(std::string(group->what()) == "unhandled errors in a TaskGroup (1 sub-exception)");
  });
}

TEST_CASE("a group refuses children before, after and while shutting down") {
  brio::testing::run_test([]() -> Coro<> {
    brio::TaskGroup group;
    CHECK_THROWS_AS(group.create_task(after(1ms, 1)), brio::RuntimeError);
    group.enter();
    CHECK_THROWS_AS(group.enter(), brio::RuntimeError);
    group.create_task(after(1ms, 1));
    const auto left = co_await group.leave(nullptr);
    CHECK(left == nullptr);
    CHECK_THROWS_AS(group.create_task(after(1ms, 1)), brio::RuntimeError);
  });
}

TEST_CASE("as_completed refuses a future of another loop") {
  const auto other = brio::new_event_loop();
  brio::testing::run_test([&]() -> Coro<> {
    const std::vector<brio::Future<>> futures{other->create_future<>()};
    CHECK_THROWS_AS(brio::as_completed(futures, {.timeout = 1s}), brio::ValueError);
    co_return;
  });
  other->close();
}
