// With the headers that hello-world needs, and no others.
#include <brio/core/runner.hpp>
#include <brio/core/sleep.hpp>

#include <cstdio>

using namespace std::chrono_literals;

brio::Coro<> hello() {
  co_await brio::sleep(1ms);
  std::puts("hello");
}

int main() { brio::run(hello()); }
