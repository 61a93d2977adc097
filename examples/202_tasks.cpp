// A task is a coroutine that the loop drives. Creating one queues its first step.
#include <brio/brio.hpp>

#include <cstdio>
#include <string>

using namespace std::chrono_literals;

brio::Coro<int> work(std::string name, int steps) {
  for (int i = 1; i <= steps; ++i) {
    std::printf("%s: step %d\n", name.c_str(), i);
    co_await brio::yield_now();
  }
  co_return steps;
}

brio::Coro<> amain() {
  brio::Task<int> a = brio::create_task(work("a", 2), {.name = "worker a"});
  brio::Task<int> b = brio::create_task(work("b", 1));
  std::puts("created, nothing has run");

  const int steps = co_await a + co_await b;
  std::printf("%d steps\n", steps);
  std::printf("%s is done: %s\n", a.get_name().c_str(), a.done() ? "yes" : "no");

  // A lambda with captures goes in as a callable: the task keeps it alive.
  int counter = 0;
  co_await brio::create_task([&counter]() -> brio::Coro<> {
    co_await brio::sleep(1ms);
    ++counter;
  });
  std::printf("counter %d, tasks left %zu\n", counter, brio::all_tasks().size());
}

int main() { brio::run(amain()); }
