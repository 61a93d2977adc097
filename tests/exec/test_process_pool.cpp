#include "process_helpers.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/runner.hpp>
#include <brio/core/sleep.hpp>
#include <brio/exec/run_in_executor.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <numeric>
#include <stdexcept>
#include <unistd.h>

using brio::ProcessPoolExecutor;
using brio::StartMethod;
using exec_test::both_methods;

namespace {

int square(int x) { return x * x; }
std::string repeated(std::string_view text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}
int sum_of(std::span<const int> numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0);
}
void nothing() {}
int my_pid() { return ::getpid(); }

struct Point {
  int x = 0;
  int y = 0;
  bool operator==(const Point&) const = default;
};
void brio_serialize(auto& archive, Point& point) { archive(point.x, point.y); }
Point mirrored(Point point) { return {point.y, point.x}; }

struct Strange : std::runtime_error {
  using std::runtime_error::runtime_error;
};

brio::Coro<int> loop_inside(int x) {
  co_await brio::sleep(std::chrono::nanoseconds(1));
  co_return x + 1;
}

}  // namespace

BRIO_REGISTER_FUNCTION(square);

TEST_CASE("process pool: functions, lambdas and registered functions") {
  for (const StartMethod method : both_methods) {
    ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
    CHECK(pool.submit(square, 7).result() == 49);
    CHECK(pool.submit(&square, 7).result() == 49);
    CHECK(pool.submit([](int a, const std::string& b) { return b + std::to_string(a); }, 1, "x")
              .result() == "x1");
    CHECK(pool.submit([](auto a, auto b) { return a + b; }, 1.5, 2).result() == 3.5);
    CHECK(pool.submit(std::plus<>(), std::string("a"), "b").result() == "ab");
    CHECK(pool.submit(brio::registered<int(int)>("square"), 9).result() == 81);
    CHECK(pool.submit(repeated, "ab", 3).result() == "ababab");
    CHECK(pool.submit(sum_of, std::vector<int>{1, 2, 3}).result() == 6);
    CHECK(pool.submit(mirrored, Point{1, 2}).result() == Point{2, 1});
    pool.submit(nothing).result();
    CHECK(pool.submit(my_pid).result() != ::getpid());
  }
}

TEST_CASE("process pool: a registered function must be there, with that signature") {
  ProcessPoolExecutor pool({.max_workers = 1});
  CHECK_THROWS_WITH_AS(pool.submit(brio::registered<int(int)>("no such"), 1).result(),
                       "no function is registered as 'no such' in the worker process",
                       brio::LookupError);
  CHECK_THROWS_WITH_AS(pool.submit(brio::registered<int(long)>("square"), 1).result(),
                       "the function registered as 'square' has another signature",
                       brio::LookupError);
  CHECK_THROWS_AS(brio::register_function("square", &my_pid), brio::ValueError);
}

TEST_CASE("process pool: errors come back as what they were") {
  for (const StartMethod method : both_methods) {
    ProcessPoolExecutor pool({.max_workers = 1, .start_method = method});
    CHECK_THROWS_WITH_AS(pool.submit([] { throw brio::ValueError("bad"); }).result(), "bad",
                         brio::ValueError);
    CHECK_THROWS_WITH_AS(pool.submit([] { throw std::out_of_range("far"); }).result(), "far",
                         std::out_of_range);
    try {
      pool.submit([] { throw Strange("odd"); }).result();
      FAIL("it throws");
    } catch (const brio::concurrent::RemoteError& error) {
      CHECK(error.type().find("Strange") != std::string::npos);
      CHECK(std::string(error.what()) == error.type() + ": odd");
    }
    CHECK_THROWS_WITH_AS(pool.submit([] { throw 42; }).result(), doctest::Contains("int"),
                         brio::concurrent::RemoteError);
    try {
      pool.submit([] { brio::throw_oserror(ENOENT, "open x"); }).result();
      FAIL("it throws");
    } catch (const brio::FileNotFoundError& error) {
      CHECK(error.error_number() == ENOENT);
      CHECK(std::string(error.what()) == "open x failed: No such file or directory");
    }
    CHECK_THROWS_AS(pool.submit([] { throw brio::CancelledError("why"); }).result(),
                    brio::CancelledError);
    CHECK_THROWS_AS(pool.submit([] { throw brio::SystemExit(3); }).result(), brio::SystemExit);
    // The worker is none the worse for it.
    CHECK(pool.submit(square, 2).result() == 4);
  }
}

TEST_CASE("process pool: map") {
  ProcessPoolExecutor pool({.max_workers = 2});
  const std::vector<int> numbers{1, 2, 3, 4, 5, 6, 7};
  for (const std::size_t chunksize : {1u, 3u, 7u, 100u}) {
    std::vector<int> seen;
    for (const int x : pool.map({.chunksize = chunksize}, square, numbers)) seen.push_back(x);
    CHECK(seen == std::vector<int>{1, 4, 9, 16, 25, 36, 49});
  }
  std::vector<int> seen;
  for (const int x : pool.map(
           {.chunksize = 2, .buffersize = 1}, [](int a, int b) { return a * b; }, numbers,
           std::vector{1, 10, 100}))
    seen.push_back(x);
  CHECK(seen == std::vector<int>{1, 20, 300});
  for ([[maybe_unused]] const int x : pool.map(square, std::vector<int>{}))
    FAIL("there is nothing");
  int count = 0;
  for ([[maybe_unused]] const auto& x : pool.map([](int) {}, numbers)) ++count;
  CHECK(count == 7);
  CHECK_THROWS_AS((void)pool.map({.chunksize = 0}, square, numbers), brio::ValueError);
  auto results = pool.map(
      [](int x) {
        if (x == 2) throw brio::ValueError("two");
        return x;
      },
      numbers);
  auto at = results.begin();
  CHECK(*at == 1);
  CHECK_THROWS_WITH_AS(++at, "two", brio::ValueError);
}

TEST_CASE("process pool: 64 MiB both ways") {
  for (const StartMethod method : both_methods) {
    ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
    std::vector<std::uint64_t> data(8 << 20);
    std::iota(data.begin(), data.end(), 0);
    const auto plus_one = [](std::vector<std::uint64_t> all) {
      for (auto& x : all) ++x;
      return all;
    };
    auto first = pool.submit(plus_one, data);
    auto second = pool.submit(plus_one, data);
    for (auto& x : data) ++x;
    CHECK((first.result() == data));
    CHECK((second.result() == data));
  }
}

TEST_CASE("process pool: what is too large, or cannot be written, fails its own call") {
  ProcessPoolExecutor pool({.max_workers = 1, .max_message_size = 10'000});
  const auto length = [](const std::string& text) { return text.size(); };
  CHECK_THROWS_AS(pool.submit(length, std::string(20'000, 'x')).result(),
                  brio::concurrent::SerializationError);
  CHECK_THROWS_WITH_AS(
      pool.submit([](int n) { return std::string(std::size_t(n), 'x'); }, 20'000).result(),
      doctest::Contains("max_message_size"), brio::concurrent::SerializationError);
  CHECK_THROWS_WITH_AS(
      pool.submit([] { throw brio::ValueError(std::string(20'000, 'x')); }).result(),
      doctest::Contains("too long: brio::ValueError"), brio::concurrent::SerializationError);
  CHECK(pool.submit(length, std::string(5'000, 'x')).result() == 5'000);
}

TEST_CASE("process pool: workers come as they are needed, and idle ones are used again") {
  ProcessPoolExecutor pool({.max_workers = 8});
  const int first = pool.submit(my_pid).result();
  // A result is told after its worker is idle again.
  for (int i = 0; i < 20; ++i) CHECK(pool.submit(my_pid).result() == first);
}

TEST_CASE("process pool: a worker of its own for every call") {
  for (const StartMethod method : both_methods) {
    ProcessPoolExecutor pool({.max_workers = 1, .start_method = method, .max_tasks_per_child = 1});
    const int first = pool.submit(my_pid).result();
    const int second = pool.submit(my_pid).result();
    CHECK(first != second);
  }
}

TEST_CASE("process pool: run_in_executor") {
  exec_test::in_loop([]() -> brio::Coro<> {
    ProcessPoolExecutor pool({.max_workers = 2});
    auto [a, b] = co_await brio::gather(brio::run_in_executor(&pool, square, 3),
                                        brio::run_in_executor(&pool, repeated, "x", 2));
    CHECK(a == 9);
    CHECK(b == "xx");
    const auto failed = co_await brio::as_outcome(
        brio::run_in_executor(&pool, [] { throw brio::ValueError("v"); }));
    CHECK(failed.error_as<brio::ValueError>());
    // Threads and processes side by side.
    CHECK(co_await brio::run_in_executor(nullptr, square, 5) == 25);
  });
}

TEST_CASE("process pool: run_in_executor with no pool, or one that is shut down") {
  exec_test::in_loop([]() -> brio::Coro<> {
    ProcessPoolExecutor* const none = nullptr;
    CHECK_THROWS_WITH_AS(brio::run_in_executor(none, square, 3),
                         "run_in_executor: the ProcessPoolExecutor is null; for the default "
                         "executor, pass nullptr",
                         brio::ValueError);
    ProcessPoolExecutor pool({.max_workers = 1});
    CHECK(co_await brio::run_in_executor(&pool, square, 3) == 9);
    ProcessPoolExecutor other = std::move(pool);
    const char* const refused = "cannot schedule new futures after shutdown";
    CHECK_THROWS_WITH_AS(brio::run_in_executor(&pool, square, 3), refused, brio::RuntimeError);
    const auto last = brio::run_in_executor(&other, square, 4);
    other.shutdown({.wait = false});
    CHECK_THROWS_WITH_AS(brio::run_in_executor(&other, square, 3), refused, brio::RuntimeError);
    CHECK(co_await last == 16);
    other.shutdown();
    CHECK_THROWS_WITH_AS(brio::run_in_executor(&other, square, 3), refused, brio::RuntimeError);
    CHECK_THROWS_WITH_AS((void)other.map(square, std::vector<int>{1}), refused, brio::RuntimeError);
  });
}

TEST_CASE("process pool: cancel stops what has not begun") {
  ProcessPoolExecutor pool({.max_workers = 1});
  exec_test::Gate gate;
  auto running = pool.submit(exec_test::pass_gate, gate.arguments());
  gate.wait_until_reached();
  auto queued = pool.submit(square, 2);
  CHECK(queued.cancel());
  CHECK_FALSE(running.cancel());
  CHECK(running.running());
  auto after = pool.submit(square, 3);
  gate.open();
  CHECK(after.result() == 9);
  CHECK(running.result() != 0);
  CHECK_THROWS_AS(queued.result(), brio::concurrent::CancelledError);
}

TEST_CASE("process pool: a cancelled await leaves the call alone") {
  exec_test::in_loop([]() -> brio::Coro<> {
    ProcessPoolExecutor pool({.max_workers = 1});
    exec_test::Gate gate;
    auto running = brio::run_in_executor(&pool, exec_test::pass_gate, gate.arguments());
    gate.wait_until_reached();
    auto queued = brio::run_in_executor(&pool, square, 2);
    queued.cancel();
    running.cancel();
    const auto outcome = co_await brio::as_outcome(running);
    CHECK(outcome.cancelled());
    gate.open();
    CHECK(co_await brio::run_in_executor(&pool, square, 4) == 16);
  });
}

TEST_CASE("process pool: shutdown") {
  ProcessPoolExecutor pool({.max_workers = 1});
  exec_test::Gate gate;
  auto running = pool.submit(exec_test::pass_gate, gate.arguments());
  gate.wait_until_reached();
  auto queued = pool.submit(square, 2);
  CHECK_FALSE(pool.shutdown({.timeout = std::chrono::nanoseconds(1)}));
  CHECK_THROWS_WITH_AS(pool.submit(square, 1), "cannot schedule new futures after shutdown",
                       brio::RuntimeError);
  CHECK_FALSE(pool.shutdown({.cancel_futures = true, .timeout = std::chrono::nanoseconds(1)}));
  CHECK(queued.cancelled());
  gate.open();
  CHECK(pool.shutdown());
  CHECK(pool.shutdown());
  CHECK(running.result() != 0);
}

TEST_CASE("process pool: shutdown finishes what was submitted") {
  std::vector<brio::concurrent::Future<int>> futures;
  {
    ProcessPoolExecutor pool({.max_workers = 2});
    for (int i = 0; i < 50; ++i) futures.push_back(pool.submit(square, i));
  }
  for (int i = 0; i < 50; ++i) {
    CHECK(futures[std::size_t(i)].done());
    CHECK(futures[std::size_t(i)].result() == i * i);
  }
}

TEST_CASE("process pool: options are checked") {
  CHECK_THROWS_AS(ProcessPoolExecutor({.max_workers = 0}), brio::ValueError);
  CHECK_THROWS_AS(ProcessPoolExecutor({.max_tasks_per_child = 0}), brio::ValueError);
  CHECK(ProcessPoolExecutor().max_workers() >= 1);
  CHECK(ProcessPoolExecutor({.max_workers = 3}).max_workers() == 3);
}

TEST_CASE("process pool: done-callbacks run in the pool's thread, and may submit") {
  ProcessPoolExecutor pool({.max_workers = 1});
  auto second = brio::concurrent::create_future<int>();
  auto joined = brio::concurrent::create_future<std::string>();
  pool.submit(square, 2).add_done_callback([&](brio::concurrent::Future<int> first) {
    pool.submit(square, first.result()).add_done_callback([&](brio::concurrent::Future<int> next) {
      second.set_result(next.result());
    });
    try {
      pool.shutdown();
    } catch (const brio::RuntimeError& error) {
      joined.set_result(error.what());
    }
  });
  CHECK(second.result() == 16);
  CHECK(joined.result() == "cannot join current thread");
}

TEST_CASE("process pool: a function may run a loop of its own") {
  ProcessPoolExecutor pool({.max_workers = 1, .start_method = StartMethod::spawn});
  CHECK(pool.submit([](int x) { return brio::run(loop_inside(x)); }, 41).result() == 42);
  // A pool in a worker of a pool.
  CHECK(pool.submit([] {
              ProcessPoolExecutor inner({.max_workers = 1});
              return inner.submit(square, 6).result();
            })
            .result() == 36);
}

TEST_CASE("process pool: an executor that moves takes its workers along") {
  ProcessPoolExecutor pool({.max_workers = 1});
  auto future = pool.submit(square, 4);
  ProcessPoolExecutor other = std::move(pool);
  CHECK(other.submit(square, 5).result() == 25);
  CHECK(future.result() == 16);
  other = ProcessPoolExecutor({.max_workers = 1});
  CHECK(other.submit(square, 6).result() == 36);
}
