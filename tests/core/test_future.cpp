#include <brio/brio.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;

TEST_CASE("a future gives its value by reference, and away from the last handle") {
  brio::testing::run_test([]() -> Coro<> {
    auto future = brio::create_future<std::string>();
    CHECK(!future.done());
    CHECK_THROWS_AS(future.result(), brio::InvalidStateError);
    CHECK_THROWS_AS((void)future.exception(), brio::InvalidStateError);
    future.set_result("value");
    CHECK_THROWS_AS(future.set_result("again"), brio::InvalidStateError);
    const std::string& first = co_await future;
    const std::string& second = co_await future;
    CHECK(&first == &second);
    CHECK(future.result() == "value");
    auto other = future;
    const std::string copied = co_await std::move(future);
    CHECK(copied == "value");
    CHECK(other.result() == "value");
  });
}

TEST_CASE("a move-only value goes to one awaiter; later ones are told") {
  brio::testing::run_test([]() -> Coro<> {
    auto future = brio::create_future<std::unique_ptr<int>>();
    auto other = future;
    future.set_result(std::make_unique<int>(4));
    const std::unique_ptr<int> value = co_await std::move(future);
    CHECK(*value == 4);
    CHECK_THROWS_AS(other.result(), brio::InvalidStateError);
  });
}

TEST_CASE("callbacks are removed by equality and by id") {
  brio::testing::run_test([]() -> Coro<> {
    static int calls = 0;
    calls = 0;
    const auto count = +[] { ++calls; };
    auto future = brio::create_future<int>();
    future.add_done_callback(count);
    future.add_done_callback(count);
    const brio::CallbackId id = future.add_done_callback([] { calls += 100; });
    CHECK(future.remove_done_callback(count) == 2);
    CHECK(future.remove_done_callback(count) == 0);
    CHECK(future.remove_done_callback(id) == 1);
    CHECK(future.remove_done_callback(id) == 0);
    int seen = 0;
    future.add_done_callback([&](const brio::Future<int>& f) { seen = f.result(); });
    future.set_result(3);
    CHECK(seen == 0);
    co_await brio::yield_now();
    CHECK(seen == 3);
    CHECK(calls == 0);
  });
}

TEST_CASE("a future dropped with callbacks frees them") {
  const auto alive = std::make_shared<int>(1);
  brio::testing::run_test([alive]() -> Coro<> {
    {
      auto future = brio::create_future<>();
      future.add_done_callback([alive] {});
      CHECK(alive.use_count() > 2);
    }
    co_return;
  });
  CHECK(alive.use_count() == 1);
}

TEST_CASE("a future outlives its loop") {
  brio::Future<int> future;
  {
    auto loop = brio::new_event_loop();
    future = loop->create_future<int>();
    future.add_done_callback([] {});
  }
  CHECK(!future.done());
  CHECK(future.cancel());
  CHECK(future.cancelled());
}

TEST_CASE("an error that nobody looked at is reported once, with its place") {
  auto loop = brio::new_event_loop();
  std::vector<std::string> reports;
  loop->set_exception_handler([&](brio::EventLoop&, const brio::ExceptionContext& context) {
    reports.push_back(context.message + ": " + brio::describe(context.exception));
    CHECK(context.where.line() > 0);
  });
  {
    auto future = loop->create_future<int>();
    future.set_exception(std::runtime_error("lost"));
  }
  CHECK(reports == std::vector<std::string>{"Future exception was never retrieved: lost"});
  {
    auto future = loop->create_future<int>();
    future.set_exception(std::runtime_error("seen"));
    CHECK(future.exception() != nullptr);
  }
  CHECK(reports.size() == 1);
}

TEST_CASE("the handler may keep a future that reports itself") {
  auto loop = brio::new_event_loop();
  brio::AnyFuture kept;
  loop->set_exception_handler(
      [&](brio::EventLoop&, const brio::ExceptionContext& context) { kept = context.future; });
  loop->create_future<int>().set_exception(std::runtime_error("lost"));
  REQUIRE(kept);
  CHECK(kept.exception() != nullptr);
}

TEST_CASE("awaiting a future of another loop is an error inside the task") {
  auto other = brio::new_event_loop();
  auto foreign = other->create_future<int>();
  brio::testing::run_test([&]() -> Coro<> {
    const auto outcome = co_await brio::as_outcome(foreign);
    const auto error = outcome.error_as<brio::RuntimeError>();
    REQUIRE(error);
    CHECK(std::string(error->what()).find("attached to a different loop") != std::string::npos);
  });
}

TEST_CASE("set_exception refuses a null pointer and keeps the future pending") {
  brio::testing::run_test([]() -> Coro<> {
    auto future = brio::create_future<int>();
    CHECK_THROWS_AS(future.set_exception(std::exception_ptr()), brio::TypeError);
    CHECK(!future.done());
    future.cancel("why");
    std::string message;
    try {
      co_await future;
    } catch (const brio::CancelledError& e) {
      message = e.what();
    }
    CHECK(message == "why");
    CHECK(!future.cancel());
  });
}

TEST_CASE("many waiters on one future wake in order") {
  brio::testing::run_test([]() -> Coro<> {
    auto future = brio::create_future<int>();
    std::vector<int> order;
    const auto waiter = [&](int id) -> Coro<> {
      const int value = co_await future;
      order.push_back(id * value);
    };
    co_await brio::task_group([&](brio::TaskGroup& group) -> Coro<> {
      for (int i = 1; i <= 5; ++i) group.create_task(waiter(i));
      co_await brio::yield_now();
      future.set_result(10);
    });
    CHECK(order == std::vector<int>{10, 20, 30, 40, 50});
  });
}
