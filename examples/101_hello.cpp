// A coroutine function returns brio::Coro. Calling it runs nothing; brio::run starts a loop, runs
// the coroutine to its end and gives its value.
#include <brio/brio.hpp>

#include <cstdio>

using namespace std::chrono_literals;

brio::Coro<> hello() {
  std::puts("hello");
  co_await brio::sleep(10ms);  // other tasks could run meanwhile
  std::puts("world");
}

int main() { brio::run(hello()); }
