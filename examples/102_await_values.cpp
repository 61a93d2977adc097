// co_await of a coroutine is a call that may suspend: it runs in place and gives its value.
#include <brio/brio.hpp>

#include <cstdio>
#include <string>

brio::Coro<std::string> greeting(std::string name) { co_return "hello, " + name; }

brio::Coro<int> amain() {
  // Parameters are kept in the coroutine's frame: take by value what must live as long as it.
  const std::string text = co_await greeting("brio");
  std::printf("%s\n", text.c_str());

  // The object is lazy: this runs nothing yet …
  brio::Coro<std::string> later = greeting("later");
  std::puts("not yet");
  // … and it can be awaited once.
  std::printf("%s\n", (co_await std::move(later)).c_str());
  try {
    co_await later;
  } catch (const brio::RuntimeError& e) {
    std::printf("RuntimeError: %s\n", e.what());
  }
  co_return 3;
}

int main() { std::printf("%d\n", brio::run(amain())); }
