// Locks, semaphores, events, conditions and barriers in use by several tasks, with a cancellation
// at every point where one can come. Afterwards no permit, lock or wake-up may be missing.
#include <brio/core/timeouts.hpp>
#include <brio/core/wait.hpp>
#include <brio/sync/barrier.hpp>
#include <brio/sync/condition.hpp>
#include <brio/sync/event.hpp>
#include <brio/sync/lock.hpp>
#include <brio/sync/queue.hpp>
#include <brio/sync/semaphore.hpp>

#include "injected.hpp"

#include <optional>
#include <string>

using namespace injected;
using namespace std::chrono_literals;

TEST_CASE("cancellation: lock") {
  struct State {
    brio::Lock lock;
    Room room;
    Crew crew;
    int finished = 0;
  };
  std::optional<State> state;
  at_every_point(
      [&]() -> Coro<> {
        state.emplace();
        co_await task_group([&](TaskGroup& group) -> Coro<> {
          const auto worker = [](State& s) -> Coro<> {
            for (int round = 0; round < 2; ++round) {
              const auto held = co_await s.lock.scoped();
              const Room::Visit visit(s.room);
              co_await yield_now();
            }
            ++s.finished;
          };
          for (int i = 0; i < 3; ++i) state->crew.add(group, worker, std::ref(*state));
          co_return;
        });
      },
      [&](const auto&) {
        CHECK(!state->lock.locked());
        CHECK(state->lock.try_acquire());
        CHECK(state->room.most <= 1);
        CHECK(state->finished + state->crew.cancelled() == state->crew.size());
      });
}

TEST_CASE_TEMPLATE("cancellation: semaphores", S, brio::Semaphore, brio::BoundedSemaphore) {
  struct State {
    explicit State(int permits) : semaphore(permits) {}
    S semaphore;
    Room room;
    Crew crew;
    int finished = 0;
  };
  for (const int permits : {1, 2}) {
    CAPTURE(permits);
    std::optional<State> state;
    at_every_point(
        [&]() -> Coro<> {
          state.emplace(permits);
          co_await task_group([&](TaskGroup& group) -> Coro<> {
            const auto worker = [](State& s) -> Coro<> {
              for (int round = 0; round < 2; ++round) {
                const auto held = co_await s.semaphore.scoped();
                const Room::Visit visit(s.room);
                co_await yield_now();
              }
              ++s.finished;
            };
            for (int i = 0; i < 4; ++i) state->crew.add(group, worker, std::ref(*state));
            co_return;
          });
        },
        [&](const auto&) {
          for (int i = 0; i < permits; ++i) CHECK(state->semaphore.try_acquire());
          CHECK(!state->semaphore.try_acquire());
          CHECK(state->room.most <= permits);
          CHECK(state->finished + state->crew.cancelled() == state->crew.size());
        });
  }
}

TEST_CASE("cancellation: event") {
  struct State {
    brio::Event ready;
    Crew waiters;
    int woken = 0;
  };
  std::optional<State> state;
  at_every_point(
      [&]() -> Coro<> {
        state.emplace();
        co_await task_group([&](TaskGroup& group) -> Coro<> {
          const auto waiter = [](State& s) -> Coro<> {
            co_await s.ready.wait();
            ++s.woken;
          };
          for (int i = 0; i < 3; ++i) state->waiters.add(group, waiter, std::ref(*state));
          co_await yield_now();
          co_await yield_now();
          state->ready.set();
          state->ready.clear();  // they are woken all the same
          co_await yield_now();
        });
      },
      [&](const auto&) {
        CHECK(state->waiters.all_done());
        CHECK(state->woken + state->waiters.cancelled() == state->waiters.size());
      });
}

TEST_CASE("cancellation: condition, wait_for and wait") {
  // Tickets that are handed out under a condition, fewer than there are takers: none may stay while
  // somebody waits for one.
  struct State {
    brio::Lock lock;
    brio::Condition condition{lock};
    Crew crew;
    Room room;
    int given = 0;
    int tickets = 0;
    int taken = 0;
    int waiting = 0;
    int finished = 0;
    bool over = false;
  };
  const auto take_by_wait_for = [](State& s) -> Coro<> {
    const auto held = co_await s.condition.scoped();
    {
      const While waiting(s.waiting);
      co_await s.condition.wait_for([&s] { return s.tickets > 0 || s.over; });
    }
    CHECK(s.condition.locked());
    const Room::Visit visit(s.room);
    if (s.tickets > 0) --s.tickets, ++s.taken;
    co_await yield_now();
    ++s.finished;
  };
  const auto take_by_wait = [](State& s) -> Coro<> {
    const auto held = co_await s.condition.scoped();
    {
      const While waiting(s.waiting);
      while (s.tickets == 0 && !s.over) co_await s.condition.wait();
    }
    CHECK(s.condition.locked());
    const Room::Visit visit(s.room);
    if (s.tickets > 0) --s.tickets, ++s.taken;
    ++s.finished;
  };
  const auto giver = [](State& s) -> Coro<> {
    for (int i = 0; i < 2; ++i) {
      const auto held = co_await s.condition.scoped();
      const Room::Visit visit(s.room);
      ++s.given;
      ++s.tickets;
      s.condition.notify();
      co_await yield_now();
    }
    ++s.finished;
  };
  // Sends the rest home once nothing moves any more; there are two, so that one survives.
  const auto closer = [](State& s) -> Coro<> {
    co_await brio::sleep(1s);
    if (!s.over) CHECK((s.tickets == 0 || s.waiting == 0));
    const auto held = co_await s.condition.scoped();
    s.over = true;
    s.condition.notify_all();
    ++s.finished;
  };
  for (const bool wait_for : {true, false}) {
    CAPTURE(wait_for);
    std::optional<State> state;
    at_every_point(
        [&]() -> Coro<> {
          state.emplace();
          co_await task_group([&](TaskGroup& group) -> Coro<> {
            State& s = *state;
            for (int i = 0; i < 3; ++i) {
              if (wait_for)
                s.crew.add(group, take_by_wait_for, std::ref(s));
              else
                s.crew.add(group, take_by_wait, std::ref(s));
            }
            s.crew.add(group, giver, std::ref(s));
            for (int i = 0; i < 2; ++i) s.crew.add(group, closer, std::ref(s));
            co_return;
          });
        },
        [&](const auto&) {
          CHECK(!state->lock.locked());
          CHECK(state->lock.try_acquire());
          CHECK(state->room.most <= 1);
          CHECK(state->tickets + state->taken == state->given);
          CHECK(state->finished + state->crew.cancelled() == state->crew.size());
        });
  }
}

TEST_CASE("cancellation: a notification is never lost") {
  // Two wait, one is notified: whoever is cancelled, at whatever turn, the notification reaches the
  // other one.
  struct State {
    brio::Condition condition;
    int woken = 0;
  };
  const auto waiter = [](State& s) -> Coro<> {
    const auto held = co_await s.condition.scoped();
    co_await s.condition.wait();
    ++s.woken;
  };
  for (const bool cancel_first : {true, false}) {
    for (int when = 0; when < 6; ++when) {
      CAPTURE(cancel_first);
      CAPTURE(when);
      State state;
      int woken = 0;
      const auto play = [&]() -> Coro<> {
        const auto a = brio::create_task(waiter, std::ref(state));
        const auto b = brio::create_task(waiter, std::ref(state));
        for (int turn = 0; turn < 8; ++turn) {
          if (turn == when) (cancel_first ? a : b).cancel();
          if (turn == 3) {
            const auto held = co_await state.condition.scoped();
            state.condition.notify();
          }
          co_await yield_now();
        }
        woken = state.woken;
        a.cancel();
        b.cancel();
        for (int turn = 0; turn < 5; ++turn) co_await yield_now();
      };
      brio::new_event_loop()->run_until_complete(play());
      CHECK(woken == 1);
      CHECK(!state.condition.locked());
    }
  }
}

TEST_CASE("cancellation: barrier, whose parties time out if one is missing") {
  constexpr int rounds = 2;
  struct State {
    brio::Barrier barrier{3};
    Crew crew;
    int passed[rounds + 1] = {};
    int late[rounds + 1] = {};
    int indices = 0;
  };
  const auto party = [](State& s, int from, int until) -> Coro<> {
    for (int round = from; round < until; ++round) {
      try {
        const int index = co_await brio::wait_for(s.barrier.wait(), 1s);
        ++s.passed[round];
        s.indices += index;
      } catch (const brio::TimeoutError&) {
        ++s.late[round];
        break;
      }
    }
  };
  std::optional<State> state;
  at_every_point(
      [&]() -> Coro<> {
        state.emplace();
        co_await task_group([&](TaskGroup& group) -> Coro<> {
          for (int i = 0; i < 3; ++i) state->crew.add(group, party, std::ref(*state), 0, rounds);
          co_return;
        });
        CHECK(state->barrier.n_waiting() == 0);
        // Whatever happened, it serves three that come now.
        co_await task_group([&](TaskGroup& group) -> Coro<> {
          state->indices = 0;
          for (int i = 0; i < 3; ++i)
            state->crew.add(group, party, std::ref(*state), rounds, rounds + 1);
          co_return;
        });
      },
      [&](const auto& run) {
        CHECK(state->barrier.n_waiting() == 0);
        CHECK(!state->barrier.broken());
        CHECK(state->crew.all_done());
        for (int round = 0; round <= rounds; ++round) {
          CAPTURE(round);
          CHECK(state->passed[round] <= 3);
          // Once it has let one through, it lets all through that came for this round.
          CHECK((state->passed[round] == 0 || state->late[round] == 0));
        }
        if (run.outcome.has_value() && state->crew.cancelled() == 0) {
          CHECK(state->passed[rounds] == 3);
          CHECK(state->indices == 0 + 1 + 2);
        }
        if (!run.hit()) CHECK(state->passed[0] + state->passed[1] == 6);
      });
}

TEST_CASE("cancellation: barrier, aborted, then reset, then used again") {
  struct State {
    brio::Barrier barrier{3};
    Crew crew;
    int broken = 0;
    int passed = 0;
    int late = 0;
  };
  const auto party = [](State& s) -> Coro<> {
    try {
      co_await brio::wait_for(s.barrier.wait(), 1h);
      ++s.passed;
    } catch (const brio::BrokenBarrierError&) {
      ++s.broken;
    } catch (const brio::TimeoutError&) {
      ++s.late;
    }
  };
  std::optional<State> state;
  at_every_point(
      [&]() -> Coro<> {
        state.emplace();
        for (const bool abort : {true, false}) {
          co_await task_group([&](TaskGroup& group) -> Coro<> {
            for (int i = 0; i < 2; ++i) state->crew.add(group, party, std::ref(*state));
            co_await brio::sleep(1s);
            co_await (abort ? state->barrier.abort() : state->barrier.reset());
          });
          CHECK(state->late == 0);  // nobody is left waiting
          if (abort) CHECK(state->barrier.broken());
          co_await state->barrier.reset();
        }
        co_await task_group([&](TaskGroup& group) -> Coro<> {
          for (int i = 0; i < 3; ++i) state->crew.add(group, party, std::ref(*state));
          co_return;
        });
      },
      [&](const auto& run) {
        CHECK(state->barrier.n_waiting() == 0);
        CHECK(state->passed + state->broken + state->late + state->crew.cancelled() ==
              state->crew.size());
        if (!run.hit()) CHECK((state->broken == 4 && state->passed == 3));
        if (run.outcome.has_value() && state->crew.cancelled() == 0) CHECK(state->passed == 3);
      });
}

TEST_CASE("cancellation: a scope cannot interrupt the condition's second half") {
  brio::Condition condition;
  std::string story;
  brio::CancelScope scope;
  const auto waiter = [&]() -> Coro<> {
    scope.enter();
    {
      const auto held = co_await condition.scoped();
      try {
        co_await condition.wait();
      } catch (const brio::CancelledError&) {
        story += condition.locked() ? "locked " : "free ";
      }
      // The scope stays cancelled: the next wait ends at once, with the lock held.
      try {
        co_await condition.wait();
      } catch (const brio::CancelledError&) {
        story += condition.locked() ? "locked " : "free ";
      }
    }
    (void)scope.leave(nullptr);
    story += "left";
  };
  const auto play = [&]() -> Coro<> {
    const auto waiting = brio::create_task(waiter());
    co_await yield_now();
    co_await condition.acquire();
    scope.cancel();
    for (int turn = 0; turn < 3; ++turn) co_await yield_now();
    story += "- ";
    condition.release();
    co_await waiting;
  };
  brio::new_event_loop()->run_until_complete(play());
  CHECK(story == "- locked locked left");
}

TEST_CASE("cancellation: a woken getter whose item is gone, inside a cancelled scope") {
  brio::Queue<int> queue;
  std::string story;
  brio::CancelScope scope;
  const auto waiter = [&]() -> Coro<> {
    scope.enter();
    try {
      story += std::to_string(co_await queue.get());
    } catch (const brio::CancelledError&) {
      story += "cancelled ";
    }
    (void)scope.leave(nullptr);
  };
  const auto play = [&]() -> Coro<> {
    const auto waiting = brio::create_task(waiter());
    co_await yield_now();
    queue.put_nowait(1);
    story += std::to_string(queue.get_nowait()) + " ";
    scope.cancel();  // the wait has ended: nothing to interrupt until it would wait again
    co_await waiting;
    queue.put_nowait(2);
    story += std::to_string(queue.get_nowait());
  };
  brio::new_event_loop()->run_until_complete(play());
  CHECK(story == "1 cancelled 2");
}
