// Coroutines, tasks, futures and callbacks.
#include "jobs.hpp"

#include <brio/core/sleep.hpp>

#include <thread>

namespace bench {

[[gnu::noinline]] brio::Coro<int> trivial(int value) { co_return value; }
[[gnu::noinline]] brio::Coro<> nothing() { co_return; }

namespace {

/// One operation: await a coroutine that returns without suspending.
brio::Coro<> await(Meter& meter) {
  while (meter.again()) {
    int sum = 0;
    meter.start();
    for (std::size_t i = 0; i < meter.operations(); ++i) sum += co_await trivial(1);
    meter.stop();
    keep(sum);
  }
}

/// One operation: create a task and await it.
brio::Coro<> spawn_join(Meter& meter) {
  while (meter.again()) {
    int sum = 0;
    meter.start();
    for (std::size_t i = 0; i < meter.operations(); ++i)
      sum += co_await brio::create_task(trivial(1));
    meter.stop();
    keep(sum);
  }
}

brio::Coro<> yielder(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await brio::yield_now();
}

/// One operation: one task lets the others run.
brio::Coro<> yield_among(Meter& meter, std::size_t tasks) {
  while (meter.again()) {
    std::vector<brio::Task<>> running;
    running.reserve(tasks);
    meter.start();
    for (std::size_t i = 0; i < tasks; ++i)
      running.push_back(brio::create_task(yielder(meter.operations() / tasks)));
    for (brio::Task<>& task : running) co_await task;
    meter.stop();
  }
}
brio::Coro<> yield_2(Meter& meter) { return yield_among(meter, 2); }
brio::Coro<> yield_1000(Meter& meter) { return yield_among(meter, 1000); }

brio::Coro<> waiter(brio::Future<int>& slot, std::size_t count) {
  brio::EventLoop& loop = brio::get_running_loop();
  int sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    slot = loop.create_future<int>();
    sum += co_await slot;
  }
  keep(sum);
}
brio::Coro<> setter(brio::Future<int>& slot, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    slot.set_result(1);
    co_await brio::yield_now();
  }
}
/// One operation: make a future, wait for it, have another task set it and yield.
brio::Coro<> future_wake(Meter& meter) {
  brio::Future<int> slot;
  while (meter.again()) {
    meter.start();
    const brio::Task<> waits = brio::create_task(waiter(slot, meter.operations()));
    const brio::Task<> sets = brio::create_task(setter(slot, meter.operations()));
    co_await waits;
    co_await sets;
    meter.stop();
  }
}

/// One operation: schedule a callback and run it, a thousand to an iteration.
brio::Coro<> call_soon(Meter& meter) {
  brio::EventLoop& loop = brio::get_running_loop();
  while (meter.again()) {
    std::size_t count = 0;
    meter.start();
    while (count < meter.operations()) {
      for (int i = 0; i < 1000; ++i) loop.call_soon([&count] { ++count; });
      co_await brio::yield_now();
    }
    meter.stop();
  }
}

/// One operation: a callback from another thread.
brio::Coro<> post(Meter& meter) {
  brio::EventLoop& loop = brio::get_running_loop();
  while (meter.again()) {
    const brio::Future<> last = loop.create_future();
    std::size_t left = meter.operations();
    meter.start();
    std::thread thread([&, count = meter.operations()] {
      for (std::size_t i = 0; i < count; ++i) {
        loop.call_soon_threadsafe([&left, &last] {
          if (--left == 0) last.set_result();
        });
      }
    });
    co_await last;
    meter.stop();
    thread.join();
  }
}

}  // namespace

void add_task_jobs(std::vector<Job>& jobs) {
  jobs.push_back(job("await", 1'000'000, await));
  jobs.push_back(job("spawn_join", 500'000, spawn_join));
  jobs.push_back(job("yield_2", 1'000'000, yield_2));
  jobs.push_back(job("yield_1000", 1'000'000, yield_1000));
  jobs.push_back(job("future_wake", 500'000, future_wake));
  jobs.push_back(job("call_soon", 500'000, call_soon));
  jobs.push_back(job("post", 200'000, post));
}

}  // namespace bench
