// Errors are exceptions and travel through co_await. Where something must be awaited while an error
// is handled, as_outcome gives it as a value, because C++ allows no co_await in a catch block.
#include <brio/brio.hpp>

#include <cstdio>

using namespace std::chrono_literals;

brio::Coro<int> parse(int n) {
  co_await brio::sleep(1ms);
  if (n < 0) throw brio::ValueError("negative");
  co_return n;
}

brio::Coro<> amain() {
  try {
    co_await parse(-1);
  } catch (const brio::ValueError& e) {
    std::printf("caught: %s\n", e.what());
  }

  const auto outcome = co_await brio::as_outcome(parse(-2));
  if (!outcome) {
    co_await brio::sleep(1ms);  // awaiting here is fine
    std::printf("outcome: %s\n", brio::describe(outcome.error()).c_str());
  }

  // With return_exceptions, gather gives an outcome for each instead of failing with the first.
  auto [good, bad] = co_await brio::gather(brio::return_exceptions, parse(7), parse(-3));
  std::printf("%d, and %s\n", good.value(), brio::describe(bad.error()).c_str());

  // finally: the clean-up may await, and runs on every way out.
  try {
    co_await brio::try_finally([]() -> brio::Coro<> { (void)co_await parse(-4); },
                               []() -> brio::Coro<> {
                                 co_await brio::sleep(1ms);
                                 std::puts("cleaned up");
                               });
  } catch (const brio::ValueError&) {
    std::puts("and the error goes on");
  }
}

int main() { brio::run(amain()); }
