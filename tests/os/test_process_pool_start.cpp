// Process pools in a program whose main() does not call freeze_support. That of the exec room's own
// tests does.
#include <brio/exec/process_pool.hpp>

#include <doctest/doctest.h>

TEST_CASE("process pool: without freeze_support it forks when told to, and never by itself") {
  const auto message = doctest::Contains("main() must begin with brio::freeze_support(argc, argv)");
  CHECK_THROWS_WITH_AS(brio::ProcessPoolExecutor(), message, brio::RuntimeError);
  CHECK_THROWS_WITH_AS(brio::ProcessPoolExecutor({.start_method = brio::StartMethod::spawn}),
                       message, brio::RuntimeError);
  brio::ProcessPoolExecutor pool({.max_workers = 1, .start_method = brio::StartMethod::fork});
  CHECK(pool.submit([](int x) { return x + 1; }, 1).result() == 2);
}
