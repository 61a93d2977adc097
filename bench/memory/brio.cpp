// A hundred thousand tasks that sleep. The loop owns them; nobody keeps a handle.
#include "meter.hpp"

#include <brio/core/runner.hpp>
#include <brio/core/sleep.hpp>

#include <chrono>

namespace {

using namespace std::chrono_literals;

brio::Coro<> sleeper() { co_await brio::sleep(1h); }

brio::Coro<> measure() {
  const bench::MemoryMeter meter;
  for (std::size_t i = 0; i < bench::sleepers; ++i) brio::create_task(sleeper());
  co_await brio::yield_now();
  meter.report();
}

}  // namespace

int main() { brio::run(measure()); }
