// Work for other processes: it has a processor of its own, and may crash.
#include <brio/brio.hpp>
#include <brio/exec/process_pool.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

// Arguments and results are copied from process to process; a type of ours says what it consists
// of.
struct Span {
  long from = 0;
  long to = 0;
};
void brio_serialize(auto& archive, Span& span) { archive(span.from, span.to); }

int primes_in(Span span) {
  int count = 0;
  for (long n = span.from; n < span.to; ++n) {
    bool prime = n > 1;
    for (long d = 2; prime && d * d <= n; ++d) prime = n % d != 0;
    if (prime) ++count;
  }
  return count;
}

// A library that one would rather not have in the same process.
int fragile(const std::string& input) {
  if (input.empty()) std::_Exit(3);
  return static_cast<int>(input.size());
}

brio::Coro<> amain() {
  brio::ProcessPoolExecutor pool({.max_workers = 2});
  auto [low, high] =
      co_await brio::gather(brio::run_in_executor(&pool, primes_in, Span{0, 5'000}),
                            brio::run_in_executor(&pool, primes_in, Span{5'000, 10'000}));
  std::printf("%d primes\n", low + high);

  // An error comes back as what it was.
  try {
    co_await brio::run_in_executor(
        &pool, [](std::size_t n) { return std::vector<int>{1, 2}.at(n); }, 5);
  } catch (const std::out_of_range&) {
    std::printf("out of range\n");
  }

  // A worker that dies takes its own call with it, and nothing else.
  const auto fine = brio::run_in_executor(&pool, fragile, "text");
  const auto fatal = co_await brio::as_outcome(brio::run_in_executor(&pool, fragile, ""));
  std::printf("%d\n", co_await fine);
  if (fatal.error_as<brio::concurrent::BrokenProcessPool>()) std::printf("a worker died\n");
}

int main(int argc, char** argv) {
  brio::freeze_support(argc, argv);  // a worker process begins here, and goes no further
  brio::run(amain());
}
