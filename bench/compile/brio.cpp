// Hello-world as a user of brio begins: the everyday umbrella. The other files here are its twins.
#include <brio/brio.hpp>

#include <cstdio>

using namespace std::chrono_literals;

brio::Coro<> hello() {
  co_await brio::sleep(1ms);
  std::puts("hello");
}

int main() { brio::run(hello()); }
