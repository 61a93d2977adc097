#include <brio/brio.hpp>
#include <brio/testing/injection.hpp>
#include <brio/testing/trace_socket.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace brio;
using namespace std::chrono_literals;
using testing::for_each_cancellation;
using testing::InjectionFailure;
using testing::Victim;

namespace {

template <class F>
std::string failure(F function) {
  try {
    function();
  } catch (const InjectionFailure& error) {
    return error.what();
  }
  return "";
}

bool contains(const std::string& text, const char* part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("injection: a run without a cancellation, one per point, and one that is not reached") {
  std::vector<std::size_t> points;
  std::vector<int> reached;
  int steps = 0;
  const std::size_t runs = for_each_cancellation(
      [&]() -> Coro<int> {
        steps = 0;
        co_await yield_now();
        ++steps;
        co_await sleep(1h);
        ++steps;
        co_return 5;
      },
      [&](const auto& run) {
        points.push_back(run.hit() ? run.point() : 0);
        reached.push_back(run.started() ? steps : -1);
        CHECK(run.hit() == run.outcome.cancelled());
        if (!run.hit()) CHECK(run.outcome.value() == 5);
      });
  // Before the first step; while it yields; while it sleeps (idle); the timer due; woken by it.
  CHECK(points == std::vector<std::size_t>{0, 1, 2, 3, 4, 5, 0});
  CHECK(reached == std::vector<int>{2, -1, 0, 1, 1, 1, 2});
  CHECK(runs == 7);
}

TEST_CASE("injection: each task in turn") {
  std::vector<std::string> victims;
  for_each_cancellation(
      []() -> Coro<> {
        const Task<> child = create_task([]() -> Coro<> { co_await sleep(1s); });
        co_await gather(return_exceptions, child);
      },
      [&](const auto& run) {
        if (run.hit()) victims.push_back(run.describe().substr(0, 19));
      },
      {.victim = Victim::every_task, .leftovers_allowed = true});
  CHECK(victims.size() > 8);
}

TEST_CASE("injection: a scope around the scenario cancels again and again") {
  int refused = 0;
  for_each_cancellation(
      [&]() -> Coro<> {
        // Swallows the first CancelledError; a level-triggered scope throws at the next await too.
        (void)co_await as_outcome(sleep(1s));
        try {
          co_await sleep(1s);
        } catch (const CancelledError&) {
          ++refused;
          throw;
        }
      },
      [](const auto&) {}, {.victim = Victim::scope});
  CHECK(refused > 3);
}

TEST_CASE("injection: a single point can be tried again") {
  std::vector<std::size_t> points;
  for_each_cancellation([]() -> Coro<> { co_await sleep(1s); },
                        [&](const auto& run) { points.push_back(run.point()); },
                        {.first_point = 3, .last_point = 3});
  CHECK(points == std::vector<std::size_t>{0, 3});
}

TEST_CASE("injection: finds a task left behind") {
  const std::string text = failure([] {
    for_each_cancellation([]() -> Coro<> {
      const Task<> child =
          create_task({.name = "forgotten"}, []() -> Coro<> { co_await sleep(1h); });
      co_await sleep(1s);
      child.cancel();
      (void)co_await as_outcome(child);
    });
  });
  CHECK(contains(text, "tasks are left unfinished"));
  CHECK(contains(text, "'forgotten'"));
  CHECK(contains(text, "which waited at"));
}

TEST_CASE("injection: finds a timer left armed") {
  const std::string text = failure([] {
    for_each_cancellation([]() -> Coro<> {
      TimerHandle timer = get_running_loop().call_later(1h, [] {});
      co_await sleep(1s);
      timer.cancel();
    });
  });
  CHECK(contains(text, "1 timer(s) left armed"));
}

TEST_CASE("injection: finds a descriptor left open") {
  const std::string text = failure([] {
    for_each_cancellation([]() -> Coro<> {
      auto [a, b] = testing::trace::pair();
      const int lost = a.detach();
      co_await yield_now();
      testing::trace::Sock found(lost);
    });
  });
  CHECK(contains(text, "descriptors were open before"));
}

TEST_CASE("injection: finds what hangs") {
  const std::string text = failure([] {
    for_each_cancellation([]() -> Coro<> {
      const Future<> future = create_future<>();
      auto outcome = co_await as_outcome(sleep(1s));
      if (outcome.cancelled()) co_await future;  // swallowed, and then it waits for nothing
    });
  });
  CHECK(contains(text, "would hang"));
  CHECK(contains(text, "at point 2"));
}

TEST_CASE("injection: finds an error that only a cancellation brings out") {
  const auto scenario = []() -> Coro<> {
    auto outcome = co_await as_outcome(sleep(1s));
    if (outcome.cancelled()) throw ValueError("in the clean-up");
  };
  CHECK(contains(failure([&] { for_each_cancellation(scenario); }), "ValueError"));
}

TEST_CASE("injection: a lock survives a cancellation at every point") {
  std::optional<Lock> lock;
  const auto scenario = [&]() -> Coro<> {
    lock.emplace();
    const auto worker = [&lock]() -> Coro<> {
      auto held = co_await lock->scoped();
      co_await sleep(1s);
    };
    co_await task_group([&](TaskGroup& group) -> Coro<> {
      for (int i = 0; i < 3; ++i) group.create_task(worker);
      co_return;
    });
  };
  for (const Victim victim : {Victim::main, Victim::every_task, Victim::scope}) {
    const std::size_t runs = for_each_cancellation(scenario,
                                                   [&](const auto& run) {
                                                     INFO(run.describe());
                                                     CHECK(!lock->locked());
                                                   },
                                                   {.victim = victim});
    CHECK(runs > 10);
  }
}

TEST_CASE("injection: Counted tells how many live") {
  struct Item : testing::Counted {};
  CHECK(testing::Counted::alive() == 0);
  {
    const Item a;
    const Item b(a);
    CHECK(testing::Counted::alive() == 2);
  }
  CHECK(testing::Counted::alive() == 0);
}
