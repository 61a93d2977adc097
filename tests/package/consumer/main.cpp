// What a stranger writes against an installed brio: coroutines on a loop that runs, and an error
// that is thrown inside the library and caught outside.
#include <brio/core/exceptions.hpp>
#include <brio/core/gather.hpp>
#include <brio/core/runner.hpp>
#include <brio/core/sleep.hpp>

#include <chrono>
#include <cstdio>

brio::Coro<int> answer(int n) {
  co_await brio::sleep(std::chrono::milliseconds(1));
  if (n < 0) brio::throw_oserror(2, "open nothing");
  co_return n * 2;
}

brio::Coro<int> sum() {
  auto [a, b] = co_await brio::gather(answer(20), answer(1));
  co_return a + b;
}

int main() {
  if (brio::run(sum()) != 42) return 1;
  try {
    brio::run(answer(-1));
  } catch (const brio::FileNotFoundError& error) {
    std::puts(error.what());
    return 0;
  }
  return 2;
}
