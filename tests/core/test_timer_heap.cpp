// The timer heap against a sorted map: order by deadline, then by creation, whatever leaves
// between.
#include <brio/core/detail/timer_heap.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <utility>

using brio::Duration;
using brio::TimePoint;
using brio::detail::TimedNode;
using brio::detail::TimerHeap;

namespace {

class Timer final : public TimedNode {
public:
  explicit Timer(int number) : number_(number) {}
  void run() override {}
  [[nodiscard]] int number() const { return number_; }

private:
  int number_;
};

TimePoint at(std::int64_t nanoseconds) { return TimePoint(Duration(nanoseconds)); }

}  // namespace

TEST_CASE("timers due together fire in the order of creation") {
  TimerHeap heap;
  std::deque<Timer> timers;
  for (int i = 0; i < 100; ++i) heap.add(timers.emplace_back(i), at(i % 3));
  int last[3] = {-1, -1, -1};
  std::int64_t due = 0;
  while (!heap.empty()) {
    REQUIRE(heap.earliest() >= at(due));
    due = heap.earliest().time_since_epoch().count();
    const auto* timer = static_cast<Timer*>(heap.pop());
    CHECK_FALSE(timer->armed());
    CHECK(timer->number() > last[due]);
    last[due] = timer->number();
  }
  CHECK(due == 2);
}

TEST_CASE("a cancelled timer leaves at once, from wherever it stands") {
  TimerHeap heap;
  std::mt19937 random(7);
  std::deque<Timer> timers;
  using Due = std::pair<std::int64_t, int>;  // deadline, number: creation order
  std::map<Due, Timer*> model;
  for (int i = 0; i < 20'000; ++i) {
    const unsigned choice = random() % 8;
    if (choice < 4 || model.empty()) {
      // Few deadlines, so that many are equal.
      const auto when = static_cast<std::int64_t>(random() % 50) + i / 100;
      Timer& timer = timers.emplace_back(i);
      heap.add(timer, at(when));
      model[{when, i}] = &timer;
      CHECK(heap.deadline(timer) == at(when));
    } else if (choice < 6) {
      auto victim = model.lower_bound({static_cast<std::int64_t>(random() % 50) + i / 100, 0});
      if (victim == model.end()) victim = model.begin();
      heap.remove(*victim->second);
      CHECK_FALSE(victim->second->armed());
      model.erase(victim);
    } else {
      REQUIRE(heap.earliest() == at(model.begin()->first.first));
      REQUIRE(heap.pop() == model.begin()->second);
      model.erase(model.begin());
    }
    REQUIRE(heap.size() == model.size());
  }
  for (const auto& [due, timer] : model) REQUIRE(heap.pop() == timer);
  CHECK(heap.empty());
}
