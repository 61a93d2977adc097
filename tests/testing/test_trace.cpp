#include <brio/brio.hpp>
#include <brio/testing/trace.hpp>

#include <doctest/doctest.h>

#include <map>
#include <string>
#include <vector>

using namespace brio;
using namespace brio::testing::trace;
using namespace std::chrono_literals;
using Lines = std::vector<std::string>;

namespace {
struct Custom : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct LouderBoom : Boom {
  using Boom::Boom;
};
}  // namespace

TEST_CASE("trace: values print as in Python") {
  CHECK(str("text") == "text");
  CHECK(repr("it's") == "\"it's\"");
  CHECK(repr("both ' and \"") == "'both \\' and \"'");
  CHECK(str(true) == "True");
  CHECK(str(None) == "None");
  CHECK(str(std::monostate()) == "None");
  CHECK(str(std::optional<int>()) == "None");
  CHECK(str(std::optional(3)) == "3");
  CHECK(str(1.0) == "1.0");
  CHECK(str(0.1) == "0.1");
  CHECK(str(1e22) == "1e+22");
  CHECK(str('a') == "a");
  CHECK(str(bytes("a\n\x01\xff'")) == "b\"a\\n\\x01\\xff'\"");
  CHECK(str(std::vector<std::string>{"a", "b"}) == "['a', 'b']");
  CHECK(str(std::vector<bool>{true, false}) == "[True, False]");
  CHECK(str(std::vector<int>()) == "[]");
  CHECK(str(std::tuple("good", true)) == "('good', True)");
  CHECK(str(std::tuple(1)) == "(1,)");
  CHECK(as_list(std::tuple(1, "x")) == "[1, 'x']");
  CHECK(as_list(std::tuple(1)) == "[1]");
  CHECK(str(std::map<std::string, int>{{"k", 2}}) == "{'k': 2}");
}

TEST_CASE("trace: ev joins with spaces") {
  CHECK(captured([] {
          ev("a", 1, true, None);
          ev();
          ev("", "b");
        }) == Lines{"a 1 True None", "", " b"});
}

TEST_CASE("trace: neutral names of errors") {
  const auto name = [](auto error) { return nm(std::make_exception_ptr(error)); };
  CHECK(nm(std::exception_ptr()) == "none");
  CHECK(name(ValueError("secret text")) == "ValueError");
  CHECK(name(Custom("x")) == "Custom");
  CHECK(name(Boom("x")) == "Boom(x)");
  CHECK(name(Boom(4)) == "Boom(4)");
  CHECK(name(Boom()) == "Boom");
  CHECK(name(LouderBoom("x")) == "LouderBoom(x)");
  CHECK(name(Halt("now")) == "Halt(now)");
  CHECK(name(CancelledError()) == "CancelledError");
  CHECK(name(CancelledError("why")) == "CancelledError(why)");
  CHECK(name(TimeoutError()) == "TimeoutError");
  const std::exception_ptr boom = std::make_exception_ptr(Boom("x"));
  const std::exception_ptr inner = std::make_exception_ptr(ExceptionGroup("", {boom}));
  CHECK(name(ExceptionGroup("", {boom, inner})) == "Group[Boom(x) Group[Boom(x)]]");
  const std::exception_ptr cancelled = std::make_exception_ptr(CancelledError());
  CHECK(name(ExceptionGroup("", {std::make_exception_ptr(ExceptionGroup("", {cancelled}))})) ==
        "BaseGroup[BaseGroup[CancelledError]]");
  try {
    throw Boom("caught");
  } catch (const std::exception& e) {
    CHECK(nm(e) == "Boom(caught)");
  }
}

TEST_CASE("trace: go tells what escapes, caught what came out, st the state") {
  const auto lines = captured([] {
    ev(go([]() -> Coro<std::string> {
      const Future<int> future = create_future<int>();
      ev(st(future));
      future.set_result(7);
      ev(st(future));
      co_await caught(future);
      co_await caught(sleep(0s), "slept");
      const Task<> task = create_task([]() -> Coro<> {
        co_await yield_now();
        throw Boom("x");
      });
      co_await caught(task, "task");
      ev(st(task));
      const Future<> gone = create_future<>();
      gone.cancel("m");
      co_await caught(gone);
      ev(st(gone));
      co_return "value";
    }));
    ev(go([]() -> Coro<int> { throw Halt("h"); }));
  });
  CHECK(lines == Lines{"pending", "result:7", "got value 7", "slept value None", "task Boom(x)",
                       "error:Boom(x)", "got CancelledError(m)", "cancelled", "value",
                       "ESCAPED Halt(h)", "None"});
}

TEST_CASE("trace: trap reports what the exception handler is told") {
  const auto lines = captured([] {
    go([]() -> Coro<> {
      trap();
      get_running_loop().call_soon([] { throw Boom("cb"); });
      co_await ticks(1);
      {
        const Task<> task = create_task([]() -> Coro<> {
          co_await yield_now();
          throw Bang("unseen");
        });
        co_await ticks(3);
      }
      get_running_loop().call_exception_handler({.message = "something else"});
    });
  });
  CHECK(lines == Lines{"HANDLER callback Boom(cb)", "HANDLER unretrieved Bang(unseen)",
                       "HANDLER other none"});
}

TEST_CASE("trace: block and stopwatch agree") {
  drive([](EventLoop&) {
    const auto watch = stopwatch();
    block(0.1);
    CHECK(watch() >= 0.0999);
  });
}

TEST_CASE("trace: a pair of sockets") {
  auto [a, b] = pair();
  CHECK(a.send("hi") == 2);
  CHECK(b.recv(10) == "hi");
  CHECK_THROWS_AS((void)b.recv(10), BlockingIOError);
  a.close();
  CHECK(b.recv(10).empty());
}

TEST_CASE("trace: the log is silent but for a capture") {
  drive([](EventLoop& loop) {
    LogCapture capture(LogLevel::warning);
    log(LogLevel::info, "brio", "dropped");
    loop.default_exception_handler({.message = "kept"});
    REQUIRE(capture.records.size() == 1);
    CHECK(level_name(capture.records[0].level) == "ERROR");
    CHECK(capture.records[0].message.starts_with("kept"));
  });
}
