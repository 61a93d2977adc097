// The classic crash of C++ coroutines: the closure of a lambda coroutine dies at the end of the
// full expression, and the task that runs it goes on. clang sees it in strict builds.
#define BRIO_STRICT_LIFETIMES
#include <brio/core/loop.hpp>
#include <brio/core/taskgroup.hpp>

#include <string>
#include <utility>

brio::Coro<> print(std::string text);

//! compiles: create_task keeps the callable and its arguments
brio::Coro<> good(std::string text) {
  auto task = brio::create_task([text]() -> brio::Coro<> { co_await print(text); });
  auto other = brio::create_task(print, text);
  co_await task;
  co_await other;
}

//! compiles: a lambda without captures, with arguments
brio::Coro<> good(std::string text) {
  auto task = brio::create_task([](std::string own) -> brio::Coro<> { co_await print(own); }(text));
  co_await task;
}

//! refused: the closure is gone when the task runs
//! clang-only
//! error: temporary|dangling|destroyed at the end
brio::Coro<> bad(std::string text) {
  auto task = brio::create_task([text]() -> brio::Coro<> { co_await print(text); }());
  co_await task;
}

//! compiles: a group keeps the callable too
brio::Coro<> good(brio::TaskGroup& group, std::string text) {
  group.create_task([text]() -> brio::Coro<> { co_await print(text); });
  co_return;
}
