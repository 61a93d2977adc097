#include "helpers.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/sleep.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/core/wait.hpp>
#include <brio/exec/run_in_executor.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <barrier>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;
using brio::ThreadPoolExecutor;
using exec_test::Blocker;
using exec_test::Counted;
using exec_test::in_loop;

TEST_CASE("run_in_executor: two blocking calls at the same time while the loop goes on") {
  std::vector<std::string> trace;
  in_loop([&]() -> Coro<> {
    std::barrier both(2);
    const auto here = std::this_thread::get_id();
    const auto work = [&](const std::string& x) {
      both.arrive_and_wait();
      if (x == "bad") throw std::runtime_error(x);
      return std::pair(x, std::this_thread::get_id() != here);
    };
    const auto a = brio::run_in_executor(nullptr, work, "good");
    const auto b = brio::run_in_executor(nullptr, work, "bad");
    trace.emplace_back("loop is free");
    co_await brio::wait(std::vector{a, b});
    const auto [text, elsewhere] = co_await a;
    trace.push_back("a value " + text + (elsewhere ? " True" : " False"));
    try {
      co_await b;
    } catch (const std::runtime_error& error) {
      trace.push_back(std::string("b ") + error.what());
    }
  });
  CHECK(trace == std::vector<std::string>{"loop is free", "a value good True", "b bad"});
}

TEST_CASE("run_in_executor: results of all kinds") {
  in_loop([]() -> Coro<> {
    ThreadPoolExecutor pool({.max_workers = 1});
    auto box = co_await brio::run_in_executor(&pool, [] { return std::make_unique<int>(4); });
    const auto size = co_await brio::run_in_executor(&pool, &std::string::size, std::string("abc"));
    co_await brio::run_in_executor(&pool, [] {});
    std::string big(100'000, 'x');
    const void* data = nullptr;
    const std::string back = co_await brio::run_in_executor(&pool, [&] {
      std::string made(big);
      data = made.data();
      return made;
    });
    CHECK(*box == 4);
    CHECK(size == 3);
    CHECK(back == big);
    CHECK(back.data() == data);  // moved all the way
  });
}

TEST_CASE("run_in_executor: errors keep their type, a cancelled concurrent future cancels") {
  in_loop([]() -> Coro<> {
    ThreadPoolExecutor pool({.max_workers = 1});
    std::string seen;
    try {
      co_await brio::run_in_executor(&pool, []() -> int { throw brio::KeyError("k"); });
    } catch (const brio::KeyError& error) {
      seen = error.what();
    }
    CHECK(seen == "k");
    bool cancelled = false;
    try {
      co_await brio::run_in_executor(&pool, [] { throw brio::concurrent::CancelledError(); });
    } catch (const brio::CancelledError&) {
      cancelled = true;
    }
    CHECK(cancelled);
  });
}

TEST_CASE("run_in_executor: cancelling stops a job that has not begun, and only that") {
  std::atomic<int> alive{0};
  bool ran = false;
  std::atomic<bool> finished{false};
  in_loop([&]() -> Coro<> {
    Blocker blocker;
    ThreadPoolExecutor pool({.max_workers = 1});
    auto running = brio::run_in_executor(&pool, [&] {
      blocker.block();
      finished = true;
    });
    blocker.wait_until_started();
    const auto queued = brio::create_task([&ran, &pool, counted = Counted(alive)]() -> Coro<> {
      co_await brio::run_in_executor(&pool, [&ran, counted] { ran = true; });
    });
    co_await brio::yield_now();  // queued is submitted
    CHECK(alive == 3);           // in the task's closure, in the call's temporary, in the job
    queued.cancel();
    const auto outcome = co_await brio::as_outcome(queued);
    CHECK(outcome.cancelled());
    CHECK(alive == 1);  // the job's copy went before anyone learned of the cancellation

    running.cancel();
    const auto second = co_await brio::as_outcome(running);
    CHECK(second.cancelled());
    CHECK_FALSE(finished);
    blocker.let_go();
    pool.shutdown();
    CHECK(finished);
    co_await brio::yield_now();  // the late result arrives and is dropped
    co_await brio::yield_now();
  });
  CHECK_FALSE(ran);
  CHECK(alive == 0);
}

TEST_CASE("run_in_executor: a timeout ends the wait, not the job") {
  in_loop([]() -> Coro<> {
    Blocker blocker;
    ThreadPoolExecutor pool({.max_workers = 1});
    bool late = false;
    try {
      co_await brio::wait_for(brio::run_in_executor(&pool, [&] { blocker.block(); }), 1ms);
    } catch (const brio::TimeoutError&) {
      late = true;
    }
    CHECK(late);
    blocker.let_go();
  });
}

TEST_CASE("run_in_executor: needs a loop that is open, a pool that is not shut down") {
  CHECK_THROWS_AS((void)brio::run_in_executor(nullptr, [] {}), brio::RuntimeError);
  const brio::LoopPtr loop = brio::new_event_loop();
  // The loop need not run yet.
  const auto future = brio::run_in_executor(*loop, nullptr, [] { return 3; });
  CHECK(loop->run_until_complete(future) == 3);
  ThreadPoolExecutor pool;
  pool.shutdown();
  CHECK_THROWS_AS((void)brio::run_in_executor(*loop, &pool, [] {}), brio::RuntimeError);
  loop->close();
  CHECK_THROWS_WITH_AS((void)brio::run_in_executor(*loop, nullptr, [] {}), "Event loop is closed",
                       brio::RuntimeError);
}

TEST_CASE("to_thread: sees a copy of the caller's context; run_in_executor sees none") {
  static const brio::ContextVar<std::string> var("var", "unset");
  in_loop([]() -> Coro<> {
    var.set("from task");
    const auto work = [](int a, int b) {
      const std::string seen = var.get();
      var.set("changed in thread");
      return seen + " " + std::to_string(a + b);
    };
    const std::string text = co_await brio::to_thread(work, 1, 2);
    CHECK(text == "from task 3");
    CHECK(var.get() == "from task");
    const std::string other = co_await brio::run_in_executor(nullptr, [] { return var.get(); });
    CHECK(other == "unset");
  });
}

TEST_CASE("to_thread: is a coroutine, so it can be a task, gathered, timed") {
  in_loop([]() -> Coro<> {
    const auto task = brio::create_task(brio::to_thread([](int x) { return x + 1; }, 1));
    const auto [a, b] = co_await brio::gather(
        brio::to_thread([] { return 1; }),
        brio::to_thread([](std::unique_ptr<int> p) { return *p; }, std::make_unique<int>(2)));
    const int c = co_await task;
    co_await brio::to_thread([] {});
    CHECK(a + b + c == 5);
  });
}

TEST_CASE("to_thread: the context of a job is left before its result is known") {
  // The task sets the variable again and again while threads have just read it.
  static const brio::ContextVar<int> var("n", 0);
  in_loop([]() -> Coro<> {
    for (int i = 0; i < 200; ++i) {
      var.set(i);
      const auto abandoned = brio::create_task(brio::to_thread([] { return var.get(); }));
      const int seen = co_await brio::to_thread([] { return var.get(); });
      REQUIRE(seen == i);
      abandoned.cancel();
      var.set(-i);
    }
  });
}

TEST_CASE("default executor: leaving waits for the jobs") {
  std::vector<std::string> trace;
  Blocker blocker;
  in_loop([&]() -> Coro<> {
    (void)brio::run_in_executor(nullptr, [&] {
      blocker.block();
      trace.emplace_back("thread done");
    });
    trace.emplace_back("main ends");
    blocker.let_go();
    co_return;
  });
  trace.emplace_back("runner left");
  CHECK(trace == std::vector<std::string>{"main ends", "thread done", "runner left"});
}

TEST_CASE("default executor: refused after its shutdown, used or not") {
  for (const bool used : {false, true}) {
    in_loop([&]() -> Coro<> {
      if (used) co_await brio::to_thread([] {});
      co_await brio::get_running_loop().shutdown_default_executor();
      CHECK_THROWS_WITH_AS((void)brio::run_in_executor(nullptr, [] {}),
                           "Executor shutdown has been called", brio::RuntimeError);
      co_await brio::get_running_loop().shutdown_default_executor();  // again
      ThreadPoolExecutor pool({.max_workers = 1});
      const int other = co_await brio::run_in_executor(&pool, [] { return 1; });
      CHECK(other == 1);  // one of one's own goes on
    });
  }
}

TEST_CASE("default executor: the shutdown gives up after its timeout, with a warning") {
  const exec_test::LogCapture log;
  Blocker blocker;
  std::atomic<bool> finished{false};
  const brio::LoopPtr loop = brio::new_event_loop();
  const auto main = [&]() -> Coro<> {
    (void)brio::run_in_executor(nullptr, [&] {
      blocker.block();
      finished = true;
    });
    blocker.wait_until_started();
    co_await brio::get_running_loop().shutdown_default_executor(1ms);
  };
  loop->run_until_complete(main());
  CHECK_FALSE(finished);
  CHECK(exec_test::LogCapture::has("did not finish joining its threads within"));
  blocker.let_go();
  loop->run_until_complete(loop->shutdown_default_executor());
  CHECK(finished);
}

TEST_CASE("default executor: cancelling the shutdown leaves the threads to themselves") {
  Blocker blocker;
  in_loop([&]() -> Coro<> {
    (void)brio::run_in_executor(nullptr, [&] { blocker.block(); });
    const auto leaving = brio::create_task(brio::get_running_loop().shutdown_default_executor());
    co_await brio::yield_now();
    leaving.cancel();
    const auto outcome = co_await brio::as_outcome(leaving);
    CHECK(outcome.cancelled());
    blocker.let_go();
  });
}

TEST_CASE("default executor: replaced by one's own") {
  in_loop([]() -> Coro<> {
    const auto first = co_await brio::to_thread([] { return std::this_thread::get_id(); });
    brio::set_default_executor(ThreadPoolExecutor({.max_workers = 1}));
    const auto second = co_await brio::to_thread([] { return std::this_thread::get_id(); });
    const auto third = co_await brio::to_thread([] { return std::this_thread::get_id(); });
    CHECK(second == third);
    CHECK(first != second);
  });
}

TEST_CASE("a loop that closes while a job runs: the result is dropped, nothing crashes") {
  const exec_test::LogCapture log;
  Blocker blocker;
  brio::concurrent::Future<void> ended;
  std::atomic<bool> finished{false};
  {
    brio::LoopPtr loop = brio::new_event_loop();
    ThreadPoolExecutor pool({.max_workers = 1});
    ended = pool.ended();
    brio::set_default_executor(std::move(pool), loop.get());
    const auto future = brio::run_in_executor(*loop, nullptr, [&] {
      blocker.block();
      finished = true;
      return std::string("late");
    });
    const auto task =
        loop->create_task([](brio::Future<std::string> f) -> Coro<> { co_await f; }(future));
    loop->stop();
    loop->run_forever();
    blocker.wait_until_started();
    loop->close();
    CHECK_FALSE(future.done());
    // The loop itself goes while the worker still knows of it.
  }
  blocker.let_go();
  ended.result();
  CHECK(finished);
}

TEST_CASE("loops that close at any moment of a job") {
  ThreadPoolExecutor pool({.max_workers = 2});
  std::atomic<int> alive{0};
  for (int round = 0; round < 300; ++round) {
    const brio::LoopPtr loop = brio::new_event_loop();
    for (int i = 0; i < 3; ++i)
      (void)brio::run_in_executor(*loop, &pool,
                                  [counted = Counted(alive)] { return std::string("x"); });
    if (round % 3 == 0) {
      loop->stop();
      loop->run_forever();
    }
  }
  pool.shutdown();
  CHECK(alive == 0);
}

TEST_CASE("run_in_executor: many jobs, each result to its own awaiter") {
  in_loop([]() -> Coro<> {
    ThreadPoolExecutor pool({.max_workers = 4});
    std::vector<brio::Future<int>> futures;
    for (int i = 0; i < 1000; ++i)
      futures.push_back(brio::run_in_executor(&pool, [](int x) { return x * 2; }, i));
    for (int i = 0; i < 1000; ++i) {
      const int value = co_await futures[static_cast<std::size_t>(i)];
      REQUIRE(value == i * 2);
    }
  });
}

TEST_CASE("run_in_executor: cancellations race with starts") {
  std::atomic<int> ran{0};
  int cancelled = 0;
  in_loop([&]() -> Coro<> {
    ThreadPoolExecutor pool({.max_workers = 2});
    for (int i = 0; i < 500; ++i) {
      const auto future = brio::run_in_executor(&pool, [&] { ++ran; });
      const auto cancelling = brio::run_in_executor(&pool, [] {});
      if (i % 2 == 0) co_await cancelling;
      future.cancel();
      const auto outcome = co_await brio::as_outcome(future);
      if (outcome.cancelled()) ++cancelled;
    }
    pool.shutdown();
  });
  CHECK(cancelled > 0);
  CHECK(ran <= 500);
  CHECK(ran >= 500 - cancelled);
}
