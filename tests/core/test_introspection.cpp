// What a program can be asked while it runs: reprs, stacks, the call graph, kinds of things, the
// log.
#include "support.hpp"

#include <brio/brio.hpp>
#include <brio/core/callgraph.hpp>
#include <brio/testing/run_test.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;
using Lines = std::vector<std::string>;

namespace {

std::string place(unsigned line) { return __FILE__ ":" + std::to_string(line); }
unsigned here(std::source_location where = std::source_location::current()) { return where.line(); }

constexpr unsigned inner_line = __LINE__ + 1;
Coro<> inner_wait(brio::Future<> gate) { co_await gate; }
constexpr unsigned outer_line = __LINE__ + 1;
Coro<> outer_wait(brio::Future<> gate) { co_await inner_wait(gate); }

template <class Write>
std::string written(Write write) {
  std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  write(file.get());
  std::rewind(file.get());
  std::string text(8192, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file.get()));
  return text;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("reprs have Python's words in Python's order") {
  brio::testing::run_test([]() -> Coro<> {
    const unsigned line = here() + 1;
    auto future = brio::create_future<int>();
    const std::string made = " created at " + place(line) + ">";
    CHECK(future.repr() == "<Future pending" + made);
    future.set_exception(std::runtime_error("no"));
    CHECK(future.repr() == "<Future finished exception=std::runtime_error('no')" + made);
    CHECK(future.exception());
    auto other = brio::create_future<>();
    other.cancel();
    CHECK(other.repr().starts_with("<Future cancelled created at "));

    auto gate = brio::create_future<>();
    auto task = brio::create_task(outer_wait(gate), {.name = "t"});
    CHECK(task.repr().starts_with("<Task pending name='t' coro=<"));
    co_await brio::yield_now();
    CHECK(has(task.repr(), " running at " + place(outer_line) +
                               "> wait_for=<Future pending cb=[Task.task_wakeup()] created at "));
    auto waiter = brio::create_task([](brio::Task<> of) -> Coro<> { co_await of; }(task));
    co_await brio::yield_now();
    CHECK(has(waiter.repr(), "> wait_for=<Task name='t'> created at "));
    CHECK(has(task.repr(), "> cb=[Task.task_wakeup()] created at "));
    task.cancel();
    CHECK(task.repr().starts_with("<Task cancelling name='t' coro=<"));
    (void)co_await brio::as_outcome(waiter);
    CHECK(task.repr().starts_with("<Task cancelled name='t' coro=<"));
    // g++ names the coroutine's frame in place of the coroutine.
    CHECK(has(task.repr(), "outer_wait"));
    CHECK(has(task.repr(), " done, defined in " __FILE__ "> created at "));
    auto done = brio::create_task([]() -> Coro<int> { co_return 1; }(), {.name = "d"});
    co_await done;
    CHECK(done.repr().starts_with("<Task finished name='d' coro=<"));
    CHECK(has(done.repr(), " done, defined in " __FILE__ "> result=1 created at "));
    auto asleep = brio::create_task(brio::sleep(1h), {.name = "s"});
    co_await brio::yield_now();
    CHECK(has(asleep.repr(), "> wait_for=<Future pending cb=[Task.task_wakeup()]> created at "));
    asleep.cancel();
  });
}

TEST_CASE("reprs tell results as Python writes them, and callbacks") {
  const auto loop = brio::new_event_loop();
  loop->set_debug(false);  // and so no "created at"
  const auto repr = [&]<class T>(T value) {
    auto future = loop->create_future<T>();
    future.set_result(std::move(value));
    return future.repr();
  };
  CHECK(repr(5) == "<Future finished result=5>");
  CHECK(repr(18446744073709551615ULL) == "<Future finished result=18446744073709551615>");
  CHECK(repr(true) == "<Future finished result=True>");
  CHECK(repr('x') == "<Future finished result='x'>");
  const std::vector<std::pair<double, std::string>> doubles{
      {0.5, "0.5"},       {3.0, "3.0"},       {1e15, "1000000000000000.0"}, {1e16, "1e+16"},
      {0.0001, "0.0001"}, {0.00001, "1e-05"}, {-2.5e-7, "-2.5e-07"}};
  for (const auto& [value, text] : doubles)
    CHECK(repr(value) == "<Future finished result=" + text + ">");
  CHECK(repr(1.0 / 0.0) == "<Future finished result=inf>");
  const std::vector<std::pair<std::string, std::string>> strings{
      {"text", "'text'"},
      {"it's", "\"it's\""},
      {"'\"", "'\\'\"'"},
      {"a\n\x01\\", "'a\\n\\x01\\\\'"},
      {"0123456789012345678901234567", "'0123456789012345678901234567'"},
      {"01234567890123456789012345678", "'012345678901...6789012345678'"},
      {std::string(1000, 'a') + "\xc3\xa4", "'aaaaaaaaaaaa...aaaaaaaaaaaa\xc3\xa4'"}};
  for (const auto& [value, text] : strings)
    CHECK(repr(value) == "<Future finished result=" + text + ">");
  CHECK(repr(std::vector<int>()) ==
        "<Future finished result=<std::vector<int, std::allocator<int> >>>");
  auto nothing = loop->create_future<>();
  nothing.set_result();
  CHECK(nothing.repr() == "<Future finished result=None>");

  auto future = loop->create_future<int>();
  CHECK(future.repr() == "<Future pending>");
  const auto cb = [](unsigned line) { return "callback() at " + place(line); };
  const unsigned line = here() + 1;
  future.add_done_callback([] {});
  CHECK(future.repr() == "<Future pending cb=[" + cb(line) + "]>");
  future.add_done_callback([] {});
  CHECK(future.repr() == "<Future pending cb=[" + cb(line) + ", " + cb(line + 2) + "]>");
  future.add_done_callback([] {});
  future.add_done_callback([] {});
  CHECK(future.repr() == "<Future pending cb=[" + cb(line) + ", <2 more>, " + cb(line + 5) + "]>");
}

TEST_CASE("a task group that refuses tells its state") {
  brio::testing::run_test([]() -> Coro<> {
    brio::TaskGroup group;
    CHECK_THROWS_WITH_AS(group.create_task(brio::sleep(0s)),
                         "TaskGroup <TaskGroup> has not been entered", brio::RuntimeError);
    group.enter();
    CHECK_THROWS_WITH_AS(group.enter(), "TaskGroup <TaskGroup entered> has already been entered",
                         brio::RuntimeError);
    auto child = group.create_task(brio::sleep(1h));
    CHECK(group.repr() == "<TaskGroup tasks=1 entered>");
    CHECK(has(child.repr(), " cb=[TaskGroup._on_task_done()] "));
    child.cancel();
    const std::exception_ptr error = co_await group.leave(nullptr);
    CHECK(!error);
    CHECK_THROWS_WITH_AS(group.create_task(brio::sleep(0s)),
                         "TaskGroup <TaskGroup entered> is finished", brio::RuntimeError);
  });
}

TEST_CASE("tasks are named Task-N by one counter, and may be renamed") {
  brio::testing::run_test([]() -> Coro<> {
    auto first = brio::create_task(brio::sleep(0s));
    auto second = brio::create_task(brio::sleep(0s));
    CHECK(first.get_name().starts_with("Task-"));
    CHECK(std::stoi(second.get_name().substr(5)) == std::stoi(first.get_name().substr(5)) + 1);
    first.set_name("renamed");
    first.set_name("again");
    CHECK(first.get_name() == "again");
    CHECK(has(second.get_coro(), "as_coro"));
    co_await first;
    CHECK(has(first.get_coro(), "as_coro"));
    second.cancel();
    (void)co_await brio::as_outcome(second);
    CHECK(has(second.get_coro(), "as_coro"));
    // Cancelled before its first step.
    auto never = brio::create_task(brio::sleep(0s));
    never.cancel();
    (void)co_await brio::as_outcome(never);
    CHECK(has(never.get_coro(), "as_coro"));
    // CPython drops the coroutine of an eager task that ends at once.
    auto eager = brio::get_running_loop().create_task([]() -> Coro<> { co_return; }(),
                                                      {.eager_start = true});
    CHECK(eager.done());
    CHECK(std::string(eager.get_coro()).empty());
  });
}

TEST_CASE("a stack tells where each coroutine of a task waits, outermost first") {
  brio::testing::run_test([]() -> Coro<> {
    auto gate = brio::create_future<>();
    auto task = brio::create_task(outer_wait(gate), {.name = "deep"});
    co_await brio::yield_now();
    const std::vector<brio::StackFrame> stack = task.get_stack();
    REQUIRE(stack.size() == 2);
    CHECK(stack[0].line == outer_line);
    CHECK(has(stack[0].function_name, "outer_wait"));
    CHECK(stack[1].line == inner_line);
    CHECK(std::string(stack[1].file_name) == __FILE__);

    const std::string printed = written([&](std::FILE* file) { task.print_stack(file); });
    CHECK(printed.starts_with("Stack for <Task pending name='deep' coro=<"));
    CHECK(has(printed, "> (most recent call last):\n  File \"" __FILE__ "\", line " +
                           std::to_string(outer_line) + ", in "));
    CHECK(has(printed, "inner_wait"));
    for (const int limit : {1, 2, 3}) {
      CAPTURE(limit);
      const auto newest = task.get_stack({.limit = limit});
      REQUIRE(newest.size() == std::min<std::size_t>(2, static_cast<std::size_t>(limit)));
      CHECK(newest.back().line == inner_line);
    }
    CHECK(task.get_stack({.limit = 0}).empty());
    CHECK(task.get_stack({.limit = -1}).empty());
    const std::string newest =
        written([&](std::FILE* file) { task.print_stack(file, {.limit = 1}); });
    CHECK(has(newest, "line " + std::to_string(inner_line) + ", in "));
    CHECK(!has(newest, "line " + std::to_string(outer_line) + ", in "));
    CHECK(written([&](std::FILE* file) {
            task.print_stack(file, {.limit = 0});
          }).starts_with("No stack for <Task pending name='deep' "));
    gate.set_result();
    co_await task;
    CHECK(task.get_stack().empty());
    const std::string nothing = written([&](std::FILE* file) { task.print_stack(file); });
    CHECK(nothing.starts_with("No stack for <Task finished name='deep' "));
  });
}

namespace {
struct Counter {
  Coro<int> add(int by) { co_return value + by; }
  int value = 1;
};
}  // namespace

TEST_CASE("a task knows where it was created, however that was done") {
  brio::testing::run_test([]() -> Coro<> {
    const auto f = [](int a, int b = 0, int c = 0, int d = 0, int e = 0) -> Coro<int> {
      co_return a + b + c + d + e;
    };
    const auto here = [](const auto& task, unsigned line) {
      return has(task.repr(), "created at " + place(line));
    };
    CHECK(here(brio::create_task(f, 1), __LINE__));
    CHECK(here(brio::create_task({.name = "n"}, f, 1), __LINE__));
    const auto five = brio::create_task({}, f, 1, 2, 3, 4, 5);
    CHECK(here(five, __LINE__ - 1));
    CHECK(co_await five == 15);
    Counter counter;
    const auto member = brio::create_task(&Counter::add, &counter, 2);
    CHECK(co_await member == 3);
    const auto of_copy = brio::create_task(&Counter::add, counter, 3);
    CHECK(co_await of_copy == 4);
    co_await brio::task_group([&](brio::TaskGroup& group) -> Coro<> {
      CHECK(here(group.create_task(f(1)), __LINE__));
      CHECK(here(group.create_task(f, 1), __LINE__));
      CHECK(here(group.create_task(f, 1, 2, 3, 4), __LINE__));
      const auto named = group.create_task({.name = "child"}, f, 1, 2, 3, 4, 5);
      CHECK(here(named, __LINE__ - 1));
      CHECK(named.get_name() == "child");
      co_return;
    });
  });
}

TEST_CASE("the call graph shows who waits for whom") {
  brio::testing::run_test([]() -> Coro<> {
    auto gate = brio::create_future<>();
    auto task = brio::create_task(outer_wait(gate), {.name = "worker"});
    const auto waits = [](brio::Task<> of) -> Coro<> { co_await of; };
    auto left = brio::create_task(brio::TaskOptions{.name = "left"}, waits, task);
    auto right = brio::create_task(brio::TaskOptions{.name = "right"}, waits, task);
    co_await brio::yield_now();
    co_await brio::yield_now();

    const auto graph = brio::capture_call_graph(gate);
    REQUIRE(graph);
    CHECK(graph->future == gate);
    CHECK(graph->call_stack.empty());
    REQUIRE(graph->awaited_by.size() == 1);
    const brio::FutureCallGraph& worker = graph->awaited_by[0];
    CHECK(worker.future == task);
    REQUIRE(worker.call_stack.size() == 2);
    CHECK(has(worker.call_stack[0].function_name, "inner_wait"));
    CHECK(worker.awaited_by.size() == 2);

    const std::string text = brio::format_call_graph(gate);
    CHECK(
        text.starts_with("* Future()\n  + Awaited by:\n    * Task(name='worker')\n"
                         "      + Call stack:\n      |   File '" __FILE__ "', line " +
                         std::to_string(inner_line) + ", in "));
    CHECK(has(text, "      + Awaited by:\n        * Task(name='left')\n"));
    CHECK(has(text, "        * Task(name='right')\n"));
    CHECK(written([&](std::FILE* file) { brio::print_call_graph(gate, file); }) == text);

    const auto limited = brio::capture_call_graph(task, {.limit = 1});
    REQUIRE(limited->call_stack.size() == 1);
    CHECK(has(limited->call_stack[0].function_name, "inner_wait"));
    const auto outermost = brio::capture_call_graph(task, {.limit = -1});
    CHECK(has(outermost->call_stack[0].function_name, "outer_wait"));

    const unsigned line = here() + 1;
    const auto own = brio::capture_call_graph();
    CHECK(own->future == brio::current_task());
    CHECK(own->call_stack[0].line == line);
    gate.set_result();
    co_await left;
    co_await right;
  });
  CHECK(!brio::capture_call_graph());
  CHECK(brio::format_call_graph().empty());
}

TEST_CASE("current_task and all_tasks") {
  CHECK(!brio::current_task());
  CHECK_THROWS_AS((void)brio::all_tasks(), brio::RuntimeError);
  brio::testing::run_test([]() -> Coro<> {
    const brio::AnyTask main = brio::current_task();
    auto first =
        brio::create_task([]() -> Coro<const void*> { co_return brio::current_task().state(); }());
    CHECK(brio::all_tasks() == std::vector<brio::AnyTask>{main, first});
    const void* const inside = co_await first;
    CHECK(inside == first.state());
    CHECK(brio::all_tasks() == std::vector<brio::AnyTask>{main});
    bool none = false;
    brio::get_running_loop().call_soon([&] { none = !brio::current_task(); });
    co_await brio::yield_now();
    CHECK(none);
  });
}

TEST_CASE("eager tasks run until their first wait inside create_task") {
  brio::testing::run_test([]() -> Coro<> {
    brio::EventLoop& loop = brio::get_running_loop();
    const brio::AnyTask main = brio::current_task();
    Lines trace;
    const auto body = [](Lines& out, bool waits) -> Coro<int> {
      out.push_back("in " + brio::current_task().get_name());
      if (waits) co_await brio::yield_now();
      co_return 1;
    };
    auto quick = loop.create_task(body(trace, false), {.name = "quick", .eager_start = true});
    CHECK(quick.done());
    CHECK(quick.result() == 1);
    CHECK(brio::current_task() == main);
    CHECK(brio::all_tasks().size() == 1);
    auto waits = loop.create_task(body(trace, true), {.name = "waits", .eager_start = true});
    CHECK(!waits.done());
    CHECK(brio::all_tasks().size() == 2);
    CHECK(trace == Lines{"in quick", "in waits"});
    co_await waits;

    loop.set_task_factory(&brio::eager_task_factory);
    CHECK(brio::create_task(body(trace, false)).done());
    auto lazy = loop.create_task(body(trace, false), {.eager_start = false});
    CHECK(!lazy.done());
    co_await lazy;
    auto failed = brio::create_task([]() -> Coro<> {
      throw std::runtime_error("eager");
      co_return;
    }());
    CHECK(failed.done());
    CHECK(brio::describe(failed.exception()) == "eager");
    loop.set_task_factory(nullptr);
  });
  // Before the loop runs there is nothing to be eager in.
  const auto loop = brio::new_event_loop();
  bool ran = false;
  auto task = loop->create_task(
      [](bool& flag) -> Coro<> {
        flag = true;
        co_return;
      }(ran),
      {.eager_start = true});
  CHECK(!ran);
  loop->run_until_complete(task);
  CHECK(ran);
}

TEST_CASE("ensure_future, isfuture and iscoroutine") {
  brio::testing::run_test([]() -> Coro<> {
    const auto one = []() -> Coro<int> { co_return 1; };
    auto coro = one();
    CHECK(brio::iscoroutine(coro));
    CHECK(!brio::isfuture(coro));
    auto task = brio::ensure_future(std::move(coro));
    CHECK(brio::isfuture(task));
    CHECK(!brio::iscoroutine(task));
    CHECK(task.is_task());
    CHECK(brio::ensure_future(task) == task);
    auto future = brio::create_future<>();
    CHECK(brio::isfuture(future));
    CHECK(!future.is_task());
    CHECK(brio::ensure_future(future) == future);
    CHECK(!brio::isfuture(3));
    auto slept = brio::ensure_future(brio::sleep(1s));
    co_await slept;
    const int value = co_await task;
    CHECK(value == 1);
    CHECK_THROWS_AS(task.set_result(2), brio::RuntimeError);
    CHECK_THROWS_AS((void)brio::AnyTask(future), brio::TypeError);
    future.cancel();
  });
}

TEST_CASE("the log hook takes level, logger and text, and gives the earlier hook back") {
  static brio::LogLevel level{};
  static std::string logger;
  static std::string message;
  const brio::LogHook mine = [](const brio::LogRecord& record) {
    level = record.level;
    logger = record.logger;
    message = record.message;
  };
  const bool by_default = brio::set_log_hook(mine) == nullptr;
  CHECK(by_default);
  brio::log(brio::LogLevel::info, "brio.test", "said");
  CHECK(level == brio::LogLevel::info);
  CHECK(logger == "brio.test");
  CHECK(message == "said");
  brio::set_log_hook([](const brio::LogRecord&) { throw std::runtime_error("hook"); });
  brio::log(brio::LogLevel::error, "brio", "a hook that throws is ignored");
  const bool replaced = brio::set_log_hook(mine) != nullptr;
  CHECK(replaced);
  const bool was_mine = brio::set_log_hook(nullptr) == mine;
  CHECK(was_mine);
  const bool was_default = brio::set_log_hook(nullptr) == nullptr;
  CHECK(was_default);
  CHECK(message == "said");

  // The default writes warnings and errors to standard error, one line each.
  const support::Ended ended = support::Child([] {
                                 brio::log(brio::LogLevel::debug, "brio", "silent");
                                 brio::log(brio::LogLevel::info, "brio", "silent");
                                 brio::log(brio::LogLevel::warning, "brio", "warned");
                                 brio::log(brio::LogLevel::critical, "brio", "two\nlines");
                               }).wait();
  CHECK(ended.error == "warned\ntwo\nlines\n");
}

TEST_CASE("the call graph knows who iterates over as_completed, and forgets who did") {
  brio::testing::run_test([]() -> Coro<> {
    auto gate = brio::create_future<>();
    auto first = brio::create_future<>();
    const auto open = [](brio::Future<> a,
                         brio::Future<> b) -> Coro<brio::AsCompleted<brio::Future<>>> {
      auto all = brio::as_completed(std::vector<brio::Future<>>{std::move(a), std::move(b)});
      (void)co_await all.next();
      co_return all;
    };
    auto opening = brio::create_task(open, first, gate);
    co_await brio::yield_now();
    CHECK(brio::capture_call_graph(gate)->awaited_by.size() == 1);
    first.set_result();
    auto all = co_await std::move(opening);
    opening = {};
    CHECK(brio::capture_call_graph(gate)->awaited_by.empty());
    auto next = brio::create_task(all.next(), {.name = "next"});
    co_await brio::yield_now();
    const auto graph = brio::capture_call_graph(gate);
    REQUIRE(graph->awaited_by.size() == 1);
    CHECK(graph->awaited_by[0].future == next);
    gate.set_result();
    co_await next;
  });
}

TEST_CASE("a call graph that is too deep to be told is refused") {
  brio::testing::run_test([]() -> Coro<> {
    const auto gate = brio::create_future<>();
    const auto waits = [](brio::AnyFuture of) -> Coro<> { co_await of; };
    std::vector<brio::Task<>> chain;
    for (int i = 0; i < 2000; ++i) {
      chain.push_back(brio::create_task(
          waits, chain.empty() ? brio::AnyFuture(gate) : brio::AnyFuture(chain.back())));
    }
    co_await brio::yield_now();
    CHECK_THROWS_AS((void)brio::capture_call_graph(gate), brio::RuntimeError);
    gate.set_result();
    co_await chain.back();
  });
}

TEST_CASE("create_task takes its options behind the function, too") {
  brio::testing::run_test([]() -> Coro<> {
    const auto f = []() -> Coro<int> { co_return 7; };
    const auto task = brio::create_task(f, {.name = "behind"});
    CHECK(task.get_name() == "behind");
    const int value = co_await task;
    CHECK(value == 7);
    co_await brio::task_group([&](brio::TaskGroup& group) -> Coro<> {
      CHECK(group.create_task(f, {.name = "child"}).get_name() == "child");
      co_return;
    });
  });
}
