// gather runs awaitables at the same time and gives all results, in the order of the arguments.
#include <brio/brio.hpp>

#include <cstdio>
#include <vector>

using namespace std::chrono_literals;

brio::Coro<int> square(int n) {
  co_await brio::sleep(std::chrono::milliseconds(10 * (4 - n)));  // the first takes longest
  std::printf("square of %d\n", n);
  co_return n* n;
}

brio::Coro<> amain() {
  auto [a, b] = co_await brio::gather(square(1), square(2));  // a tuple; types may differ
  std::printf("%d %d\n", a, b);

  std::vector<brio::Coro<int>> many;
  for (int n = 1; n <= 3; ++n) many.push_back(square(n));
  int sum = 0;
  for (const int value : co_await brio::gather(std::move(many))) sum += value;
  std::printf("sum %d\n", sum);
}

int main() { brio::run(amain()); }
