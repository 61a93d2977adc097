#include <brio/brio.hpp>
#include <brio/testing/run_test.hpp>
#include <brio/testing/trace_socket.hpp>
#include <brio/testing/virtual_clock.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

using namespace brio;
using namespace std::chrono_literals;
using testing::HangError;

namespace {

Coro<> nap(Duration delay) { co_await sleep(delay); }

Coro<> wait_for_nothing() { co_await create_future<>(); }

template <class F>
std::string hang(F function) {
  try {
    function();
  } catch (const HangError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("virtual clock: idle time is skipped, to the nanosecond") {
  const LoopPtr loop = testing::virtual_loop();
  const TimePoint before = loop->time();
  loop->run_until_complete(nap(std::chrono::hours(24 * 30)));
  CHECK(loop->time() - before == std::chrono::hours(24 * 30));
}

TEST_CASE("virtual clock: timers fire by deadline, ties in order of creation") {
  std::vector<int> fired;
  testing::run_test([&]() -> Coro<> {
    EventLoop& loop = get_running_loop();
    loop.call_later(3h, [&] { fired.push_back(3); });
    loop.call_later(1h, [&] { fired.push_back(1); });
    loop.call_later(1h, [&] { fired.push_back(2); });
    co_await sleep(4h);
  });
  CHECK(fired == std::vector{1, 2, 3});
}

TEST_CASE("virtual clock: each reading may advance it, and a test can") {
  testing::VirtualClockEngine clock({.start = TimePoint(5s), .tick = 10ns});
  CHECK(clock.now() == TimePoint(5s) + 10ns);
  CHECK(clock.now() == TimePoint(5s) + 20ns);
  clock.advance(1min);
  clock.advance(-1h);
  CHECK(clock.now() == TimePoint(65s) + 30ns);
  CHECK(clock.time()->now == TimePoint(65s) + 30ns);
}

TEST_CASE("virtual clock: sockets come before a jump of the clock") {
  auto [a, b] = testing::trace::pair();
  std::vector<std::string> seen;
  testing::run_test([&]() -> Coro<> {
    EventLoop& loop = get_running_loop();
    loop.add_reader(b, [&] {
      seen.push_back(b.recv(100));
      loop.remove_reader(b);
    });
    a.send("x");
    loop.call_later(1ms, [&] { seen.emplace_back("timer"); });
    co_await sleep(1s);
  });
  CHECK(seen == std::vector<std::string>{"x", "timer"});
}

TEST_CASE("virtual clock: nothing ready and no timer is an error that names the tasks") {
  const std::string text = hang([] {
    testing::run_test([]() -> Coro<> {
      const Task<> child = create_task(wait_for_nothing(), {.name = "waits for nothing"});
      co_await child;
    });
  });
  CHECK(text.find("the test would hang") != std::string::npos);
  CHECK(text.find("task 'waits for nothing'") != std::string::npos);
  CHECK(text.find("test_virtual_clock.cpp") != std::string::npos);
  CHECK(text.find("wait_for_nothing") != std::string::npos);
}

TEST_CASE("virtual clock: silent descriptors and threads get their patience, then it is an error") {
  auto [a, b] = testing::trace::pair();
  const std::string text = hang([&] {
    testing::run_test(
        [&]() -> Coro<> {
          get_running_loop().add_reader(b, [] {});
          co_await create_future<>();
        },
        {.clock = {.patience = 1ms}});
  });
  CHECK(text.find("neither a descriptor nor a thread") != std::string::npos);
}

TEST_CASE("virtual clock: another thread may wake the loop") {
  bool woken = false;
  testing::run_test([&]() -> Coro<> {
    EventLoop& loop = get_running_loop();
    const Future<> done = create_future<>();
    std::thread thread(
        [&loop, &done] { loop.call_soon_threadsafe([&done] { done.set_result(); }); });
    co_await done;
    thread.join();
    woken = true;
  });
  CHECK(woken);
}

TEST_CASE("virtual clock: it does not jump while a thread works for the loop") {
  std::vector<std::string> seen;
  testing::run_test([&]() -> Coro<> {
    EventLoop& loop = get_running_loop();
    loop.call_later(1s, [&] { seen.emplace_back("timer"); });
    std::atomic<bool> polled{false};
    testing::virtual_clock().set_idle_hook([&] {
      polled = true;
      return false;
    });
    // What run_in_executor does: it keeps the inbox, and posts when the work is done.
    std::thread thread([&loop, &seen, &polled, inbox = loop.inbox()] {
      while (!polled) std::this_thread::yield();
      loop.call_soon_threadsafe([&seen] { seen.emplace_back("thread"); });
    });
    co_await sleep(2s);
    thread.join();
    testing::virtual_clock().set_idle_hook(nullptr);
  });
  CHECK(seen == std::vector<std::string>{"thread", "timer"});
}

TEST_CASE("virtual clock: other loops have none") {
  const LoopPtr loop = new_event_loop();
  CHECK_THROWS_AS((void)testing::virtual_clock(*loop), TypeError);
}

TEST_CASE("run_test: gives the value, throws the error") {
  CHECK(testing::run_test([]() -> Coro<int> { co_return 7; }) == 7);
  CHECK_THROWS_AS(testing::run_test([]() -> Coro<> {
                    co_await yield_now();
                    throw ValueError("x");
                  }),
                  ValueError);
}

TEST_CASE("run_test: a time limit ends what waits without end, a step limit what spins") {
  CHECK(hang([] {
          testing::run_test(
              []() -> Coro<> {
                while (true) co_await sleep(1min);
              },
              {.clock = {.time_limit = 1h}});
        }).find("time limit") != std::string::npos);
  CHECK(hang([] {
          testing::run_test(
              []() -> Coro<> {
                while (true) co_await yield_now();
              },
              {.step_limit = 1000});
        }).find("step limit") != std::string::npos);
}

TEST_CASE("run_test: what the exception handler is told is a failure unless allowed") {
  const auto body = []() -> Coro<> {
    get_running_loop().call_soon([] { throw ValueError("in a callback"); });
    co_await yield_now();
  };
  CHECK_THROWS_AS(testing::run_test(body), testing::UnexpectedReport);
  CHECK_NOTHROW(testing::run_test(body, {.reports_allowed = true}));
}
