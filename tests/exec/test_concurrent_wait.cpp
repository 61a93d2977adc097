#include "helpers.hpp"

#include <brio/exec/concurrent_wait.hpp>
#include <brio/exec/thread_pool.hpp>

#include <doctest/doctest.h>

#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace std::chrono_literals;
namespace concurrent = brio::concurrent;
using Futures = std::vector<concurrent::Future<int>>;

namespace {
Futures pending(std::size_t count) {
  Futures futures;
  for (std::size_t i = 0; i < count; ++i) futures.push_back(concurrent::create_future<int>());
  return futures;
}
}  // namespace

TEST_CASE("concurrent::wait: nothing to wait for") {
  CHECK(concurrent::wait(Futures{}).done.empty());
  auto futures = pending(2);
  futures[0].set_result(1);
  futures[1].cancel();
  const auto result = concurrent::wait(futures);
  CHECK(result.done == futures);
  CHECK(result.not_done.empty());
}

TEST_CASE("concurrent::wait: a timeout leaves the rest") {
  auto futures = pending(3);
  futures[1].set_result(1);
  const auto result = concurrent::wait(futures, {.timeout = 0ms});
  CHECK(result.done == Futures{futures[1]});
  CHECK(result.not_done == Futures{futures[0], futures[2]});
}

TEST_CASE("concurrent::wait: repeated futures count once") {
  auto futures = pending(1);
  futures.push_back(futures[0]);
  std::thread worker([&] { futures[0].set_result(1); });
  CHECK(concurrent::wait(futures).done.size() == 1);
  worker.join();
}

TEST_CASE("concurrent::wait: FIRST_COMPLETED") {
  auto futures = pending(3);
  std::thread worker([&] { futures[2].set_result(1); });
  const auto result = concurrent::wait(futures, {.return_when = concurrent::FIRST_COMPLETED});
  worker.join();
  CHECK(result.done == Futures{futures[2]});
  // Done already: returns at once.
  CHECK(concurrent::wait(futures, {.return_when = concurrent::FIRST_COMPLETED}).done.size() == 1);
}

TEST_CASE("concurrent::wait: FIRST_EXCEPTION ignores values and cancellations") {
  auto futures = pending(4);
  std::thread worker([&] {
    futures[0].set_result(1);
    futures[1].cancel();
    futures[2].set_exception(std::runtime_error("x"));
  });
  const auto result = concurrent::wait(futures, {.return_when = concurrent::FIRST_EXCEPTION});
  worker.join();
  CHECK(result.done.size() == 3);
  CHECK(result.not_done == Futures{futures[3]});
  // Without an error it waits for all.
  auto good = pending(2);
  std::thread other([&] {
    good[1].set_result(1);
    good[0].cancel();
  });
  CHECK(concurrent::wait(good, {.return_when = concurrent::FIRST_EXCEPTION}).done.size() == 2);
  other.join();
}

TEST_CASE("concurrent::wait: from several threads on the same futures") {
  auto futures = pending(8);
  std::vector<std::thread> waiters;
  std::atomic<int> ok{0};
  for (int i = 0; i < 4; ++i)
    waiters.emplace_back([&] { ok += concurrent::wait(futures).done.size() == 8 ? 1 : 0; });
  for (auto& future : futures) future.set_result(1);
  for (auto& waiter : waiters) waiter.join();
  CHECK(ok == 4);
}

TEST_CASE("as_completed: finished ones first, then in order of completion") {
  auto futures = pending(4);
  futures[3].set_result(3);
  futures[1].cancel();
  std::vector<concurrent::Future<int>> seen;
  for (auto future : concurrent::as_completed(futures)) {
    seen.push_back(future);
    if (seen.size() == 2) futures[2].set_result(2);
    if (seen.size() == 3) futures[0].set_result(0);
  }
  CHECK(seen == Futures{futures[1], futures[3], futures[2], futures[0]});
}

TEST_CASE("as_completed: timeout, and what is there comes first") {
  auto futures = pending(3);
  futures[1].set_result(1);
  auto completed = concurrent::as_completed(futures, {.timeout = 0ms});
  auto at = completed.begin();
  CHECK((*at).result() == 1);
  CHECK_THROWS_WITH_AS(++at, "2 (of 3) futures unfinished", brio::TimeoutError);
}

TEST_CASE("as_completed: left early, empty, repeated, of temporaries") {
  auto futures = pending(2);
  futures[0].set_result(5);
  for (auto future : concurrent::as_completed(futures)) {
    CHECK(future.result() == 5);
    break;
  }
  futures[1].set_result(6);  // nobody listens any more
  for (auto future : concurrent::as_completed(Futures{})) CHECK(!future);
  int count = 0;
  for (auto future : concurrent::as_completed(Futures{futures[0], futures[1], futures[0]})) {
    CHECK(future.done());
    ++count;
  }
  CHECK(count == 2);
}

TEST_CASE("as_completed: jobs of a pool") {
  brio::ThreadPoolExecutor pool({.max_workers = 4});
  Futures futures;
  for (int i = 0; i < 200; ++i) futures.push_back(pool.submit([](int x) { return x; }, i));
  int sum = 0;
  for (auto future : concurrent::as_completed(futures)) sum += future.result();
  CHECK(sum == 199 * 200 / 2);
}
