// A callback is a plain function: a coroutine function there would make a Coro that nobody awaits.
#include <brio/core/future.hpp>
#include <brio/core/loop.hpp>

brio::Coro<> later();

//! compiles: plain callbacks
void good(brio::EventLoop& loop, const brio::Future<int>& future) {
  loop.call_soon([] {});
  future.add_done_callback([] {});
  future.add_done_callback([](const brio::Future<int>&) {});
}

//! refused: a coroutine function as a callback of the loop
//! error: a coroutine function cannot be a callback; use create_task
void bad(brio::EventLoop& loop) { loop.call_soon(later); }

//! refused: a done-callback that takes something else
//! error: a done-callback takes the future, or nothing
void bad(const brio::Future<int>& future) {
  future.add_done_callback([](int) {});
}

//! refused: a result of a type that the future does not hold
//! error: no matching|constraints not satisfied
void bad(const brio::Future<int>& future) { future.set_result("42"); }
