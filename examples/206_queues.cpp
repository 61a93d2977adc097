// A bounded queue between a producer and two consumers; shutdown lets them finish.
#include <brio/brio.hpp>

#include <cstdio>

using namespace std::chrono_literals;

brio::Coro<> produce(brio::Queue<int>& queue) {
  for (int i = 1; i <= 6; ++i) co_await queue.put(i);  // waits while the queue is full
  queue.shutdown();                                    // no more puts; gets drain what is left
}

brio::Coro<> consume(brio::Queue<int>& queue, int& sum) {
  try {
    while (true) {
      const int item = co_await queue.get();
      co_await brio::sleep(1ms);
      sum += item;
    }
  } catch (const brio::QueueShutDown&) {
    // empty and shut down: done
  }
}

brio::Coro<> amain() {
  brio::Queue<int> queue(2);
  int sum = 0;
  co_await brio::task_group([&](brio::TaskGroup& group) -> brio::Coro<> {
    group.create_task(produce(queue));
    for (int i = 0; i < 2; ++i) group.create_task(consume(queue, sum));
    co_return;
  });
  std::printf("sum %d\n", sum);
}

int main() { brio::run(amain()); }
