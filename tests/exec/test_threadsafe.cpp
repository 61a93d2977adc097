#include "helpers.hpp"

#include <brio/core/outcome.hpp>
#include <brio/core/sleep.hpp>
#include <brio/exec/thread_pool.hpp>
#include <brio/exec/wrap_future.hpp>

#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;
using exec_test::Counted;
using exec_test::in_loop;
namespace concurrent = brio::concurrent;

namespace {
/// A loop that runs in a thread of its own.
class LoopThread {
public:
  LoopThread() : loop_(brio::new_event_loop()), thread_([this] { loop_->run_forever(); }) {}
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;
  ~LoopThread() { end(); }
  brio::EventLoop& operator*() const { return *loop_; }
  brio::EventLoop* operator->() const { return loop_.get(); }
  /// Stops the thread; the loop stays open.
  void end() {
    if (!thread_.joinable()) return;
    loop_->call_soon_threadsafe([loop = loop_.get()] { loop->stop(); });
    thread_.join();
  }

private:
  brio::LoopPtr loop_;
  std::thread thread_;
};

Coro<int> add(int a, int b) {
  co_await brio::yield_now();
  co_return a + b;
}
Coro<> fail(std::string text) {
  co_await brio::yield_now();
  throw std::runtime_error(text);
}
Coro<> forever() { co_await brio::create_future<>(); }
}  // namespace

// ---- call_soon_threadsafe

TEST_CASE("call_soon_threadsafe: eight producers, everything arrives, in order for each") {
  constexpr int producers = 8;
  constexpr int each = 5000;
  const brio::LoopPtr loop = brio::new_event_loop();
  std::array<int, producers> next{};  // touched in the loop's thread only
  int ended = 0;
  int disorder = 0;
  std::vector<std::thread> threads;
  std::latch go{producers};
  for (int p = 0; p < producers; ++p)
    threads.emplace_back([&, p] {
      go.arrive_and_wait();
      for (int i = 0; i < each; ++i)
        loop->call_soon_threadsafe([&, p, i] {
          if (next[static_cast<std::size_t>(p)]++ != i) ++disorder;
          if (i == each - 1 && ++ended == producers) loop->stop();
        });
    });
  loop->run_forever();
  for (auto& thread : threads) thread.join();
  CHECK(disorder == 0);
  for (const int count : next) CHECK(count == each);
}

TEST_CASE("call_soon_threadsafe: wakes a sleeping loop every time") {
  const LoopThread loop;
  for (int i = 0; i < 2000; ++i) {
    const auto done = concurrent::create_future<int>();
    loop->call_soon_threadsafe([done, i] { done.set_result(i); });
    REQUIRE(done.result() == i);
  }
}

TEST_CASE("call_soon_threadsafe: before the loop runs, and from its own thread in order") {
  const brio::LoopPtr loop = brio::new_event_loop();
  std::string order;
  loop->call_soon_threadsafe([&] {
    order += "a";
    loop->call_soon_threadsafe([&] { order += "b"; });
    loop->call_soon([&] { order += "c"; });
    loop->call_soon_threadsafe([&] {
      order += "d";
      loop->stop();
    });
  });
  loop->run_forever();
  CHECK(order == "abcd");
}

TEST_CASE("call_soon_threadsafe: the callable goes in the loop's thread") {
  std::atomic<int> alive{0};
  const brio::LoopPtr loop = brio::new_event_loop();
  auto handle = loop->call_soon_threadsafe([counted = Counted(alive)] {});
  auto cancelled = loop->call_soon_threadsafe([counted = Counted(alive)] { FAIL("cancelled"); });
  cancelled.cancel();
  CHECK(alive == 2);
  loop->stop();
  loop->run_forever();
  CHECK(alive == 0);  // although the handles are still here
  auto dropped = loop->call_soon_threadsafe([counted = Counted(alive)] { FAIL("closed"); });
  loop->close();
  CHECK(alive == 0);
  CHECK_THROWS_WITH_AS(loop->call_soon_threadsafe([] {}), "Event loop is closed",
                       brio::RuntimeError);
}

TEST_CASE("call_soon_threadsafe: cancel waits for a call that has begun") {
  const LoopThread loop;
  for (int round = 0; round < 100; ++round) {
    std::latch started{1};
    std::latch cancelling{1};
    int steps = 0;  // not atomic: cancel() orders it
    auto handle = loop->call_soon_threadsafe([&] {
      started.count_down();
      cancelling.wait();
      for (; steps < 1000; ++steps) std::this_thread::yield();
    });
    started.wait();
    cancelling.count_down();
    handle.cancel();
    CHECK(steps == 1000);
    CHECK(handle.cancelled());
  }
}

TEST_CASE("call_soon_threadsafe: a callback cancels itself; a cancelled one never runs") {
  const brio::LoopPtr loop = brio::new_event_loop();
  brio::ThreadSafeHandle own;
  bool ran = false;
  own = loop->call_soon_threadsafe([&] {
    own.cancel();
    ran = true;
  });
  auto other = loop->call_soon_threadsafe([] { FAIL("cancelled"); });
  std::thread([&] { other.cancel(); }).join();
  {
    auto dropped = loop->call_soon_threadsafe([] { FAIL("cancelled"); });
    dropped.cancel();
  }
  loop->stop();
  loop->run_forever();
  CHECK(ran);
  CHECK(own.cancelled());
  CHECK(other.cancelled());
}

TEST_CASE("call_soon_threadsafe: posts race with the end of the loop; none is lost or leaked") {
  for (int round = 0; round < 100; ++round) {
    std::atomic<int> alive{0};
    std::atomic<bool> refused{false};
    const brio::LoopPtr loop = brio::new_event_loop();
    std::latch go{2};
    std::thread poster([&] {
      go.arrive_and_wait();
      try {
        for (;;)
          if (alive < 100)
            loop->call_soon_threadsafe([counted = Counted(alive)] {});
          else
            std::this_thread::yield();
      } catch (const brio::RuntimeError&) {
        refused = true;
      }
    });
    go.arrive_and_wait();
    for (int i = 0; i < 3; ++i) {
      loop->stop();
      loop->run_forever();
    }
    loop->close();
    poster.join();
    CHECK(refused);
    CHECK(alive == 0);
  }
}

TEST_CASE("call_soon_threadsafe: a thread may stop the loop and see it destroyed") {
  for (int round = 0; round < 300; ++round) {
    brio::LoopPtr loop = brio::new_event_loop();
    std::thread stopper([raw = loop.get()] { raw->call_soon_threadsafe([raw] { raw->stop(); }); });
    loop->run_forever();
    loop.reset();
    stopper.join();
  }
}

TEST_CASE("contexts: written in place once a thread has given its copy back") {
  // What orders the two is the count of the shared map alone; the thread sanitizer must see it.
  static const brio::ContextVar<std::string> var("text");
  brio::Context mine;
  mine.run([] { var.set("first"); });
  std::atomic<bool> given_back{false};
  std::thread reader([copy = std::optional(mine.copy()), &given_back]() mutable {
    copy->run([] { REQUIRE(var.get() == "first"); });
    copy.reset();
    given_back.store(true, std::memory_order_relaxed);
  });
  while (!given_back.load(std::memory_order_relaxed)) std::this_thread::yield();
  mine.run([] { var.set("second"); });
  CHECK(mine.get(var) == "second");
  reader.join();
}

// ---- run_coroutine_threadsafe

TEST_CASE("run_coroutine_threadsafe: values and errors") {
  const LoopThread loop;
  CHECK(brio::run_coroutine_threadsafe(add(1, 2), *loop).result() == 3);
  CHECK_THROWS_WITH(brio::run_coroutine_threadsafe(fail("boom"), *loop).result(), "boom");
  const auto box = [](int x) -> Coro<std::unique_ptr<int>> { co_return std::make_unique<int>(x); };
  CHECK(*brio::run_coroutine_threadsafe(box(4), *loop).result() == 4);
  // A capturing lambda: closure and all live as long as the task.
  std::string text = "kept";
  CHECK(brio::run_coroutine_threadsafe(
            [text]() -> Coro<std::string> {
              co_await brio::yield_now();
              co_return text + " alive";
            },
            *loop)
            .result() == "kept alive");
}

TEST_CASE("run_coroutine_threadsafe: runs in the loop's thread, in the caller's context") {
  static const brio::ContextVar<int> var("v", 0);
  var.set(5);
  const LoopThread loop;
  const auto in_loop_thread = [](brio::EventLoop* of) -> Coro<bool> {
    co_return brio::running_loop_or_null() == of&& var.get() == 5;
  };
  CHECK(brio::run_coroutine_threadsafe(in_loop_thread(&*loop), *loop).result());
  var.set(0);
}

TEST_CASE("run_coroutine_threadsafe: a timeout of result leaves the task alone") {
  const LoopThread loop;
  const auto future = brio::run_coroutine_threadsafe(forever(), *loop);
  CHECK_THROWS_AS(future.result(1ms), brio::TimeoutError);
  CHECK_FALSE(future.done());
  CHECK(future.cancel());
}

TEST_CASE("run_coroutine_threadsafe: cancelling the future cancels the task") {
  const LoopThread loop;
  const auto seen = concurrent::create_future<bool>();
  std::latch waiting{1};
  const auto body = [&]() -> Coro<> {
    const auto never = brio::create_future<>();
    waiting.count_down();
    const auto outcome = co_await brio::as_outcome(never);
    seen.set_result(outcome.cancelled());
  };
  const auto future = brio::run_coroutine_threadsafe(body, *loop);
  waiting.wait();
  CHECK(future.cancel());
  CHECK_THROWS_AS(future.result(), concurrent::CancelledError);
  CHECK(seen.result());
}

TEST_CASE("run_coroutine_threadsafe: a cancelled task cancels the future") {
  const LoopThread loop;
  const auto body = []() -> Coro<> {
    brio::current_task().cancel();
    co_await brio::yield_now();
  };
  CHECK_THROWS_AS(brio::run_coroutine_threadsafe(body(), *loop).result(),
                  concurrent::CancelledError);
}

TEST_CASE("run_coroutine_threadsafe: cancelled before the loop gets to it, it never starts") {
  const brio::LoopPtr loop = brio::new_event_loop();
  bool ran = false;
  const auto future = brio::run_coroutine_threadsafe(
      [&]() -> Coro<> {
        ran = true;
        co_return;
      },
      *loop);
  CHECK(future.cancel());
  loop->run_until_complete(add(1, 1));
  CHECK_FALSE(ran);
}

TEST_CASE("run_coroutine_threadsafe: an error of the task factory fails the future") {
  const brio::LoopPtr loop = brio::new_event_loop();
  std::string reported;
  loop->set_exception_handler([&](brio::EventLoop&, const brio::ExceptionContext& context) {
    reported = brio::describe(context.exception);
  });
  loop->set_task_factory([](brio::EventLoop&, brio::TaskRequest&) -> brio::AnyTask {
    throw std::runtime_error("no tasks today");
  });
  const auto future = brio::run_coroutine_threadsafe(add(1, 2), *loop);
  loop->stop();
  loop->run_forever();
  CHECK_THROWS_WITH((void)future.result(), "no tasks today");
  CHECK(reported == "no tasks today");
}

TEST_CASE("run_coroutine_threadsafe: a loop that closes cancels what it will not do") {
  const exec_test::LogCapture log;  // "Task was destroyed but it is pending!"
  const brio::LoopPtr loop = brio::new_event_loop();
  const auto started = brio::run_coroutine_threadsafe(forever(), *loop);
  loop->stop();
  loop->run_forever();
  const auto posted = brio::run_coroutine_threadsafe(forever(), *loop);
  loop->close();
  CHECK(started.cancelled());
  CHECK(posted.cancelled());
  CHECK_THROWS_AS((void)brio::run_coroutine_threadsafe(forever(), *loop), brio::RuntimeError);
  auto used = add(1, 2);
  used.close();
  CHECK_THROWS_AS((void)brio::run_coroutine_threadsafe(std::move(used), *loop), brio::RuntimeError);
}

TEST_CASE("run_coroutine_threadsafe: the future may be cancelled when the loop is long gone") {
  const exec_test::LogCapture log;
  concurrent::Future<> future;
  {
    LoopThread loop;
    future = brio::run_coroutine_threadsafe(forever(), *loop);
    loop.end();
  }
  CHECK(future.cancel());
  CHECK(future.cancelled());
}

TEST_CASE("run_coroutine_threadsafe: cancellations race with completion") {
  const exec_test::LogCapture log;  // the last ones may be pending when the loop is closed
  const LoopThread loop;
  int cancelled = 0;
  for (int i = 0; i < 500; ++i) {
    const auto future = brio::run_coroutine_threadsafe(add(i, 1), *loop);
    if (future.cancel()) {
      ++cancelled;
      CHECK_THROWS_AS((void)future.result(), concurrent::CancelledError);
    } else {
      CHECK(future.result() == i + 1);
    }
  }
  CHECK(cancelled >= 0);
}

TEST_CASE("run_coroutine_threadsafe: from many threads at once") {
  const LoopThread loop;
  std::atomic<int> sum{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 4; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i)
        sum += brio::run_coroutine_threadsafe(add(i, 1), *loop).result();
    });
  for (auto& caller : callers) caller.join();
  CHECK(sum == 4 * 200 * 201 / 2);
}

// ---- wrap_future

TEST_CASE("wrap_future: value, error, cancellation, done already") {
  in_loop([]() -> Coro<> {
    const auto value = concurrent::create_future<std::string>();
    const auto wrapped = brio::wrap_future(value);
    std::thread worker([&] { value.set_result("there"); });
    const std::string text = co_await wrapped;
    worker.join();
    CHECK(text == "there");
    CHECK(value.result() == "there");  // copied, not taken

    const auto failing = concurrent::create_future<>();
    failing.set_exception(brio::ValueError("no"));
    const auto failed = co_await brio::as_outcome(brio::wrap_future(failing));
    CHECK(brio::type_name(failed.error()) == "brio::ValueError");

    const auto dropped = concurrent::create_future<>();
    const auto waiting = brio::wrap_future(dropped);
    std::thread canceller([&] { dropped.cancel(); });
    const auto outcome = co_await brio::as_outcome(waiting);
    canceller.join();
    CHECK(outcome.cancelled());

    const auto box = concurrent::create_future<std::unique_ptr<int>>();
    box.set_result(std::make_unique<int>(3));
    const auto mine = co_await brio::wrap_future(box);
    CHECK(*mine == 3);
    CHECK_THROWS_AS((void)box.result(), brio::InvalidStateError);
  });
}

TEST_CASE("wrap_future: cancelling the wrapped one cancels the other, one hop later") {
  in_loop([]() -> Coro<> {
    const auto source = concurrent::create_future<int>();
    const auto wrapped = brio::wrap_future(source);
    wrapped.cancel();
    CHECK_FALSE(source.cancelled());
    co_await brio::yield_now();
    CHECK(source.cancelled());

    const auto running = concurrent::create_future<int>();
    running.set_running_or_notify_cancel();
    const auto other = brio::wrap_future(running);
    other.cancel();
    co_await brio::yield_now();
    CHECK_FALSE(running.cancelled());
    running.set_result(1);  // comes too late for the loop, and does no harm
    co_await brio::yield_now();
    co_await brio::yield_now();
  });
}

TEST_CASE("wrap_future: a done future costs two hops, as in asyncio") {
  in_loop([]() -> Coro<> {
    const auto source = concurrent::create_future<int>();
    source.set_result(1);
    const auto wrapped = brio::wrap_future(source);
    CHECK_FALSE(wrapped.done());
    co_await brio::yield_now();
    CHECK(wrapped.done());
  });
}

TEST_CASE("wrap_future: of a loop's own future gives it back; of nothing that ends, no leak") {
  concurrent::Future<int> never = concurrent::create_future<int>();
  in_loop([&]() -> Coro<> {
    const auto own = brio::create_future<int>();
    CHECK(brio::wrap_future(own) == own);
    own.cancel();
    (void)brio::wrap_future(never);  // the loop closes with this one open
    co_return;
  });
  never.set_result(1);
}

TEST_CASE("wrap_future: two loops talk to each other") {
  const LoopThread other;
  in_loop([&]() -> Coro<> {
    int sum = 0;
    for (int i = 0; i < 100; ++i)
      sum += co_await brio::wrap_future(brio::run_coroutine_threadsafe(add(i, 0), *other));
    CHECK(sum == 99 * 100 / 2);
    // A cancellation goes all the way.
    const auto remote = brio::run_coroutine_threadsafe(forever(), *other);
    const auto waiting = brio::create_task(
        [](concurrent::Future<> f) -> Coro<> { co_await brio::wrap_future(f); }(remote));
    co_await brio::yield_now();
    waiting.cancel();
    const auto outcome = co_await brio::as_outcome(waiting);
    CHECK(outcome.cancelled());
    CHECK(remote.cancelled());
  });
}
