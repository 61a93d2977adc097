// Generator yields values; AsyncGenerator may await between them.
#include <brio/brio.hpp>

#include <cstdio>

using namespace std::chrono_literals;

brio::Generator<int> countdown(int n) {
  for (; n > 0; --n) co_yield n;
}

brio::Generator<int> twice(int n) {
  co_yield countdown(n);  // Python's `yield from`
  co_yield countdown(n);
}

brio::AsyncGenerator<int> ticks(int n) {
  for (int i = 1; i <= n; ++i) {
    co_await brio::sleep(1ms);
    co_yield i;
  }
}

brio::Coro<> amain() {
  for (const int n : twice(2)) std::printf("%d ", n);
  std::puts("");

  auto gen = ticks(3);
  while (auto tick = co_await gen.next()) std::printf("tick %d\n", *tick);

  auto unfinished = ticks(100);
  (void)co_await unfinished.next();
  co_await unfinished.aclose();  // runs its clean-up here and now
  std::puts("closed");
}

int main() { brio::run(amain()); }
