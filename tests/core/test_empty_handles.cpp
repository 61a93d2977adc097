// Handles without anything behind them, and awaitables that are used up.
#include <brio/core/async_generator.hpp>
#include <brio/core/gather.hpp>
#include <brio/core/runner.hpp>
#include <brio/core/shield.hpp>
#include <brio/core/sleep.hpp>
#include <brio/core/wait.hpp>
#include <brio/sync/channel.hpp>
#include <brio/sync/queue.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>
#include <climits>

using namespace brio;
using namespace std::chrono_literals;

namespace {

AsyncGenerator<int> one() { co_yield 1; }

template <class A>
Coro<> await_it(A& awaitable) {
  (void)co_await awaitable;
}

}  // namespace

TEST_CASE("empty future and task handles throw when used") {
  const Future<int> future;
  const Task<> task;
  const AnyTask any;
  CHECK(!future);
  CHECK(!task);
  CHECK(future == Future<int>());
  CHECK_THROWS_AS((void)future.done(), RuntimeError);
  CHECK_THROWS_AS((void)future.result(), RuntimeError);
  CHECK_THROWS_AS(future.set_result(1), RuntimeError);
  CHECK_THROWS_AS(future.add_done_callback([] {}), RuntimeError);
  CHECK_THROWS_AS((void)future.get_loop(), RuntimeError);
  CHECK_THROWS_AS(task.cancel(), RuntimeError);
  CHECK_THROWS_AS((void)task.get_name(), RuntimeError);
  CHECK_THROWS_AS((void)any.cancelling(), RuntimeError);
  testing::run_test([]() -> Coro<> {
    const Task<> empty;
    auto awaited = co_await as_outcome(await_it(empty));
    CHECK(awaited.error_as<RuntimeError>().has_value());
    CHECK_THROWS_AS((void)as_outcome(empty), RuntimeError);
    CHECK_THROWS_AS((void)gather(empty), RuntimeError);
    CHECK_THROWS_AS((void)shield(empty), RuntimeError);
    const std::vector<Task<>> several{empty};
    auto waited = co_await as_outcome(wait(several));
    CHECK(waited.error_as<RuntimeError>().has_value());
  });
}

TEST_CASE("a future that was awaited as an rvalue is an empty handle") {
  testing::run_test([]() -> Coro<> {
    auto future = create_future<int>();
    future.set_result(3);
    const int value = co_await std::move(future);
    CHECK(value == 3);
    CHECK(!future);  // NOLINT(bugprone-use-after-move): that is the question
    auto again = co_await as_outcome(await_it(future));
    CHECK(again.error_as<RuntimeError>().has_value());
  });
}

TEST_CASE("an empty async generator is at its end") {
  testing::run_test([]() -> Coro<> {
    auto generator = one();
    auto moved = std::move(generator);
    auto nothing = co_await generator.next();  // NOLINT(bugprone-use-after-move)
    CHECK(!nothing.has_value());
    co_await generator.aclose();
    auto value = co_await moved.next();
    CHECK(value == 1);
    co_await moved.aclose();
  });
}

TEST_CASE("an item is put or sent once, however often its awaitable is awaited") {
  testing::run_test([]() -> Coro<> {
    Queue<std::string> queue;
    auto put = queue.put("x");
    co_await put;
    auto again = co_await as_outcome(await_it(put));
    CHECK(again.error_as<RuntimeError>().has_value());
    CHECK(queue.qsize() == 1);
    auto [sender, receiver] = open_memory_channel<std::string>(2);
    auto send = sender.send("x");
    co_await send;
    auto sent = co_await as_outcome(await_it(send));
    CHECK(sent.error_as<RuntimeError>().has_value());
    CHECK(receiver.receive_nowait() == "x");
    CHECK_THROWS_AS((void)receiver.receive_nowait(), WouldBlock);
  });
}

TEST_CASE("run and run_until_complete take any awaitable; gather may have nothing to do") {
  run(brio::sleep(0s));
  const LoopPtr loop = new_event_loop();
  loop->run_until_complete(brio::sleep(0s));
  CHECK_THROWS_AS(loop->run_until_complete(Future<int>()), RuntimeError);
  testing::run_test([]() -> Coro<> {
    const auto nothing = gather();
    CHECK(nothing.done());
    const std::tuple<> result = co_await nothing;
    (void)result;
  });
}

TEST_CASE("watching a wild descriptor is an error, not a table of that size") {
  testing::run_test([]() -> Coro<> {
    CHECK_THROWS_AS(get_running_loop().add_reader(INT_MAX, [] {}), OSError);
    CHECK(!get_running_loop().remove_reader(INT_MAX));
    co_return;
  });
}
