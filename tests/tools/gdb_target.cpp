// Three tasks in known places, and a function to break at.
#include <brio/core/runner.hpp>
#include <brio/core/sleep.hpp>

using namespace std::chrono_literals;

namespace {

brio::Coro<> inner() { co_await brio::sleep(1h); }
brio::Coro<> outer() { co_await inner(); }

}  // namespace

extern "C" __attribute__((noinline)) void stop_here() { asm volatile(""); }

namespace {

brio::Coro<> amain() {
  auto named = brio::create_task(outer(), {.name = "worker"});
  auto numbered = brio::create_task(outer());
  co_await brio::yield_now();
  stop_here();
}

}  // namespace

int main() { brio::run(amain()); }
