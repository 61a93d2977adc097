// A plain generator cannot wait; that is what AsyncGenerator is for.
#include <brio/core/async_generator.hpp>
#include <brio/core/generator.hpp>
#include <brio/core/sleep.hpp>

#include <chrono>

//! compiles: yielding; yielding and waiting
brio::Generator<int> good() { co_yield 1; }
brio::AsyncGenerator<int> good_too() {
  co_await brio::sleep(std::chrono::seconds(1));
  co_yield 1;
}

//! refused: co_await in a plain generator
//! error: deleted|await_transform
brio::Generator<int> bad() {
  co_await brio::sleep(std::chrono::seconds(1));
  co_yield 1;
}
