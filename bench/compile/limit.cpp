// By hand: the standard headers that a coroutine loop takes, and the loop.
#include "../limit/loop.hpp"

#include <cstdio>

limit::Coro<> hello() {
  co_await limit::SleepUntil(limit::now() + 1'000'000);
  std::puts("hello");
}

int main() { limit::run(hello()); }
