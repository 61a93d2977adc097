// What the cancellation tests of this room share: scenarios rerun with a cancellation at every
// point, of the scenario, of each task by itself, and by a scope around it all.
//
// A group does not cancel its tasks when one of them is cancelled. So with Victim::every_task the
// others go on, and a wake-up that the victim has not passed on leaves them waiting: nothing is
// ready, there is no timer, and for_each_cancellation says that it hangs. For that to mean anything
// no scenario may need a certain task: where one has to set the others free there are two of it.
#pragma once

#include <brio/core/sleep.hpp>
#include <brio/core/taskgroup.hpp>
#include <brio/testing/injection.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <utility>
#include <vector>

namespace injected {

using brio::Coro;
using brio::task_group;
using brio::TaskGroup;
using brio::yield_now;
using brio::testing::Victim;

/// Runs `scenario` with everybody as the victim, and `check(run)` after each run that began.
template <class Scenario, class Check>
void at_every_point(Scenario scenario, Check check, bool leftovers_allowed = false) {
  for (const Victim victim : {Victim::main, Victim::every_task, Victim::scope}) {
    CAPTURE(static_cast<int>(victim));
    const std::size_t runs = brio::testing::for_each_cancellation(
        scenario,
        [&](const auto& run) {
          INFO(run.describe());
          CHECK(brio::testing::Counted::alive() == 0);
          if (run.started()) check(run);
        },
        {.victim = victim, .leftovers_allowed = leftovers_allowed});
    CHECK(runs > 5);
  }
}

/// How many are inside, and whether there were ever too many.
struct Room {
  int inside = 0;
  int most = 0;
  struct Visit : brio::testing::Counted {
    Room& room;
    explicit Visit(Room& entered) : room(entered) {
      room.most = std::max(room.most, ++room.inside);
    }
    Visit(const Visit&) = delete;
    Visit& operator=(const Visit&) = delete;
    ~Visit() { --room.inside; }
  };
};

/// Counts up at the beginning of a block and down at its end.
struct While {
  int& count;
  explicit While(int& counted) : count(counted) { ++count; }
  While(const While&) = delete;
  While& operator=(const While&) = delete;
  ~While() { --count; }
};

/// The tasks of a scenario, and what became of them.
class Crew {
public:
  template <class... Args>
  brio::Task<> add(TaskGroup& group, Args&&... args) {
    tasks_.push_back(group.create_task(std::forward<Args>(args)...));
    return tasks_.back();
  }
  [[nodiscard]] int size() const { return static_cast<int>(tasks_.size()); }
  [[nodiscard]] int cancelled() const { return count(&brio::Task<>::cancelled); }
  [[nodiscard]] bool all_done() const { return count(&brio::Task<>::done) == size(); }
  [[nodiscard]] const std::vector<brio::Task<>>& tasks() const { return tasks_; }

private:
  template <class Is>
  [[nodiscard]] int count(Is is) const {
    return static_cast<int>(std::count_if(tasks_.begin(), tasks_.end(), std::mem_fn(is)));
  }
  std::vector<brio::Task<>> tasks_;
};

}  // namespace injected
