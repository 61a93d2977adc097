// In each room's tests: BRIO_TEST_FAULTS=<seed> lets every loop that the policy makes run over an
// engine that reports late, in another order, and cuts what is received and sent into pieces.
#include <brio/core/policy.hpp>
#include <brio/testing/faulty_engine.hpp>

#include <cstdlib>
#include <memory>

namespace {

[[maybe_unused]] const bool faulty = [] {
  const char* const seed = std::getenv("BRIO_TEST_FAULTS");
  if (!seed || !*seed) return false;
  brio::set_event_loop_policy(std::make_shared<brio::testing::FaultyPolicy>(
      brio::testing::FaultOptions{.seed = std::strtoull(seed, nullptr, 10)}));
  return true;
}();

}  // namespace
