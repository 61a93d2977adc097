#include "helpers.hpp"

#include <brio/exec/thread_pool.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <ranges>
#include <stdexcept>
#include <string>
#include <vector>

using namespace std::chrono_literals;
using brio::ThreadPoolExecutor;
using exec_test::Blocker;

TEST_CASE("map: results in the order of the arguments") {
  ThreadPoolExecutor pool({.max_workers = 4});
  const std::vector<int> numbers{3, 1, 2};
  std::vector<std::string> seen;
  for (const std::string& text : pool.map([](int x) { return std::to_string(x); }, numbers))
    seen.push_back(text);
  CHECK(seen == std::vector<std::string>{"3", "1", "2"});
}

TEST_CASE("map: several ranges, until the shortest ends") {
  ThreadPoolExecutor pool({.max_workers = 2});
  const std::vector<int> a{1, 2, 3};
  std::vector<int> seen;
  for (const int x : pool.map([](int x, int y) { return 10 * x + y; }, a, std::views::iota(7)))
    seen.push_back(x);
  CHECK(seen == std::vector<int>{17, 28, 39});
  for ([[maybe_unused]] const int x : pool.map([](int y) { return y; }, std::vector<int>{}))
    FAIL("there is nothing");
}

TEST_CASE("map: void, temporaries and move-only results") {
  ThreadPoolExecutor pool({.max_workers = 2});
  std::atomic<int> sum{0};
  int rounds = 0;
  for ([[maybe_unused]] const auto& nothing :
       pool.map([&sum](int x) { sum += x; }, std::vector<int>{1, 2, 3}))
    ++rounds;
  CHECK(rounds == 3);
  CHECK(sum == 6);
  int total = 0;
  for (auto& box : pool.map([](int x) { return std::make_unique<int>(x); }, std::vector{4, 5})) {
    const auto mine = std::move(box);
    total += *mine;
  }
  CHECK(total == 9);
}

TEST_CASE("map: an error is thrown where its result would be, and ends it") {
  ThreadPoolExecutor pool({.max_workers = 1});
  auto results = pool.map(
      [](int x) {
        if (x == 2) throw std::runtime_error("two");
        return x;
      },
      std::vector<int>{1, 2, 3});
  auto at = results.begin();
  CHECK(*at == 1);
  CHECK_THROWS_WITH(++at, "two");
  CHECK(at == results.end());
}

TEST_CASE("map: what is not asked for is cancelled") {
  Blocker blocker;
  std::atomic<int> ran{0};
  {
    ThreadPoolExecutor pool({.max_workers = 1});
    (void)pool.submit([&] { blocker.block(); });
    blocker.wait_until_started();
    {
      const auto results = pool.map([&](int) { ++ran; }, std::vector<int>(10));
    }
    blocker.let_go();
  }
  CHECK(ran == 0);
}

TEST_CASE("map: one deadline for all") {
  Blocker blocker;
  ThreadPoolExecutor pool({.max_workers = 1});
  auto results = pool.map({.timeout = 0ms}, [&](int) { blocker.block(); }, std::vector<int>{1});
  CHECK_THROWS_AS((void)results.begin(), brio::TimeoutError);
  blocker.let_go();
}

TEST_CASE("map: buffersize submits only so much ahead") {
  ThreadPoolExecutor pool({.max_workers = 1});
  std::atomic<int> taken{0};
  auto numbers = std::views::iota(0, 100) | std::views::transform([&](int x) {
                   ++taken;
                   return x;
                 });
  auto results = pool.map({.buffersize = 3}, [](int x) { return x; }, numbers);
  CHECK(taken == 3);
  auto at = results.begin();
  CHECK(*at == 0);
  CHECK(taken == 4);
  ++at;
  CHECK(*at == 1);
  CHECK(taken == 5);
  int count = 2;
  for (++at; at != results.end(); ++at) CHECK(*at == count++);
  CHECK(count == 100);
  CHECK(taken == 100);
  CHECK_THROWS_AS(
      (void)pool.map({.buffersize = 0}, [](int x) { return x; }, numbers), brio::ValueError);
}

TEST_CASE("map: after shutdown it throws, and cancels what it had submitted") {
  ThreadPoolExecutor pool({.max_workers = 1});
  pool.shutdown();
  CHECK_THROWS_AS((void)pool.map([](int x) { return x; }, std::vector<int>{1}), brio::RuntimeError);
}
