// Queues and locks.
#include "jobs.hpp"

#include <brio/core/sleep.hpp>
#include <brio/sync/lock.hpp>
#include <brio/sync/queue.hpp>

namespace bench {

namespace {

brio::Coro<> producer(brio::Queue<int>& queue, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await queue.put(1);
}
/// One operation: an item from one task to another.
brio::Coro<> queue_of(Meter& meter, std::size_t capacity) {
  brio::Queue<int> queue(capacity);
  while (meter.again()) {
    int sum = 0;
    meter.start();
    const brio::Task<> puts = brio::create_task(producer(queue, meter.operations()));
    for (std::size_t i = 0; i < meter.operations(); ++i) sum += co_await queue.get();
    co_await puts;
    meter.stop();
    keep(sum);
  }
}
brio::Coro<> queue_1(Meter& meter) { return queue_of(meter, 1); }
brio::Coro<> queue_1024(Meter& meter) { return queue_of(meter, 1024); }

brio::Coro<> holder(brio::Lock& lock, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    co_await lock.acquire();
    co_await brio::yield_now();
    lock.release();
  }
}
/// One operation: a contended acquisition, with a yield while the lock is held.
brio::Coro<> lock(Meter& meter) {
  brio::Lock shared;
  while (meter.again()) {
    meter.start();
    const brio::Task<> one = brio::create_task(holder(shared, meter.operations() / 2));
    const brio::Task<> two = brio::create_task(holder(shared, meter.operations() / 2));
    co_await one;
    co_await two;
    meter.stop();
  }
}

}  // namespace

void add_sync_jobs(std::vector<Job>& jobs) {
  jobs.push_back(job("queue_1", 500'000, queue_1));
  jobs.push_back(job("queue_1024", 1'000'000, queue_1024));
  jobs.push_back(job("lock", 500'000, lock));
}

}  // namespace bench
