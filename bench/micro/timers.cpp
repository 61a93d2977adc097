// Timers at various numbers pending, and the cancellation of what sleeps.
#include "jobs.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/sleep.hpp>

#include <chrono>

namespace bench {

namespace {

using namespace std::chrono_literals;

brio::Duration within(Random& random, brio::Duration span) {
  return brio::Duration(
      static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(span.count())));
}

/// One operation: call_later and cancel, with `pending` other timers armed.
brio::Coro<> timer_cancel(Meter& meter, std::size_t pending) {
  brio::EventLoop& loop = brio::get_running_loop();
  std::vector<brio::TimerHandle> armed;
  armed.reserve(pending);
  Random random;
  for (std::size_t i = 0; i < pending; ++i)
    armed.push_back(loop.call_later(1h + within(random, 1h), [] {}));
  while (meter.again()) {
    meter.start();
    for (std::size_t i = 0; i < meter.operations(); ++i)
      loop.call_later(1h + within(random, 1h), [] {}).cancel();
    meter.stop();
  }
  for (brio::TimerHandle& timer : armed) timer.cancel();
  co_return;
}
brio::Coro<> timer_cancel_1(Meter& meter) { return timer_cancel(meter, 1); }
brio::Coro<> timer_cancel_10k(Meter& meter) { return timer_cancel(meter, 10'000); }
brio::Coro<> timer_cancel_100k(Meter& meter) { return timer_cancel(meter, 100'000); }
brio::Coro<> timer_cancel_1m(Meter& meter) { return timer_cancel(meter, 1'000'000); }

/// One operation: make a timer among many that are due, and run it.
brio::Coro<> timer_fire(Meter& meter) {
  brio::EventLoop& loop = brio::get_running_loop();
  Random random;
  while (meter.again()) {
    std::size_t left = meter.operations();
    meter.start();
    for (std::size_t i = 0; i < meter.operations(); ++i)
      loop.call_later(-within(random, 1s), [&left] { --left; });
    while (left > 0) co_await brio::yield_now();
    meter.stop();
  }
}

brio::Coro<> sleeper() { co_await brio::sleep(1h); }

/// One operation: cancel a sleeping task and collect it. Making the tasks is not counted.
brio::Coro<> cancel_sleepers(Meter& meter) {
  while (meter.again()) {
    std::vector<brio::Task<>> tasks;
    tasks.reserve(meter.operations());
    for (std::size_t i = 0; i < meter.operations(); ++i)
      tasks.push_back(brio::create_task(sleeper()));
    co_await brio::yield_now();
    meter.start();
    for (const brio::Task<>& task : tasks) task.cancel();
    keep((co_await brio::gather(brio::return_exceptions, tasks)).size());
    tasks.clear();
    meter.stop();
  }
}

}  // namespace

void add_timer_jobs(std::vector<Job>& jobs) {
  jobs.push_back(job("timer_cancel_1", 200'000, timer_cancel_1));
  jobs.push_back(job("timer_cancel_10k", 200'000, timer_cancel_10k));
  jobs.push_back(job("timer_cancel_100k", 200'000, timer_cancel_100k));
  jobs.push_back(job("timer_cancel_1m", 200'000, timer_cancel_1m));
  jobs.push_back(job("timer_fire_10k", 10'000, timer_fire));
  jobs.push_back(job("timer_fire_1m", 1'000'000, timer_fire));
  jobs.push_back(job("cancel_sleepers", 10'000, cancel_sleepers));
}

}  // namespace bench
