// Queues, memory channels and as_completed in use by several tasks, with a cancellation at every
// point where one can come. Afterwards no item may be missing or there twice, and nobody waits.
#include <brio/core/timeouts.hpp>
#include <brio/sync/as_completed.hpp>
#include <brio/sync/channel.hpp>
#include <brio/sync/queue.hpp>

#include "injected.hpp"

#include <map>
#include <optional>
#include <set>

using namespace injected;
using namespace std::chrono_literals;

namespace {

/// Calls `end` once all of `tasks` are done, however they end: a task that is cancelled before its
/// first step has no block that it could do something at the end of.
void when_done(const std::vector<brio::Task<>>& tasks, const std::function<void()>& end) {
  const auto left = std::make_shared<std::size_t>(tasks.size());
  for (const auto& task : tasks)
    task.add_done_callback([left, end](const auto&) {
      if (--*left == 0) end();
    });
}

/// Who keeps whom waiting.
enum class Pace { even, slow_giving, slow_taking };
constexpr Pace paces[] = {Pace::even, Pace::slow_giving, Pace::slow_taking};

}  // namespace

TEST_CASE_TEMPLATE("cancellation: queues, put, get and join", Q, brio::Queue<int>,
                   brio::LifoQueue<int>, brio::PriorityQueue<int>) {
  struct State {
    State(std::size_t maxsize, Pace how) : queue(maxsize), pace(how) {}
    Q queue;
    Pace pace;
    Crew producers;
    Crew consumers;
    Crew joiners;
    int putting = 0;
    int getting = 0;
    std::multiset<int> put;  // put() returned
    std::multiset<int> got;
    std::map<int, int> last;  // of each producer, what was got last
    int finished = 0;
    bool in_order = true;
    bool stuck = false;
    // After a while in which whoever could do anything has done it. `who` is different for all, so
    // that only one has its turn then.
    Coro<> rest(int who) {
      co_await brio::sleep(1s + std::chrono::milliseconds(who));
      if ((getting > 0 && !queue.empty()) || (putting > 0 && !queue.full())) stuck = true;
    }
  };
  const auto producer = [](State& s, int from) -> Coro<> {
    for (int i = from; i < from + 3; ++i) {
      if (s.pace == Pace::slow_giving) co_await s.rest(from);
      const While putting(s.putting);
      co_await s.queue.put(i);
      s.put.insert(i);
    }
    if (s.pace == Pace::slow_giving) co_await s.rest(from);
    ++s.finished;
  };
  const auto consumer = [](State& s, int number) -> Coro<> {
    try {
      while (true) {
        {
          const While getting(s.getting);
          const int item = co_await s.queue.get();
          s.got.insert(item);
          const auto [last, first] = s.last.try_emplace(item / 10, item);
          if (!first && last->second >= item) s.in_order = false;
          last->second = item;
        }
        s.queue.task_done();
        co_await yield_now();
        if (s.pace == Pace::slow_taking) co_await s.rest(number);
      }
    } catch (const brio::QueueShutDown&) {
      ++s.finished;
    }
  };
  const auto joiner = [](State& s) -> Coro<> {
    co_await yield_now();  // the first items are in the queue, if nobody is slow
    co_await s.queue.join();
    ++s.finished;
  };
  for (const std::size_t maxsize : {std::size_t{1}, std::size_t{2}, std::size_t{0}}) {
    for (const Pace pace : paces) {
      CAPTURE(maxsize);
      CAPTURE(static_cast<int>(pace));
      std::optional<State> state;
      at_every_point(
          [&]() -> Coro<> {
            state.emplace(maxsize, pace);
            co_await task_group([&](TaskGroup& group) -> Coro<> {
              State& s = *state;
              for (int i = 0; i < 2; ++i) {
                s.producers.add(group, producer, std::ref(s), 10 * i);
                s.consumers.add(group, consumer, std::ref(s), i);
              }
              s.joiners.add(group, joiner, std::ref(s));
              when_done(s.producers.tasks(), [&s] { s.queue.shutdown(); });
              co_return;
            });
          },
          [&](const auto& run) {
            State& s = *state;
            CHECK_FALSE(s.stuck);
            CHECK(s.finished + s.producers.cancelled() + s.consumers.cancelled() +
                      s.joiners.cancelled() ==
                  s.producers.size() + s.consumers.size() + s.joiners.size());
            if constexpr (std::is_same_v<Q, brio::Queue<int>>) CHECK(s.in_order);
            // Some consumer has gone on to the end, unless all were cancelled.
            if (run.outcome.has_value()) CHECK(s.queue.empty());
            // What was put was got, once, or is still there.
            while (const auto item = s.queue.try_get()) s.got.insert(*item);
            CHECK(s.put == s.got);
          });
    }
  }
}

TEST_CASE_TEMPLATE("cancellation: queues, shut down while tasks wait", Q, brio::Queue<int>,
                   brio::LifoQueue<int>, brio::PriorityQueue<int>) {
  struct State {
    Q full{1};
    Q empty{1};
    Crew crew;
    int finished = 0;
    int refused = 0;
    std::multiset<int> put;    // into full
    std::multiset<int> taken;  // out of it
    std::multiset<int> got;    // out of empty
  };
  const auto putter = [](State& s, int item) -> Coro<> {
    try {
      co_await s.full.put(item);
      s.put.insert(item);
      ++s.finished;
    } catch (const brio::QueueShutDown&) {
      ++s.refused;
    }
  };
  const auto getter = [](State& s) -> Coro<> {
    try {
      s.got.insert(co_await s.empty.get());
      ++s.finished;
    } catch (const brio::QueueShutDown&) {
      ++s.refused;
    }
  };
  const auto joiner = [](State& s) -> Coro<> {
    co_await s.full.join();
    ++s.finished;
  };
  for (const bool immediate : {true, false}) {
    CAPTURE(immediate);
    std::optional<State> state;
    at_every_point(
        [&]() -> Coro<> {
          state.emplace();
          state->full.put_nowait(1);
          state->put.insert(1);
          co_await task_group([&](TaskGroup& group) -> Coro<> {
            State& s = *state;
            for (int i = 0; i < 2; ++i) {
              s.crew.add(group, putter, std::ref(s), i + 2);
              s.crew.add(group, getter, std::ref(s));
            }
            s.crew.add(group, joiner, std::ref(s));
            co_await yield_now();
            co_await yield_now();
            // A slot and an item come free in the same iteration in which the queues are shut down.
            s.taken.insert(s.full.get_nowait());
            s.full.task_done();
            s.empty.put_nowait(9);
            co_await yield_now();
            s.full.shutdown(immediate);
            s.empty.shutdown(immediate);
            // What a putter has got in is not taken by anybody, so join() would wait for it.
            while (const auto item = s.full.try_get()) {
              s.taken.insert(*item);
              s.full.task_done();
            }
          });
        },
        [&](const auto& run) {
          State& s = *state;
          CHECK(s.finished + s.refused + s.crew.cancelled() == s.crew.size());
          while (const auto item = s.full.try_get()) s.taken.insert(*item);
          while (const auto item = s.empty.try_get()) s.got.insert(*item);
          if (immediate) {  // which drops what is in the queues
            CHECK(std::includes(s.put.begin(), s.put.end(), s.taken.begin(), s.taken.end()));
            CHECK(s.got.size() <= 1);
          } else {
            CHECK(s.put == s.taken);
            if (run.outcome.has_value()) CHECK(s.got == std::multiset<int>{9});
          }
          if (!run.hit()) CHECK((s.put.size() == 2 && s.refused == 2 && s.got.size() == 1));
        });
  }
}

TEST_CASE("cancellation: memory channels") {
  struct State {
    explicit State(Pace how) : pace(how) {}
    Pace pace;
    brio::MemoryReceiveChannel<int> last;
    Crew crew;
    int finished = 0;
    bool twice = false;
    bool stuck = false;
    std::set<int> tried;  // send was called
    std::set<int> sent;   // send returned
    std::set<int> received;
    // As that of the queues.
    Coro<> rest(int who) {
      co_await brio::sleep(1s + std::chrono::milliseconds(who));
      const auto now = last.statistics();
      if (now.tasks_waiting_receive > 0 && now.current_buffer_used > 0) stuck = true;
      if (now.tasks_waiting_send > 0 &&
          (now.tasks_waiting_receive > 0 || now.current_buffer_used < now.max_buffer_size))
        stuck = true;
    }
  };
  const auto sender = [](State& s, brio::MemorySendChannel<int> end, int from) -> Coro<> {
    for (int i = from; i < from + 3; ++i) {
      if (s.pace == Pace::slow_giving) co_await s.rest(from);
      s.tried.insert(i);
      co_await end.send(i);
      s.sent.insert(i);
    }
    if (s.pace == Pace::slow_giving) co_await s.rest(from);
    ++s.finished;
  };
  const auto receiver = [](State& s, brio::MemoryReceiveChannel<int> end, int number) -> Coro<> {
    while (const auto item = co_await end.next()) {
      if (!s.received.insert(*item).second) s.twice = true;
      co_await yield_now();
      if (s.pace == Pace::slow_taking) co_await s.rest(number);
    }
    ++s.finished;
  };
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{2}}) {
    for (const Pace pace : paces) {
      CAPTURE(size);
      CAPTURE(static_cast<int>(pace));
      std::optional<State> state;
      at_every_point(
          [&]() -> Coro<> {
            auto channel = brio::open_memory_channel<int>(size);
            state.emplace(pace);
            state->last = channel.receive_channel.clone();
            co_await task_group([&](TaskGroup& group) -> Coro<> {
              State& s = *state;
              for (int i = 0; i < 2; ++i) {
                s.crew.add(group, sender, std::ref(s), channel.send_channel.clone(), 10 * i);
                s.crew.add(group, receiver, std::ref(s), channel.receive_channel.clone(), i);
              }
              channel.send_channel.close();
              channel.receive_channel.close();
              co_return;
            });
          },
          [&](const auto& run) {
            State& s = *state;
            CHECK_FALSE(s.stuck);
            CHECK(s.finished + s.crew.cancelled() == s.crew.size());
            const auto now = s.last.statistics();
            CHECK(now.open_send_channels == 0);
            CHECK(now.open_receive_channels == 1);
            CHECK(now.tasks_waiting_send == 0);
            CHECK(now.tasks_waiting_receive == 0);
            // Some receiver has gone on to the end, unless all were cancelled.
            if (run.outcome.has_value()) CHECK(now.current_buffer_used == 0);
            for (std::size_t left = now.current_buffer_used; left > 0; --left)
              if (!s.received.insert(s.last.receive_nowait()).second) s.twice = true;
            CHECK_THROWS_AS((void)s.last.receive_nowait(), brio::EndOfChannel);
            CHECK_FALSE(s.twice);
            const auto within = [](const std::set<int>& part, const std::set<int>& all) {
              return std::includes(all.begin(), all.end(), part.begin(), part.end());
            };
            CHECK(within(s.sent, s.received));
            CHECK(within(s.received, s.tried));
          });
    }
  }
}

TEST_CASE("cancellation: memory channels, the last item and the end in one turn") {
  struct State {
    brio::MemoryReceiveChannel<int> last;
    Crew crew;
    int sent = 0;
    int received = 0;
    int ended = 0;
  };
  const auto receive = [](State& s, brio::MemoryReceiveChannel<int> end) -> Coro<> {
    if (co_await end.next())
      ++s.received;
    else
      ++s.ended;
  };
  std::optional<State> state;
  at_every_point(
      [&]() -> Coro<> {
        auto [sender, receiver] = brio::open_memory_channel<int>(1);
        state.emplace();
        State& s = *state;
        s.last = receiver.clone();
        co_await task_group([&](TaskGroup& group) -> Coro<> {
          for (int i = 0; i < 2; ++i) s.crew.add(group, receive, std::ref(s), receiver.clone());
          co_await yield_now();
          co_await yield_now();
          sender.send_nowait(1);
          sender.close();
          ++s.sent;
          co_await yield_now();
        });
      },
      [&](const auto& run) {
        State& s = *state;
        CHECK(s.received + s.ended + s.crew.cancelled() == s.crew.size());
        // The one that is not cancelled takes it.
        if (run.outcome.has_value()) CHECK(s.received == 1);
        const int left = static_cast<int>(s.last.statistics().current_buffer_used);
        CHECK(s.received + left == s.sent);
      });
}

TEST_CASE("cancellation: memory channels whose ends are closed while tasks wait") {
  struct State {
    Crew crew;
    int closed = 0;
    int broken = 0;
    int ended = 0;
    int through = 0;
  };
  const auto send = [](State& s, brio::MemorySendChannel<int>& end) -> Coro<> {
    try {
      co_await end.send(1);
      ++s.through;
    } catch (const brio::ClosedResourceError&) {
      ++s.closed;
    } catch (const brio::BrokenResourceError&) {
      ++s.broken;
    }
  };
  const auto receive = [](State& s, brio::MemoryReceiveChannel<int>& end) -> Coro<> {
    try {
      (void)co_await end.receive();
      ++s.through;
    } catch (const brio::ClosedResourceError&) {
      ++s.closed;
    } catch (const brio::EndOfChannel&) {
      ++s.ended;
    }
  };
  std::optional<State> state;
  at_every_point(
      [&]() -> Coro<> {
        state.emplace();
        auto [to_close, broken] = brio::open_memory_channel<int>(0);
        auto [ending, closing] = brio::open_memory_channel<int>(0);
        co_await task_group([&](TaskGroup& group) -> Coro<> {
          State& s = *state;
          auto other = to_close.clone();
          for (int i = 0; i < 2; ++i) {
            s.crew.add(group, send, std::ref(s), std::ref(to_close));
            s.crew.add(group, send, std::ref(s), std::ref(other));
            s.crew.add(group, receive, std::ref(s), std::ref(closing));
          }
          auto second = closing.clone();
          s.crew.add(group, receive, std::ref(s), std::ref(second));
          co_await yield_now();
          co_await yield_now();
          to_close.close();
          broken.close();
          closing.close();
          ending.close();
          co_await yield_now();
          co_await yield_now();
          co_await yield_now();
        });
      },
      [&](const auto& run) {
        const State& s = *state;
        CHECK(s.through == 0);
        CHECK(s.closed + s.broken + s.ended + s.crew.cancelled() == s.crew.size());
        if (!run.hit()) CHECK((s.closed == 4 && s.broken == 2 && s.ended == 1));
      });
}

TEST_CASE("cancellation: as_completed, iterated both ways, left and timed out") {
  struct State {
    int begun = 0;
    int ended = 0;
    std::multiset<int> got;
    int late = 0;
    bool through = false;
  };
  struct Inside : brio::testing::Counted {
    explicit Inside(State& s) : state(s) { ++state.begun; }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;
    ~Inside() { ++state.ended; }
    State& state;
  };
  const auto job = [](State& s, int seconds) -> Coro<int> {
    const Inside inside(s);
    co_await brio::sleep(std::chrono::seconds(seconds));
    co_return seconds;
  };
  std::optional<State> state;
  at_every_point(
      [&]() -> Coro<> {
        state.emplace();
        State& s = *state;
        const auto jobs = [&](std::initializer_list<int> seconds) {
          std::vector<brio::Task<int>> tasks;
          for (const int each : seconds) tasks.push_back(brio::create_task(job, std::ref(s), each));
          return tasks;
        };
        const auto note = [&s](brio::Outcome<int> got) {
          if (got.has_value()) {
            s.got.insert(got.value());
          } else if (got.error_as<brio::TimeoutError>()) {
            ++s.late;
          } else if (!got.cancelled()) {
            got.raise();
          }
        };
        auto async = brio::as_completed(jobs({2, 1, 3}));
        while (const auto task = co_await async.next()) note(co_await brio::as_outcome(*task));
        for (auto slot : brio::as_completed(jobs({12, 11})))
          note(co_await brio::as_outcome(std::move(slot)));
        co_await yield_now();
        auto left = brio::as_completed(jobs({21, 25}));
        if (const auto task = co_await left.next()) note(co_await brio::as_outcome(*task));
        for (auto slot : brio::as_completed(jobs({31, 39}), {.timeout = 35s}))
          note(co_await brio::as_outcome(std::move(slot)));
        co_await yield_now();
        s.through = true;
      },
      [&](const auto& run) {
        const State& s = *state;
        CHECK(s.begun == s.ended);
        for (const int each : s.got) CHECK(s.got.count(each) == 1);
        if (!run.hit()) {
          CHECK(s.got == std::multiset<int>{1, 2, 3, 11, 12, 21, 31});
          CHECK(s.late == 1);
        }
        if (run.outcome.has_value()) CHECK(s.through);
      },
      true);  // leaving early cancels nothing
}
