// The jobs in Asio's coroutines (Boost.Asio), the way its documentation writes them: awaitable<>,
// use_awaitable, co_spawn, steady_timer, experimental::channel. See micro/ for what each job is.
#include "../meter.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/version.hpp>

#include <deque>
#include <thread>

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using bench::Meter;
using std::chrono::steady_clock;

namespace {

[[gnu::noinline]] awaitable<int> trivial(int value) { co_return value; }

awaitable<void> await(Meter& meter) {
  while (meter.again()) {
    int sum = 0;
    meter.start();
    for (std::size_t i = 0; i < meter.operations(); ++i) sum += co_await trivial(1);
    meter.stop();
    bench::keep(sum);
  }
}

awaitable<void> spawn_join(Meter& meter) {
  const auto executor = co_await asio::this_coro::executor;
  while (meter.again()) {
    int sum = 0;
    meter.start();
    for (std::size_t i = 0; i < meter.operations(); ++i)
      sum += co_await asio::co_spawn(executor, trivial(1), use_awaitable);
    meter.stop();
    bench::keep(sum);
  }
}

awaitable<void> yielder(std::size_t count, std::size_t& left) {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < count; ++i) co_await asio::post(executor, use_awaitable);
  --left;
}
awaitable<void> yield_among(Meter& meter, std::size_t tasks) {
  const auto executor = co_await asio::this_coro::executor;
  while (meter.again()) {
    std::size_t left = tasks;
    meter.start();
    for (std::size_t i = 0; i < tasks; ++i)
      asio::co_spawn(executor, yielder(meter.operations() / tasks, left), asio::detached);
    while (left > 0) co_await asio::post(executor, use_awaitable);
    meter.stop();
  }
}
awaitable<void> yield_2(Meter& meter) { return yield_among(meter, 2); }
awaitable<void> yield_1000(Meter& meter) { return yield_among(meter, 1000); }

// A channel of one message is what Asio has for a future.
using Channel = asio::experimental::channel<void(boost::system::error_code, int)>;

awaitable<void> waiter(std::unique_ptr<Channel>& slot, std::size_t count) {
  const auto executor = co_await asio::this_coro::executor;
  int sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    slot = std::make_unique<Channel>(executor, 1);
    sum += co_await slot->async_receive(use_awaitable);
  }
  bench::keep(sum);
}
awaitable<void> setter(std::unique_ptr<Channel>& slot, std::size_t count) {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < count; ++i) {
    slot->try_send(boost::system::error_code(), 1);
    co_await asio::post(executor, use_awaitable);
  }
}
awaitable<void> future_wake(Meter& meter) {
  using namespace asio::experimental::awaitable_operators;
  std::unique_ptr<Channel> slot;
  while (meter.again()) {
    meter.start();
    co_await (waiter(slot, meter.operations()) && setter(slot, meter.operations()));
    meter.stop();
  }
}

awaitable<void> call_soon(Meter& meter) {
  const auto executor = co_await asio::this_coro::executor;
  while (meter.again()) {
    std::size_t count = 0;
    meter.start();
    while (count < meter.operations()) {
      for (int i = 0; i < 1000; ++i) asio::post(executor, [&count] { ++count; });
      co_await asio::post(executor, use_awaitable);
    }
    meter.stop();
  }
}

awaitable<void> post(Meter& meter) {
  const auto executor = co_await asio::this_coro::executor;
  while (meter.again()) {
    asio::steady_timer last(executor, steady_clock::time_point::max());
    std::size_t left = meter.operations();
    meter.start();
    std::thread thread([&, count = meter.operations()] {
      for (std::size_t i = 0; i < count; ++i) {
        asio::post(executor, [&left, &last] {
          if (--left == 0) last.cancel();
        });
      }
    });
    boost::system::error_code cancelled;
    co_await last.async_wait(asio::redirect_error(use_awaitable, cancelled));
    meter.stop();
    thread.join();
  }
}

steady_clock::duration within(bench::Random& random, steady_clock::duration span) {
  return steady_clock::duration(
      static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(span.count())));
}

// A timer object can be used again and again, and that is how Asio's programs do it.
awaitable<void> timer_cancel(Meter& meter, std::size_t pending) {
  const auto executor = co_await asio::this_coro::executor;
  const std::chrono::hours hour(1);
  bench::Random random;
  std::deque<asio::steady_timer> armed;
  for (std::size_t i = 0; i < pending; ++i) {
    armed.emplace_back(executor, hour + within(random, hour));
    armed.back().async_wait([](boost::system::error_code) {});
  }
  asio::steady_timer timer(executor);
  while (meter.again()) {
    meter.start();
    for (std::size_t i = 0; i < meter.operations(); ++i) {
      timer.expires_after(hour + within(random, hour));
      timer.async_wait([](boost::system::error_code) {});
      timer.cancel();
      // The cancelled handlers are queued: let them run before there are too many.
      if (i % 1000 == 0) co_await asio::post(executor, use_awaitable);
    }
    co_await asio::post(executor, use_awaitable);
    meter.stop();
  }
}
awaitable<void> timer_cancel_1(Meter& meter) { return timer_cancel(meter, 1); }
awaitable<void> timer_cancel_10k(Meter& meter) { return timer_cancel(meter, 10'000); }
awaitable<void> timer_cancel_100k(Meter& meter) { return timer_cancel(meter, 100'000); }
awaitable<void> timer_cancel_1m(Meter& meter) { return timer_cancel(meter, 1'000'000); }

awaitable<void> timer_fire(Meter& meter) {
  const auto executor = co_await asio::this_coro::executor;
  bench::Random random;
  while (meter.again()) {
    std::size_t left = meter.operations();
    std::deque<asio::steady_timer> timers;
    meter.start();
    for (std::size_t i = 0; i < meter.operations(); ++i) {
      timers.emplace_back(executor, -within(random, std::chrono::seconds(1)));
      timers.back().async_wait([&left](boost::system::error_code) { --left; });
    }
    while (left > 0) co_await asio::post(executor, use_awaitable);
    meter.stop();
  }
}

awaitable<void> sleeper() {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
  co_await timer.async_wait(use_awaitable);
}
awaitable<void> cancel_sleepers(Meter& meter) {
  const auto executor = co_await asio::this_coro::executor;
  while (meter.again()) {
    std::size_t left = meter.operations();
    std::vector<asio::cancellation_signal> signals(meter.operations());
    for (asio::cancellation_signal& signal : signals) {
      asio::co_spawn(
          executor, sleeper(),
          asio::bind_cancellation_slot(signal.slot(), [&left](std::exception_ptr) { --left; }));
    }
    co_await asio::post(executor, use_awaitable);
    meter.start();
    for (asio::cancellation_signal& signal : signals)
      signal.emit(asio::cancellation_type::terminal);
    while (left > 0) co_await asio::post(executor, use_awaitable);
    meter.stop();
  }
}

awaitable<void> producer(Channel& channel, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i)
    co_await channel.async_send(boost::system::error_code(), 1, use_awaitable);
}
awaitable<void> queue_of(Meter& meter, std::size_t capacity) {
  const auto executor = co_await asio::this_coro::executor;
  Channel channel(executor, capacity);
  while (meter.again()) {
    int sum = 0;
    meter.start();
    asio::co_spawn(executor, producer(channel, meter.operations()), asio::detached);
    for (std::size_t i = 0; i < meter.operations(); ++i)
      sum += co_await channel.async_receive(use_awaitable);
    meter.stop();
    bench::keep(sum);
  }
}
awaitable<void> queue_1(Meter& meter) { return queue_of(meter, 1); }
awaitable<void> queue_1024(Meter& meter) { return queue_of(meter, 1024); }

// A lock is a channel with room for one message: to send is to acquire, to receive to release.
awaitable<void> holder(Channel& lock, std::size_t count) {
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t i = 0; i < count; ++i) {
    co_await lock.async_send(boost::system::error_code(), 0, use_awaitable);
    co_await asio::post(executor, use_awaitable);
    lock.try_receive([](boost::system::error_code, int) {});
  }
}
awaitable<void> lock(Meter& meter) {
  using namespace asio::experimental::awaitable_operators;
  Channel shared(co_await asio::this_coro::executor, 1);
  while (meter.again()) {
    meter.start();
    co_await (holder(shared, meter.operations() / 2) && holder(shared, meter.operations() / 2));
    meter.stop();
  }
}

awaitable<void> gather_of(Meter& meter, std::size_t children) {
  const auto executor = co_await asio::this_coro::executor;
  using Spawned = decltype(asio::co_spawn(executor, trivial(1), asio::experimental::deferred));
  while (meter.again()) {
    meter.start();
    for (std::size_t round = 0; round < meter.operations() / children; ++round) {
      std::vector<Spawned> spawned;
      spawned.reserve(children);
      for (std::size_t i = 0; i < children; ++i)
        spawned.push_back(asio::co_spawn(executor, trivial(1), asio::experimental::deferred));
      auto [order, errors, values] =
          co_await asio::experimental::make_parallel_group(std::move(spawned))
              .async_wait(asio::experimental::wait_for_all(), use_awaitable);
      bench::keep(values.size());
    }
    meter.stop();
  }
}
awaitable<void> gather_1k(Meter& meter) { return gather_of(meter, 1000); }
awaitable<void> gather_100k(Meter& meter) { return gather_of(meter, 100'000); }

bench::Job job(const char* name, std::size_t operations, awaitable<void> (*function)(Meter&)) {
  return {name, operations, [function](Meter& meter) {
            asio::io_context context(1);
            asio::co_spawn(context, function(meter), asio::detached);
            context.run();
          }};
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_jobs(argc, argv, "Boost.Asio of Boost " BOOST_LIB_VERSION,
                         {
                             job("await", 1'000'000, await),
                             job("spawn_join", 100'000, spawn_join),
                             job("yield_2", 200'000, yield_2),
                             job("yield_1000", 200'000, yield_1000),
                             job("future_wake", 100'000, future_wake),
                             job("call_soon", 200'000, call_soon),
                             job("post", 200'000, post),
                             job("timer_cancel_1", 100'000, timer_cancel_1),
                             job("timer_cancel_10k", 100'000, timer_cancel_10k),
                             job("timer_cancel_100k", 100'000, timer_cancel_100k),
                             job("timer_cancel_1m", 100'000, timer_cancel_1m),
                             job("timer_fire_10k", 10'000, timer_fire),
                             job("timer_fire_1m", 1'000'000, timer_fire),
                             job("cancel_sleepers", 10'000, cancel_sleepers),
                             job("queue_1", 100'000, queue_1),
                             job("queue_1024", 200'000, queue_1024),
                             job("lock", 100'000, lock),
                             job("gather_1k", 100'000, gather_1k),
                             job("gather_100k", 100'000, gather_100k),
                         });
}
