#include "support.hpp"

#include <brio/brio.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;
using Lines = std::vector<std::string>;

namespace {

template <class Call>
std::string thrown(Call&& call) {
  std::exception_ptr error;
  try {
    call();
  } catch (...) {
    error = std::current_exception();
  }
  return brio::type_name(error) + ": " + brio::describe(error);
}

}  // namespace

TEST_CASE("stop before run_forever lets it run one iteration; from a callback it ends the batch") {
  const auto loop = brio::new_event_loop();
  Lines trace;
  loop->stop();
  loop->call_soon([&] {
    trace.emplace_back("first");
    loop->call_soon([&] { trace.emplace_back("next iteration"); });
  });
  loop->call_soon([&] { trace.emplace_back("second"); });
  loop->run_forever();
  CHECK(trace == Lines{"first", "second"});

  trace.clear();
  loop->call_soon([&] {
    loop->stop();
    trace.emplace_back("stopped");
    loop->call_soon([&] { trace.emplace_back("later"); });
  });
  loop->call_soon([&] { trace.emplace_back("same batch"); });
  loop->run_forever();
  CHECK(trace == Lines{"next iteration", "stopped", "same batch"});
  loop->stop();
  loop->run_forever();
  CHECK(trace.back() == "later");
}

TEST_CASE("a deadline before all time is due at once") {
  const auto loop = brio::new_event_loop();
  int called = 0;
  loop->call_at(brio::TimePoint::min(), [&] { ++called; });
  CHECK(loop->until_due() == brio::Duration::zero());
  loop->run_until_complete([]() -> brio::Coro<> {
    co_await brio::sleep_until(brio::TimePoint::min());
    co_await brio::sleep(std::chrono::milliseconds(1));
  }());
  CHECK(called == 1);
}

TEST_CASE("stop with nothing to do does not block") {
  const auto loop = brio::new_event_loop();
  loop->call_later(24h, [] {});
  loop->stop();
  loop->run_forever();
  CHECK(!loop->is_running());
}

TEST_CASE("run_until_complete: done futures, foreign ones, and a loop that is stopped") {
  const auto loop = brio::testing::virtual_loop();
  const auto other = brio::new_event_loop();
  auto done = loop->create_future<int>();
  done.set_result(3);
  CHECK(loop->run_until_complete(done) == 3);
  CHECK(loop->run_until_complete(done) == 3);
  CHECK(thrown([&] {
          other->run_until_complete(done);
        }).starts_with("brio::ValueError: The future belongs to a different loop than the one"));

  auto pending = loop->create_future<>();
  loop->call_soon([&] { loop->stop(); });
  CHECK(thrown([&] { loop->run_until_complete(pending); }) ==
        "brio::RuntimeError: Event loop stopped before Future completed.");
  // Its callback went with the failed run: completing it does not stop the next one.
  pending.set_result();
  Lines trace;
  loop->call_soon([&] { loop->call_soon([&] { loop->call_soon([&] { loop->stop(); }); }); });
  loop->call_later(1s, [&] { trace.emplace_back("timer"); });
  loop->run_forever();
  CHECK(trace.empty());

  auto failed = loop->create_future<>();
  failed.set_exception(brio::ValueError("bad"));
  CHECK(thrown([&] { loop->run_until_complete(failed); }) == "brio::ValueError: bad");
  auto cancelled = loop->create_future<>();
  cancelled.cancel("msg");
  CHECK(thrown([&] { loop->run_until_complete(cancelled); }) == "brio::CancelledError: msg");
}

TEST_CASE("a task whose run was stopped goes on with the next run") {
  const auto loop = brio::testing::virtual_loop();
  auto task = loop->create_task([]() -> Coro<int> {
    co_await brio::sleep(10s);
    co_return 6;
  }());
  loop->call_later(1s, [&] { loop->stop(); });
  CHECK(thrown([&] { loop->run_until_complete(task); }).ends_with("before Future completed."));
  CHECK(!task.done());
  CHECK(loop->run_until_complete(task) == 6);
}

TEST_CASE("close: twice, while running, and what a closed loop refuses") {
  auto loop = brio::new_event_loop();
  loop->call_soon([&] {
    CHECK(thrown([&] { loop->close(); }) ==
          "brio::RuntimeError: Cannot close a running event loop");
    loop->stop();
  });
  loop->run_forever();
  CHECK(!loop->is_closed());

  const auto kept = std::make_shared<int>(0);
  loop->call_soon([kept] {});
  loop->call_later(1h, [kept] {});
  brio::TimerHandle timer = loop->call_later(1h, [] {});
  loop->close();
  loop->close();
  CHECK(loop->is_closed());
  CHECK(kept.use_count() == 1);  // what was queued is dropped at once
  timer.cancel();

  const std::string closed = "brio::RuntimeError: Event loop is closed";
  const support::CapturedLog log;  // of the coroutines that are never awaited
  const auto nothing = []() -> Coro<> { co_return; };
  CHECK(thrown([&] { loop->call_soon([] {}); }) == closed);
  CHECK(thrown([&] { loop->call_later(1s, [] {}); }) == closed);
  CHECK(thrown([&] { loop->call_at(loop->time(), [] {}); }) == closed);
  CHECK(thrown([&] { loop->call_soon_threadsafe([] {}); }) == closed);
  CHECK(thrown([&] { loop->create_task(nothing()); }) == closed);
  CHECK(thrown([&] { loop->run_until_complete(nothing()); }) == closed);
  CHECK(thrown([&] { loop->run_forever(); }) == closed);
  CHECK(thrown([&] { loop->add_reader(0, [] {}); }) == closed);
  CHECK(!loop->remove_reader(0));
  loop->stop();  // allowed, without effect
}

TEST_CASE("an error in a callback goes to the handler, and the loop goes on") {
  const auto loop = brio::new_event_loop();
  Lines reports;
  const auto run_failing = [&] {
    loop->call_soon([] { throw std::runtime_error("oops"); });
    loop->call_soon([&] {
      reports.emplace_back("next callback");
      loop->stop();
    });
    loop->run_forever();
  };
  CHECK(loop->get_exception_handler() == nullptr);
  {
    const support::CapturedLog log;
    run_failing();
    const Lines lines = support::CapturedLog::take();
    REQUIRE(lines.size() == 1);
    CHECK(lines[0].starts_with("Exception in callback <Handle created at "));
    CHECK(lines[0].find("test_loop.cpp:") != std::string::npos);
    CHECK(lines[0].ends_with("\nstd::runtime_error: oops"));
  }
  loop->set_exception_handler([&](brio::EventLoop& of, const brio::ExceptionContext& context) {
    CHECK(&of == loop.get());
    CHECK(context.handle);
    CHECK(context.where.line() > 0);
    CHECK(!context.future);
    reports.push_back(brio::describe(context.exception));
  });
  CHECK(loop->get_exception_handler() != nullptr);
  reports.clear();
  run_failing();
  CHECK(reports == Lines{"oops", "next callback"});
}

TEST_CASE("a handler that throws falls back to the default one; a fatal error of it passes") {
  const auto loop = brio::new_event_loop();
  loop->set_exception_handler([](brio::EventLoop&, const brio::ExceptionContext& context) {
    if (context.message == "fatal") throw brio::SystemExit(4);
    throw std::runtime_error("handler broken");
  });
  {
    const support::CapturedLog log;
    loop->call_exception_handler({.message = "first"});
    CHECK(support::CapturedLog::take() ==
          Lines{"Unhandled error in exception handler\nwhile handling: first\n"
                "std::runtime_error: handler broken"});
  }
  CHECK_THROWS_AS(loop->call_exception_handler({.message = "fatal"}), brio::SystemExit);
}

TEST_CASE("call_exception_handler: the default text, and the handler's context") {
  const auto loop = brio::new_event_loop();
  {
    const support::CapturedLog log;
    loop->call_exception_handler({});
    loop->call_exception_handler({.message = "said so", .source = "transport: t"});
    CHECK(support::CapturedLog::take() ==
          Lines{"Unhandled exception in event loop", "said so\ntransport: t"});
  }
  static const brio::ContextVar<int> var("var", 0);
  int seen = 0;
  loop->set_exception_handler(
      [&](brio::EventLoop&, const brio::ExceptionContext&) { seen = var.get(); });
  brio::Context context;
  context.run([&] {
    var.set(1);
    loop->call_soon([] { throw std::runtime_error(""); });
    var.set(2);
  });
  loop->stop();
  loop->run_forever();
  CHECK(seen == 1);

  // A handle's, which reports that are made by hand may name as well; a plain future has none, and
  // keeps the handle from being asked.
  const brio::Handle handle = loop->call_soon([] {}, {.context = context});
  seen = 0;
  loop->call_exception_handler({.message = "of a handle", .handle = handle});
  CHECK(seen == 2);
  loop->call_exception_handler(
      {.message = "of both", .future = loop->create_future<>(), .handle = handle});
  CHECK(seen == 0);
}

TEST_CASE("a done-callback or a posted callback that fails is reported as a handle") {
  const auto loop = brio::new_event_loop();
  static const brio::ContextVar<int> var("var", 0);
  brio::Context context;
  context.run([] { var.set(3); });
  Lines reports;
  loop->set_exception_handler([&](brio::EventLoop&, const brio::ExceptionContext& report) {
    CHECK(!report.future);
    CHECK(!report.task);
    REQUIRE(report.handle);
    CHECK(!report.handle.cancelled());
    CHECK(report.handle.get_context().run([] { return var.get(); }) == 3);
    CHECK(report.message.starts_with("Exception in callback "));
    reports.push_back(brio::describe(report.exception) + " " + std::to_string(var.get()));
  });
  const auto future = loop->create_future<>();
  future.add_done_callback([] { throw std::runtime_error("done"); }, {.context = context});
  future.set_result();
  loop->call_soon_threadsafe([] { throw std::runtime_error("posted"); }, {.context = context});
  loop->stop();
  loop->run_forever();
  CHECK(reports == Lines{"done 3", "posted 3"});
}

TEST_CASE("a fatal error of the handler does not end a program from within a destructor") {
  const support::CapturedLog log;
  const auto loop = brio::new_event_loop();
  loop->set_exception_handler(
      [](brio::EventLoop&, const brio::ExceptionContext&) { throw brio::KeyboardInterrupt(); });
  loop->create_future<>().set_exception(std::runtime_error("lost"));
  loop->create_task([]() -> Coro<> { co_return; }());
  loop->close();
  CHECK(loop->is_closed());
  CHECK(support::CapturedLog::take() ==
        Lines(2, "Exception ignored in the exception handler: brio::KeyboardInterrupt"));
}

TEST_CASE_TEMPLATE("the fatal family leaves run_forever at once, and the rest waits", Fatal,
                   brio::KeyboardInterrupt, brio::SystemExit) {
  const auto loop = brio::new_event_loop();
  Lines trace;
  loop->call_soon([] { throw Fatal(); });
  loop->call_soon([&] {
    trace.emplace_back("survivor");
    loop->stop();
  });
  CHECK_THROWS_AS(loop->run_forever(), Fatal);
  CHECK(!loop->is_running());
  CHECK(brio::running_loop_or_null() == nullptr);
  CHECK(trace.empty());
  loop->run_forever();
  CHECK(trace == Lines{"survivor"});

  // From a task it is stored in the task as well.
  auto task = loop->create_task([]() -> Coro<> {
    co_await brio::yield_now();
    throw Fatal();
  }());
  CHECK_THROWS_AS(loop->run_forever(), Fatal);
  CHECK(task.done());
  CHECK_THROWS_AS(task.result(), Fatal);
}

TEST_CASE("timers: past ones, equal ones, negative and impossible delays") {
  const auto loop = brio::testing::virtual_loop();
  Lines trace;
  const auto mark = [&](const char* text) { return [&trace, text] { trace.emplace_back(text); }; };
  const brio::TimePoint now = loop->time();
  loop->call_later(2s, mark("2a"));
  loop->call_later(2s, mark("2b"));
  loop->call_at(now - 5s, mark("past"));
  loop->call_later(-1s, mark("negative"));
  loop->call_later(0s, mark("zero"));
  loop->call_soon(mark("soon"));
  const brio::TimerHandle timer = loop->call_later(1500ms, mark("1.5"));
  CHECK(timer.when() == now + 1500ms);
  CHECK(!timer.cancelled());
  brio::TimerHandle never = loop->call_later(1s, mark("never"));
  never.cancel();
  never.cancel();
  CHECK(never.cancelled());
  loop->call_later(3s, [&] { loop->stop(); });
  loop->run_forever();
  CHECK(trace == Lines{"soon", "past", "negative", "zero", "1.5", "2a", "2b"});

  const std::chrono::duration<double> nan(std::nan(""));
  CHECK(thrown([&] { loop->call_later(nan, [] {}); }).starts_with("brio::ValueError: "));
  loop->call_later(std::chrono::duration<double>(std::numeric_limits<double>::infinity()), [] {});
  loop->call_later(std::chrono::hours::max(), [] {});
}

TEST_CASE("a cancelled handle frees its callable at once and is skipped in the running batch") {
  const auto loop = brio::new_event_loop();
  const auto kept = std::make_shared<int>(0);
  bool ran = false;
  brio::Handle second;
  loop->call_soon([&] {
    second.cancel();
    CHECK(kept.use_count() == 1);
    loop->stop();
  });
  second = loop->call_soon([&ran, kept] { ran = true; });
  CHECK(kept.use_count() == 2);
  loop->run_forever();
  CHECK(!ran);
  CHECK(second.cancelled());

  // A callback that cancels itself lives until it returns.
  brio::Handle self;
  self = loop->call_soon([&, kept] {
    self.cancel();
    ran = kept.use_count() == 2;
    loop->stop();
  });
  loop->run_forever();
  CHECK(ran);
  CHECK(kept.use_count() == 1);  // and goes then
}

TEST_CASE("callbacks run in the context of their registration, or in the one given") {
  static const brio::ContextVar<std::string> var("var", "default");
  const auto loop = brio::new_event_loop();
  Lines trace;
  brio::Context own;
  brio::Context outer;
  outer.run([&] {
    var.set("at call");
    loop->call_soon([&] { trace.push_back(var.get()); });
    brio::Handle handle = loop->call_soon(
        [&] {
          trace.push_back(var.get());
          var.set("set inside");
        },
        {.context = own});
    CHECK(handle.get_context() == own);
    loop->call_soon_threadsafe([&] {
      trace.push_back(var.get());
      loop->stop();
    });
    var.set("after");
  });
  loop->run_forever();
  CHECK(trace == Lines{"at call", "default", "at call"});
  CHECK(own.get(var) == "set inside");
}

TEST_CASE("call_soon_threadsafe wakes a sleeping loop, in order, and may be cancelled") {
  const auto loop = brio::new_event_loop();
  Lines trace;
  std::thread other;
  loop->call_soon([&] {
    other = std::thread([&] {
      brio::ThreadSafeHandle cancelled =
          loop->call_soon_threadsafe([&] { trace.emplace_back("first"); });
      loop->call_soon_threadsafe([&] { trace.emplace_back("second"); });
      loop->call_soon_threadsafe([&] { loop->stop(); });
    });
  });
  loop->run_forever();
  other.join();
  CHECK(trace == Lines{"first", "second"});

  // Posted while nothing runs: kept for the next run.
  std::thread([&] {
    auto handle = loop->call_soon_threadsafe([&] { trace.emplace_back("cancelled"); });
    handle.cancel();
    CHECK(handle.cancelled());
    loop->call_soon_threadsafe([&] { trace.emplace_back("third"); });
  }).join();
  loop->stop();
  loop->run_forever();
  CHECK(trace == Lines{"first", "second", "third"});
}

TEST_CASE("a task factory sees every task, may change it, and is taken away again") {
  brio::testing::run_test([]() -> Coro<> {
    brio::EventLoop& loop = brio::get_running_loop();
    Lines seen;
    CHECK(loop.get_task_factory() == nullptr);
    loop.set_task_factory([&](brio::EventLoop& of, brio::TaskRequest& request) {
      CHECK(&of == &loop);
      seen.emplace_back(request.options.name.value_or("unnamed"));
      if (!request.options.name) request.options.name = "by factory";
      return request.start();
    });
    const auto one = [](int value) -> Coro<int> { co_return value; };
    auto first = brio::create_task(one(1));
    auto second = brio::create_task(brio::TaskOptions{.name = "own"}, one, 2);
    CHECK(first.get_name() == "by factory");
    CHECK(second.get_name() == "own");
    CHECK(loop.get_task_factory() != nullptr);
    loop.set_task_factory(nullptr);
    auto third = brio::create_task(one(3));
    const int sum = co_await first + co_await second + co_await third;
    CHECK(sum == 6);
    CHECK(seen == Lines{"unnamed", "own"});
  });
}

TEST_CASE("a task factory that throws leaves no task behind") {
  const support::CapturedLog log;  // the coroutine is never awaited
  brio::testing::run_test([]() -> Coro<> {
    brio::get_running_loop().set_task_factory(
        [](brio::EventLoop&, brio::TaskRequest&) -> brio::AnyTask {
          throw std::runtime_error("no tasks today");
        });
    CHECK_THROWS_WITH(brio::create_task([]() -> Coro<> { co_return; }()), "no tasks today");
    brio::get_running_loop().set_task_factory(nullptr);
    CHECK(brio::all_tasks().size() == 1);
    co_return;
  });
}
