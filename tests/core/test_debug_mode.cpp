// Every check of debug mode: what it says, and that it names the line.
#include "support.hpp"

#include <brio/brio.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>

#include <cstdlib>
#include <source_location>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;
using support::CapturedLog;
using Lines = std::vector<std::string>;

namespace {

std::string place(unsigned line) { return __FILE__ ":" + std::to_string(line); }
unsigned here(std::source_location where = std::source_location::current()) { return where.line(); }

constexpr unsigned named_line = __LINE__ + 1;
Coro<> named_coroutine() { co_return; }

template <class Call>
std::string in_other_thread(Call call) {
  std::string text = "nothing thrown";
  std::thread([&] {
    try {
      call();
    } catch (const brio::RuntimeError& e) {
      text = e.what();
    }
  }).join();
  return text;
}

const std::string wrong_thread =
    "Non-thread-safe operation invoked on an event loop other than the current one";

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a coroutine that is never awaited is reported with its line") {
  const CapturedLog log;
  {
    auto dropped = named_coroutine();
  }
  Lines lines = CapturedLog::take();
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].starts_with(place(named_line) + ": coroutine '"));
  CHECK(has(lines[0], "named_coroutine"));
  CHECK(lines[0].ends_with("' was never awaited"));

  {
    auto closed = named_coroutine();
    closed.close();
    auto moved = named_coroutine();
    auto target = std::move(moved);
    target = named_coroutine();  // the one it held goes now
    target.close();
  }
  CHECK(CapturedLog::take().size() == 1);
  brio::run([]() -> Coro<> { co_await named_coroutine(); });
  CHECK(CapturedLog::take().empty());
}

TEST_CASE("outside of debug mode nothing is said of it") {
  const CapturedLog log;
  brio::run(
      []() -> Coro<> {
        {
          auto dropped = named_coroutine();
        }
        co_return;
      }(),
      {.debug = false});
  CHECK(CapturedLog::take().empty());
}

TEST_CASE("an error never retrieved is reported with the line where its future was made") {
  const CapturedLog log;
  unsigned future_line = 0;
  unsigned task_line = 0;
  const auto fails = []() -> Coro<> {
    throw std::runtime_error("unseen");
    co_return;
  };
  brio::run([&]() -> Coro<> {
    future_line = here() + 1;
    brio::create_future<>().set_exception(brio::ValueError("lost"));
    task_line = here() + 1;
    brio::create_task(fails(), {.name = "doomed"});
    co_await brio::yield_now();
  });
  const Lines lines = CapturedLog::take();
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] ==
        "Future exception was never retrieved\n"
        "future: <Future finished exception=brio::ValueError('lost') created at " +
            place(future_line) + ">\ncreated at " + place(future_line) + " in " +
            lines[0].substr(lines[0].rfind(" in ") + 4));
  CHECK(lines[0].ends_with("\nbrio::ValueError: lost"));
  CHECK(
      lines[1].starts_with("Task exception was never retrieved\n"
                           "future: <Task finished name='doomed' coro=<"));
  CHECK(has(lines[1], " done, defined in " __FILE__
                      "> exception=std::runtime_error('unseen') created at " +
                          place(task_line) + ">\n"));
  CHECK(has(lines[1], "Traceback (most recent call last):\n  File \"" __FILE__ "\", line "));
  CHECK(lines[1].ends_with("\nstd::runtime_error: unseen"));
}

TEST_CASE("looking at an error, or cancelling, leaves nothing to report") {
  const CapturedLog log;
  brio::run([]() -> Coro<> {
    auto seen = brio::create_future<>();
    seen.set_exception(brio::ValueError("seen"));
    CHECK_THROWS_AS(seen.result(), brio::ValueError);
    auto asked = brio::create_future<>();
    asked.set_exception(brio::ValueError("asked"));
    CHECK(asked.exception());
    auto cancelled = brio::create_task(brio::sleep(1h));
    co_await brio::yield_now();
    cancelled.cancel();
    co_await brio::yield_now();
  });
  CHECK(CapturedLog::take().empty());
}

TEST_CASE("slow callbacks and steps are reported, by the loop's clock") {
  const CapturedLog log;
  brio::testing::run_test([]() -> Coro<> {
    brio::EventLoop& loop = brio::get_running_loop();
    auto& clock = brio::testing::virtual_clock();
    CHECK(loop.slow_callback_duration == 100ms);
    const unsigned line = here() + 1;
    loop.call_soon([&] { clock.advance(250ms); });
    loop.call_soon([&] { clock.advance(99ms); });
    co_await brio::yield_now();
    Lines lines = CapturedLog::take();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0] == "Executing <Handle created at " + place(line) + "> took 0.250 seconds");

    loop.slow_callback_duration = 1ms;
    const auto busy = [](brio::testing::VirtualClockEngine* engine) -> Coro<> {
      co_await brio::yield_now();
      engine->advance(1ms);
    };
    auto task = brio::create_task(brio::TaskOptions{.name = "busy"}, busy, &clock);
    co_await task;
    lines = CapturedLog::take();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].starts_with("Executing <Task pending name='busy' coro=<"));
    CHECK(lines[0].ends_with("> took 0.001 seconds"));

    loop.set_debug(false);
    loop.call_soon([&] { clock.advance(1s); });
    co_await brio::yield_now();
    CHECK(CapturedLog::take().empty());
    loop.set_debug(true);
  });
}

TEST_CASE("calls from another thread are refused, and change nothing") {
  brio::testing::run_test([]() -> Coro<> {
    brio::EventLoop& loop = brio::get_running_loop();
    auto future = brio::create_future<int>();
    auto waiting =
        brio::create_task([](brio::Future<int> of) -> Coro<int> { co_return co_await of; }(future));
    co_await brio::yield_now();

    CHECK(in_other_thread([&] { loop.call_soon([] {}); }) == wrong_thread);
    CHECK(in_other_thread([&] { loop.call_later(1s, [] {}); }) == wrong_thread);
    CHECK(in_other_thread([&] { loop.call_at(loop.time(), [] {}); }) == wrong_thread);
    CHECK(in_other_thread([&] { loop.create_task(named_coroutine()); }) == wrong_thread);
    CHECK(in_other_thread([&] { loop.add_reader(0, [] {}); }) == wrong_thread);
    CHECK(in_other_thread([&] { future.set_result(1); }) == wrong_thread);
    CHECK(in_other_thread([&] { future.set_exception(brio::ValueError("")); }) == wrong_thread);
    CHECK(in_other_thread([&] { future.cancel(); }) == wrong_thread);
    CHECK(in_other_thread([&] { waiting.cancel(); }) == wrong_thread);
    auto ended = brio::create_future<>();
    ended.set_result();
    int called = 0;
    const auto count = [&] { ++called; };
    CHECK(in_other_thread([&] { future.add_done_callback(count); }) == wrong_thread);
    CHECK(in_other_thread([&] { ended.add_done_callback(count); }) == wrong_thread);
    const brio::CallbackId id = future.add_done_callback(count);
    CHECK(in_other_thread([&] { future.remove_done_callback(id); }) == wrong_thread);
    brio::Handle soon = loop.call_soon(count);
    brio::TimerHandle timer = loop.call_later(0s, count);
    CHECK(in_other_thread([&] { soon.cancel(); }) == wrong_thread);
    CHECK(in_other_thread([&] { timer.cancel(); }) == wrong_thread);
    CHECK(in_other_thread([&] { loop.stop(); }) == wrong_thread);
    co_await brio::yield_now();
    co_await brio::yield_now();
    CHECK(called == 2);  // the two handles
    CHECK(!future.done());
    CHECK(waiting.cancelling() == 0);
    CHECK(brio::all_tasks().size() == 2);

    std::thread([&] { loop.call_soon_threadsafe([&future] { future.set_result(5); }); }).join();
    const int value = co_await waiting;
    CHECK(value == 5);
  });
}

TEST_CASE("a task destroyed while pending is reported with its line and where it waits") {
  const CapturedLog log;
  auto loop = brio::new_event_loop();
  auto gate = loop->create_future<>();
  const unsigned line = here() + 1;
  loop->create_task([](brio::Future<> of) -> Coro<> { co_await of; }(gate), {.name = "left"});
  loop->run_once();
  loop->close();
  const Lines lines = CapturedLog::take();
  REQUIRE(lines.size() == 1);
  CHECK(
      lines[0].starts_with("Task was destroyed but it is pending!\n"
                           "task: <Task pending name='left' coro=<"));
  CHECK(has(lines[0], " running at " + place(line) +
                          "> wait_for=<Future pending cb=[Task.task_wakeup()] created at " +
                          place(line - 2) + "> created at " + place(line) + ">\n"));
}

TEST_CASE("BRIO_DEBUG, set_debug and the runner's option turn debug mode on") {
  CHECK(brio::new_event_loop()->get_debug());  // the tests' main sets BRIO_DEBUG
  const auto loop = brio::new_event_loop();
  loop->set_debug(false);
  CHECK(!loop->get_debug());
  brio::run(
      []() -> Coro<> {
        CHECK(!brio::get_running_loop().get_debug());
        co_return;
      }(),
      {.debug = false});
}
