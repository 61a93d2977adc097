// A coroutine object is one run of one coroutine: it has one owner, is not lost silently, and is
// awaited in a coroutine of brio's.
#include <brio/core/coro.hpp>
#include <brio/core/sleep.hpp>

#include <memory>
#include <utility>

brio::Coro<int> answer();

//! compiles: awaited, kept, moved
brio::Coro<int> good() {
  auto kept = answer();
  auto moved = std::move(kept);
  const int first = co_await std::move(moved);
  co_return first + co_await answer();
}

//! refused: a Coro is copied
//! error: deleted|implicitly deleted
void bad(brio::Coro<int>& coro) { auto copy = coro; }

//! refused: a Coro is dropped where it was called (the await was forgotten)
//! error: does nothing until it is awaited
brio::Coro<> bad() {
  answer();
  co_return;
}

//! refused: something that is no awaitable is awaited
//! error: cannot be awaited
brio::Coro<> bad() { co_await 42; }

//! refused: co_await in a function that is no coroutine of brio's
//! error: coroutine_traits|return type
int bad() { co_return co_await answer(); }

//! compiles: a pointer as the result
brio::Coro<int*> good(int& value) { co_return &value; }

//! refused: a reference as the result
//! error: Coro<T&> is not supported
brio::Coro<int&> bad(int& value) { co_return value; }

//! compiles: an over-aligned result in a box
struct alignas(64) Wide {
  char bytes[64];
};
brio::Coro<std::unique_ptr<Wide>> good() { co_return std::make_unique<Wide>(); }

//! refused: an over-aligned result
//! error: must be boxed
struct alignas(64) Wide {
  char bytes[64];
};
brio::Coro<Wide> bad() { co_return Wide{}; }

//! refused: a value is returned that is none
//! error: return_void|return_value|convertible
brio::Coro<int> bad() { co_return "42"; }
