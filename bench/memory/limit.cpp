// A hundred thousand coroutines that sleep, by hand: nothing but the frame and its timer.
#include "meter.hpp"

#include "../limit/loop.hpp"

namespace {

limit::Coro<> sleeper() { co_await limit::SleepUntil(limit::now() + 3'600'000'000'000); }

limit::Coro<> measure() {
  const bench::MemoryMeter meter;
  std::vector<limit::Coro<>> coros;
  coros.reserve(bench::sleepers);
  for (std::size_t i = 0; i < bench::sleepers; ++i) {
    coros.push_back(sleeper());
    limit::Loop::get().ready(coros.back().handle());
  }
  co_await limit::Yield();
  meter.report();
}

}  // namespace

int main() { limit::run(measure()); }
