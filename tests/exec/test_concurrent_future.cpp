#include "helpers.hpp"

#include <brio/core/exceptions.hpp>
#include <brio/core/runner.hpp>
#include <brio/exec/concurrent_future.hpp>
#include <brio/exec/concurrent_wait.hpp>
#include <brio/exec/wrap_future.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;
namespace concurrent = brio::concurrent;

TEST_CASE("concurrent future: states") {
  const auto future = concurrent::create_future<int>();
  CHECK_FALSE(future.done());
  CHECK_FALSE(future.running());
  CHECK_FALSE(future.cancelled());
  CHECK_FALSE(future.wait(0ms));
  CHECK_THROWS_AS((void)future.result(0ms), brio::TimeoutError);
  CHECK_THROWS_AS((void)future.exception(0ms), brio::TimeoutError);
  CHECK_THROWS_AS((void)future.result(-5s), brio::TimeoutError);

  CHECK(future.set_running_or_notify_cancel());
  CHECK(future.running());
  CHECK_FALSE(future.cancel());
  CHECK_THROWS_AS(future.set_running_or_notify_cancel(), brio::RuntimeError);

  future.set_result(7);
  CHECK(future.done());
  CHECK_FALSE(future.running());
  CHECK(future.wait());
  CHECK(future.result() == 7);
  CHECK(future.exception() == nullptr);
  CHECK_FALSE(future.cancel());
  CHECK_THROWS_AS(future.set_result(8), brio::InvalidStateError);
  CHECK_THROWS_AS(future.set_exception(std::runtime_error("late")), brio::InvalidStateError);
  CHECK_THROWS_AS(future.set_running_or_notify_cancel(), brio::RuntimeError);
  CHECK(future.result() == 7);
  CHECK(future.repr() == "<concurrent future finished>");
}

TEST_CASE("concurrent future: cancellation") {
  const auto future = concurrent::create_future<std::string>();
  CHECK(future.cancel());
  CHECK(future.cancel());
  CHECK(future.cancelled());
  CHECK(future.done());
  CHECK_THROWS_AS((void)future.result(), concurrent::CancelledError);
  CHECK_THROWS_AS((void)future.exception(), concurrent::CancelledError);
  CHECK_THROWS_AS(future.set_result("x"), brio::InvalidStateError);
  CHECK_FALSE(future.set_running_or_notify_cancel());
  CHECK(future.cancelled());
  CHECK_THROWS_AS(future.set_running_or_notify_cancel(), brio::RuntimeError);
  CHECK(future.cancel());
  // An ordinary error, unlike the cancellation of a task.
  CHECK_THROWS_AS((void)future.result(), std::exception);
}

TEST_CASE("concurrent future: errors") {
  const auto future = concurrent::create_future<>();
  CHECK_THROWS_AS(future.set_exception(std::exception_ptr()), brio::TypeError);
  future.set_exception(brio::ValueError("no"));
  CHECK_THROWS_WITH_AS(future.result(), "no", brio::ValueError);
  CHECK(brio::type_name(future.exception()) == "brio::ValueError");
  CHECK(future.repr() == "<concurrent future finished exception=brio::ValueError(no)>");
}

TEST_CASE("concurrent future: values are lent, copied or moved") {
  auto text = concurrent::create_future<std::string>();
  text.set_result(3u, 'x');
  const std::string* at = &text.result();
  CHECK(*at == "xxx");
  CHECK(&text.result() == at);
  // Another handle is there: the value stays.
  const auto other = text;
  CHECK(std::move(text).result() == "xxx");
  CHECK(other.result() == "xxx");

  const auto boxed = concurrent::create_future<std::unique_ptr<int>>();
  boxed.set_result(std::make_unique<int>(5));
  CHECK(*boxed.result() == 5);
  auto last = boxed;
  CHECK(*std::move(last).result() == 5);
  CHECK_THROWS_AS((void)boxed.result(), brio::InvalidStateError);
  auto again = boxed;
  CHECK_THROWS_AS((void)std::move(again).result(), brio::InvalidStateError);
}

TEST_CASE("concurrent future: a thread waits, another completes") {
  const auto future = concurrent::create_future<int>();
  std::thread worker([&] { future.set_result(42); });
  CHECK(future.result() == 42);
  worker.join();

  const auto failing = concurrent::create_future<int>();
  std::thread failer([&] { failing.set_exception(std::runtime_error("boom")); });
  CHECK_THROWS_WITH((void)failing.result(), "boom");
  failer.join();

  const auto dropped = concurrent::create_future<int>();
  std::thread canceller([&] { dropped.cancel(); });
  CHECK_THROWS_AS((void)dropped.result(), concurrent::CancelledError);
  canceller.join();
}

TEST_CASE("concurrent future: callbacks run in order, in the completing thread, once") {
  const auto future = concurrent::create_future<int>();
  std::string order;
  std::thread::id where;
  future.add_done_callback([&](const concurrent::Future<int>& done) {
    order += std::to_string(done.result());
    where = std::this_thread::get_id();
  });
  future.add_done_callback([&] { order += "b"; });
  future.add_done_callback(
      [&](const concurrent::AnyFuture& done) { order += done.done() ? "c" : "?"; });
  std::thread worker([&] { future.set_result(1); });
  const auto id = worker.get_id();
  worker.join();
  CHECK(order == "1bc");
  CHECK(where == id);
  future.add_done_callback([&] { order += "d"; });  // done: at once, here
  CHECK(order == "1bcd");
}

TEST_CASE("concurrent future: a callback that throws is logged and stops nobody") {
  const exec_test::LogCapture log;
  const auto future = concurrent::create_future<int>();
  bool second = false;
  future.add_done_callback([] { throw std::runtime_error("callback broke"); });
  future.add_done_callback([&] { second = true; });
  future.cancel();
  CHECK(second);
  CHECK(exec_test::LogCapture::has("callback broke"));
}

TEST_CASE("concurrent future: a callback may drop the last handle") {
  auto future = std::make_unique<concurrent::Future<int>>(concurrent::create_future<int>());
  future->add_done_callback([&] { future.reset(); });
  const auto* raw = future.get();
  raw->set_result(1);
  CHECK(future == nullptr);
}

TEST_CASE("concurrent future: cancel and start race; exactly one wins") {
  for (int round = 0; round < 300; ++round) {
    const auto future = concurrent::create_future<int>();
    std::latch both{2};
    bool started = false;
    std::thread worker([&] {
      both.arrive_and_wait();
      started = future.set_running_or_notify_cancel();
      if (started) future.set_result(1);
    });
    both.arrive_and_wait();
    const bool cancelled = future.cancel();
    worker.join();
    CHECK(started != cancelled);
    CHECK(future.cancelled() == cancelled);
    CHECK(future.done());
  }
}

TEST_CASE("concurrent future: handles compare, and the empty one is false") {
  const concurrent::Future<int> none;
  CHECK_FALSE(static_cast<bool>(none));
  const auto a = concurrent::create_future<int>();
  const auto b = a;
  CHECK(a == b);
  CHECK_FALSE(a == concurrent::create_future<int>());
}

TEST_CASE("concurrent future: an empty handle is told, not followed") {
  const concurrent::Future<int> none;
  CHECK_THROWS_AS((void)none.done(), brio::RuntimeError);
  CHECK_THROWS_AS((void)none.result(), brio::RuntimeError);
  CHECK_THROWS_AS(none.set_result(1), brio::RuntimeError);
  CHECK_THROWS_AS((void)none.cancel(), brio::RuntimeError);
  CHECK_THROWS_AS(none.add_done_callback([] {}), brio::RuntimeError);
  CHECK_THROWS_AS((void)concurrent::wait(std::vector{none}), brio::RuntimeError);
  brio::run([](concurrent::Future<int> empty) -> brio::Coro<> {
    CHECK_THROWS_AS((void)brio::wrap_future(empty), brio::RuntimeError);
    co_return;
  }(none));
}
