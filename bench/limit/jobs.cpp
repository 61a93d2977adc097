// The jobs by hand. See micro/ for what each is; they are the same in each program.
#include "../meter.hpp"
#include "loop.hpp"

#include <thread>

namespace {

using bench::Meter;
using limit::Coro;

// Behind a call, so that the caller cannot keep the frame in its own.
[[gnu::noinline]] Coro<int> trivial(int value) { co_return value; }
[[gnu::noinline]] Coro<> nothing() { co_return; }

Coro<> await(Meter& meter) {
  while (meter.again()) {
    int sum = 0;
    meter.start();
    for (std::size_t i = 0; i < meter.operations(); ++i) sum += co_await trivial(1);
    meter.stop();
    bench::keep(sum);
  }
}

Coro<> spawn_join(Meter& meter) {
  while (meter.again()) {
    int sum = 0;
    meter.start();
    for (std::size_t i = 0; i < meter.operations(); ++i) sum += co_await limit::Task(trivial(1));
    meter.stop();
    bench::keep(sum);
  }
}

Coro<> yielder(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await limit::Yield();
}

Coro<> yield_among(Meter& meter, std::size_t tasks) {
  while (meter.again()) {
    std::vector<limit::Task<>> running;
    running.reserve(tasks);
    meter.start();
    for (std::size_t i = 0; i < tasks; ++i)
      running.emplace_back(yielder(meter.operations() / tasks));
    for (limit::Task<>& task : running) co_await task;
    meter.stop();
  }
}
Coro<> yield_2(Meter& meter) { return yield_among(meter, 2); }
Coro<> yield_1000(Meter& meter) { return yield_among(meter, 1000); }

using Slot = std::unique_ptr<limit::Future<int>>;
Coro<> waiter(Slot& slot, std::size_t count) {
  int sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    slot = std::make_unique<limit::Future<int>>();
    sum += co_await *slot;
  }
  bench::keep(sum);
}
Coro<> setter(Slot& slot, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    slot->set(1);
    co_await limit::Yield();
  }
}
Coro<> future_wake(Meter& meter) {
  Slot slot;
  while (meter.again()) {
    meter.start();
    limit::Task<> waits(waiter(slot, meter.operations()));
    limit::Task<> sets(setter(slot, meter.operations()));
    co_await waits;
    co_await sets;
    meter.stop();
  }
}

// By hand a callback is a function and its argument, in a ring that is drained in each iteration.
Coro<> call_soon(Meter& meter) {
  limit::Ring<limit::Callback> callbacks;
  while (meter.again()) {
    std::size_t count = 0;
    meter.start();
    while (count < meter.operations()) {
      for (int i = 0; i < 1000; ++i)
        callbacks.push({[](void* argument) { ++*static_cast<std::size_t*>(argument); }, &count});
      co_await limit::Yield();
      while (callbacks.size() > 0) {
        const limit::Callback callback = callbacks.pop();
        callback.call(callback.argument);
      }
    }
    meter.stop();
  }
}

constexpr std::int64_t hour = 3'600'000'000'000;

Coro<> timer_cancel(Meter& meter, std::size_t pending) {
  limit::TimerHeap& timers = limit::Loop::get().timers();
  std::vector<limit::Timer> armed(pending);
  bench::Random random;
  for (limit::Timer& timer : armed)
    timers.add(timer, limit::now() + hour + static_cast<std::int64_t>(random() % hour));
  while (meter.again()) {
    meter.start();
    for (std::size_t i = 0; i < meter.operations(); ++i) {
      limit::Timer timer;
      timers.add(timer, limit::now() + hour + static_cast<std::int64_t>(random() % hour));
      timers.remove(timer);
    }
    meter.stop();
  }
  for (limit::Timer& timer : armed) timers.remove(timer);
  co_return;
}
Coro<> timer_cancel_1(Meter& meter) { return timer_cancel(meter, 1); }
Coro<> timer_cancel_10k(Meter& meter) { return timer_cancel(meter, 10'000); }
Coro<> timer_cancel_100k(Meter& meter) { return timer_cancel(meter, 100'000); }
Coro<> timer_cancel_1m(Meter& meter) { return timer_cancel(meter, 1'000'000); }

// One coroutine stands for all timers and counts: one each would cost more than the timer.
Coro<> counter(std::size_t& left) {
  while (true) {
    --left;
    co_await std::suspend_always();
  }
}
Coro<> timer_fire(Meter& meter) {
  std::vector<limit::Timer> timers(meter.operations());
  bench::Random random;
  while (meter.again()) {
    std::size_t left = meter.operations();
    Coro<> counts = counter(left);
    meter.start();
    for (limit::Timer& timer : timers) {
      timer.handle = counts.handle();
      limit::Loop::get().timers().add(
          timer, limit::now() - static_cast<std::int64_t>(random() % 1'000'000'000));
    }
    while (left > 0) co_await limit::Yield();
    meter.stop();
  }
}

// Here too cancellation is an exception in the sleeper: most of the job is its way up the stack.
Coro<> sleeper(limit::SleepUntil& sleep) {
  try {
    co_await sleep;
  } catch (const limit::Cancelled&) {
  }
}
Coro<> cancel_sleepers(Meter& meter) {
  while (meter.again()) {
    std::vector<limit::SleepUntil> sleeps(meter.operations(),
                                          limit::SleepUntil(limit::now() + hour));
    std::vector<limit::Task<>> tasks;
    tasks.reserve(meter.operations());
    for (limit::SleepUntil& sleep : sleeps) tasks.emplace_back(sleeper(sleep));
    co_await limit::Yield();
    meter.start();
    for (limit::SleepUntil& sleep : sleeps) sleep.cancel();
    for (limit::Task<>& task : tasks) co_await task;
    tasks.clear();
    meter.stop();
  }
}

Coro<> producer(limit::Queue<int>& queue, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) co_await queue.put(1);
}
Coro<> queue_of(Meter& meter, std::size_t capacity) {
  limit::Queue<int> queue(capacity);
  while (meter.again()) {
    int sum = 0;
    meter.start();
    limit::Task<> puts(producer(queue, meter.operations()));
    for (std::size_t i = 0; i < meter.operations(); ++i) sum += co_await queue.get();
    co_await puts;
    meter.stop();
    bench::keep(sum);
  }
}
Coro<> queue_1(Meter& meter) { return queue_of(meter, 1); }
Coro<> queue_1024(Meter& meter) { return queue_of(meter, 1024); }

Coro<> holder(limit::Lock& lock, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    co_await lock.acquire();
    co_await limit::Yield();
    lock.release();
  }
}
Coro<> lock(Meter& meter) {
  limit::Lock lock;
  while (meter.again()) {
    meter.start();
    limit::Task<> one(holder(lock, meter.operations() / 2));
    limit::Task<> two(holder(lock, meter.operations() / 2));
    co_await one;
    co_await two;
    meter.stop();
  }
}

Coro<> gather_of(Meter& meter, std::size_t children) {
  while (meter.again()) {
    meter.start();
    for (std::size_t round = 0; round < meter.operations() / children; ++round) {
      std::vector<Coro<int>> coros;
      coros.reserve(children);
      for (std::size_t i = 0; i < children; ++i) coros.push_back(trivial(1));
      bench::keep((co_await limit::gather(std::move(coros))).size());
    }
    meter.stop();
  }
}
Coro<> gather_1k(Meter& meter) { return gather_of(meter, 1000); }
Coro<> gather_100k(Meter& meter) { return gather_of(meter, 100'000); }

Coro<> task_group_1k(Meter& meter) {
  while (meter.again()) {
    meter.start();
    for (std::size_t round = 0; round < meter.operations() / 1000; ++round) {
      std::vector<limit::Task<>> children;
      children.reserve(1000);
      for (std::size_t i = 0; i < 1000; ++i) children.emplace_back(nothing());
      for (limit::Task<>& child : children) co_await child;
    }
    meter.stop();
  }
}

Coro<> post(Meter& meter) {
  while (meter.again()) {
    limit::Future<int> last;
    struct State {
      std::size_t left;
      limit::Future<int>& last;
    } state{meter.operations(), last};
    meter.start();
    std::thread thread([&state, count = meter.operations()] {
      for (std::size_t i = 0; i < count; ++i) {
        limit::Loop::get().post(
            [](void* argument) {
              auto& to = *static_cast<State*>(argument);
              if (--to.left == 0) to.last.set(1);
            },
            &state);
      }
    });
    co_await last;
    meter.stop();
    thread.join();
  }
}

bench::Job job(const char* name, std::size_t operations, Coro<> (*function)(Meter&)) {
  return {name, operations, [function](Meter& meter) { limit::run(function(meter)); }};
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_jobs(argc, argv, "",
                         {
                             job("await", 1'000'000, await),
                             job("spawn_join", 500'000, spawn_join),
                             job("yield_2", 1'000'000, yield_2),
                             job("yield_1000", 1'000'000, yield_1000),
                             job("future_wake", 500'000, future_wake),
                             job("call_soon", 500'000, call_soon),
                             job("timer_cancel_1", 200'000, timer_cancel_1),
                             job("timer_cancel_10k", 200'000, timer_cancel_10k),
                             job("timer_cancel_100k", 200'000, timer_cancel_100k),
                             job("timer_cancel_1m", 200'000, timer_cancel_1m),
                             job("timer_fire_10k", 10'000, timer_fire),
                             job("timer_fire_1m", 1'000'000, timer_fire),
                             job("cancel_sleepers", 10'000, cancel_sleepers),
                             job("queue_1", 500'000, queue_1),
                             job("queue_1024", 1'000'000, queue_1024),
                             job("lock", 500'000, lock),
                             job("gather_1k", 100'000, gather_1k),
                             job("gather_100k", 100'000, gather_100k),
                             job("task_group_1k", 100'000, task_group_1k),
                             job("post", 200'000, post),
                         });
}
