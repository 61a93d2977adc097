#include "support.hpp"

#include <brio/brio.hpp>
#include <brio/testing/virtual_clock.hpp>

#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;

namespace {

const brio::ContextVar<int> number("number", 0);

Coro<int> set_number(int value) {
  const int before = number.get();
  number.set(value);
  co_return before;
}

Coro<> fails() {
  throw std::runtime_error("broken");
  co_return;
}

std::string message_of(auto&& call) {
  try {
    call();
  } catch (const brio::RuntimeError& e) {
    return e.what();
  }
  return "nothing thrown";
}

}  // namespace

TEST_CASE("a runner keeps one loop and one context over its runs") {
  brio::Runner runner;
  CHECK(runner.run(set_number(1)) == 0);
  brio::EventLoop& loop = runner.get_loop();
  CHECK(runner.run(set_number(2)) == 1);
  CHECK(&runner.get_loop() == &loop);
  CHECK(number.get() == 0);

  brio::Context own;
  CHECK(runner.run(set_number(7), own) == 0);
  CHECK(own.get(number) == 7);
  CHECK(runner.run(set_number(3)) == 2);
  CHECK(!loop.is_running());
  CHECK(brio::running_loop_or_null() == nullptr);
}

TEST_CASE("the runner's context is a copy of that of its first use") {
  brio::Context outer;
  outer.run([] {
    number.set(5);
    brio::Runner runner;
    CHECK(runner.run(set_number(6)) == 5);
    CHECK(number.get() == 5);
  });
}

TEST_CASE("loop_factory makes the loop, once, and debug sets its mode") {
  int made = 0;
  brio::EventLoop* loop = nullptr;
  const auto factory = [&] {
    ++made;
    auto fresh = brio::testing::virtual_loop();
    loop = fresh.get();
    return fresh;
  };
  for (const bool debug : {false, true}) {
    made = 0;
    brio::Runner runner({.debug = debug, .loop_factory = factory});
    CHECK(made == 0);
    const auto slow = [](brio::EventLoop* expected) -> Coro<bool> {
      co_await brio::sleep(1h);
      co_return &brio::get_running_loop() == expected;
    };
    CHECK(&runner.get_loop() == loop);
    CHECK(runner.run(slow(loop)));
    CHECK(made == 1);
    CHECK(loop->get_debug() == debug);
  }
  CHECK(brio::run(set_number(0), {.debug = false, .loop_factory = factory}) == 0);
}

TEST_CASE("a closed runner refuses, and closing twice does nothing") {
  brio::Runner runner;
  runner.run(set_number(1));
  runner.close();
  runner.close();
  CHECK(message_of([&] { (void)runner.get_loop(); }) == "Runner is closed");
  CHECK(message_of([&] {
          const support::CapturedLog log;  // of the coroutine that is never awaited
          runner.run(set_number(1));
        }) == "Runner is closed");
}

TEST_CASE("a run inside a run is refused and leaves the outer one alone") {
  const support::CapturedLog log;
  brio::Runner runner;
  runner.run([](brio::Runner& same) -> Coro<> {
    brio::EventLoop& loop = brio::get_running_loop();
    CHECK(message_of([] { brio::run(fails()); }) ==
          "brio::run() cannot be called from a running event loop");
    CHECK(message_of([&] { same.run(fails()); }) ==
          "Runner.run() cannot be called from a running event loop");
    CHECK(message_of([&] { loop.run_until_complete(fails()); }) ==
          "This event loop is already running");
    CHECK(message_of([&] { loop.run_forever(); }) == "This event loop is already running");
    CHECK(message_of([] { brio::new_event_loop()->run_until_complete(fails()); }) ==
          "Cannot run the event loop while another loop is running");
    CHECK(&brio::get_running_loop() == &loop);
    CHECK(loop.is_running());
    CHECK(brio::all_tasks().size() == 1);  // none of the refused ones was made a task
    co_await brio::sleep(1ms);
  }(runner));
  CHECK(support::CapturedLog::take().size() == 4);  // "was never awaited"
}

TEST_CASE("what main leaves behind is cancelled before run gives its value or throws") {
  std::vector<std::string> trace;
  const auto worker = [](std::vector<std::string>& out) -> Coro<> {
    const auto outcome = co_await brio::as_outcome(brio::sleep(1h));
    co_await brio::yield_now();
    out.emplace_back(outcome.cancelled() ? "cancelled" : "slept");
  };
  CHECK_THROWS_WITH(brio::run([&]() -> Coro<> {
                      brio::create_task(worker, std::ref(trace));
                      co_await brio::yield_now();
                      co_await fails();
                    }),
                    "broken");
  CHECK(trace == std::vector<std::string>{"cancelled"});
}

TEST_CASE("errors of cancelled leftovers go to the exception handler") {
  std::vector<std::string> reports;
  const int value = brio::run([&]() -> Coro<int> {
    brio::get_running_loop().set_exception_handler(
        [&](brio::EventLoop&, const brio::ExceptionContext& context) {
          reports.push_back(context.message + ": " + brio::describe(context.exception) + ": " +
                            context.task.get_name());
        });
    const auto stubborn = []() -> Coro<> {
      (void)co_await brio::as_outcome(brio::sleep(1h));
      co_await fails();
    };
    brio::create_task(brio::TaskOptions{.name = "stubborn"}, stubborn);
    co_await brio::yield_now();
    co_return 4;
  });
  CHECK(value == 4);
  CHECK(reports == std::vector<std::string>{
                       "unhandled exception during brio::run() shutdown: broken: stubborn"});
}

TEST_CASE("a main that is cancelled throws CancelledError, with the message") {
  std::string message;
  try {
    brio::run([]() -> Coro<> {
      brio::current_task().cancel("enough");
      co_await brio::sleep(1h);
    });
  } catch (const brio::CancelledError& e) {
    message = e.what();
  }
  CHECK(message == "enough");
}

TEST_CASE("main's result may be move-only, and main any callable") {
  const std::unique_ptr<int> box = brio::run([captured = 8]() -> Coro<std::unique_ptr<int>> {
    co_await brio::yield_now();
    co_return std::make_unique<int>(captured);
  });
  CHECK(*box == 8);
}

TEST_CASE("policies, set_event_loop and get_event_loop") {
  CHECK_THROWS_AS((void)brio::get_event_loop(), brio::RuntimeError);
  const auto loop = brio::new_event_loop();
  brio::set_event_loop(loop.get());
  CHECK(&brio::get_event_loop() == loop.get());
  brio::run([&]() -> Coro<> {
    CHECK(&brio::get_event_loop() == &brio::get_running_loop());
    CHECK(&brio::get_event_loop() != loop.get());
    co_return;
  });
  CHECK(&brio::get_event_loop() == loop.get());
  brio::set_event_loop(nullptr);
  CHECK_THROWS_AS((void)brio::get_running_loop(), brio::RuntimeError);

  struct Counting final : brio::EventLoopPolicy {
    std::unique_ptr<brio::Engine> new_engine() override {
      ++made;
      return EventLoopPolicy::new_engine();
    }
    int made = 0;
  };
  const auto policy = std::make_shared<Counting>();
  brio::set_event_loop_policy(policy);
  CHECK(brio::get_event_loop_policy() == policy);
  brio::run(set_number(0));
  brio::set_event_loop_policy(nullptr);
  brio::run(set_number(0));
  CHECK(policy->made == 1);
  CHECK(brio::get_event_loop_policy() != nullptr);
}
