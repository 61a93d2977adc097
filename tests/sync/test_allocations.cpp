// In steady state no primitive allocates, whether its users have to wait or not. The counting
// operator new is this whole binary's.
#include <brio/sync/barrier.hpp>
#include <brio/sync/channel.hpp>
#include <brio/sync/condition.hpp>
#include <brio/sync/event.hpp>
#include <brio/sync/lock.hpp>
#include <brio/sync/queue.hpp>
#include <brio/sync/semaphore.hpp>

#include "scene.hpp"

#include <cstdlib>
#include <new>

// The thread sanitizer's operator new cannot be replaced.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BRIO_OPERATOR_NEW_TAKEN
#endif
#endif
#ifndef BRIO_OPERATOR_NEW_TAKEN

namespace {

std::size_t allocations = 0;

void* counted(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace {

using namespace scene;

// Runs two tasks of `make(round)` to their ends and counts what the second half of it allocates:
// `rounds` rounds each, after as many for warming up.
struct Gauge {
  static constexpr int rounds = 1000;
  std::size_t at_half = 0;
  std::size_t at_end = 0;
  void tick(int round) {
    if (round == rounds) at_half = allocations;
    if (round == 2 * rounds - 1) at_end = allocations;
  }
  [[nodiscard]] std::size_t result() const { return at_end - at_half; }
};

template <class... Tasks>
Coro<void> together(Tasks... tasks) {
  (co_await std::move(tasks), ...);
}

// Not in debug mode, which describes each step.
void run(Coro<void> coro) {
  const brio::LoopPtr loop = brio::new_event_loop();
  loop->set_debug(false);
  loop->run_until_complete(std::move(coro));
}

// Frames come from malloc under a sanitizer.
#if BRIO_SANITIZED
#define CHECK_NO_ALLOCATION(gauge) CHECK((gauge).at_half > 0)
#else
#define CHECK_NO_ALLOCATION(gauge) CHECK((gauge).result() == 0)
#endif

}  // namespace

TEST_CASE("no allocation: lock hand-over") {
  Gauge gauge;
  brio::Lock lock;
  const auto worker = [](Gauge& g, brio::Lock& l) -> Coro<void> {
    for (int i = 0; i < 2 * Gauge::rounds; ++i) {
      {
        const auto held = co_await l.scoped();
        co_await yield_now();
      }
      g.tick(i);
    }
  };
  run([](auto work, Gauge& g, brio::Lock& l) -> Coro<void> {
    co_await together(create_task(work, std::ref(g), std::ref(l)),
                      create_task(work, std::ref(g), std::ref(l)));
  }(worker, gauge, lock));
  CHECK_NO_ALLOCATION(gauge);
}

TEST_CASE("no allocation: semaphore hand-over") {
  Gauge gauge;
  brio::Semaphore semaphore(1);
  const auto worker = [](Gauge& g, brio::Semaphore& s) -> Coro<void> {
    for (int i = 0; i < 2 * Gauge::rounds; ++i) {
      {
        const auto held = co_await s.scoped();
        co_await yield_now();
      }
      g.tick(i);
    }
  };
  run([](auto work, Gauge& g, brio::Semaphore& s) -> Coro<void> {
    co_await together(create_task(work, std::ref(g), std::ref(s)),
                      create_task(work, std::ref(g), std::ref(s)));
  }(worker, gauge, semaphore));
  CHECK_NO_ALLOCATION(gauge);
}

TEST_CASE("no allocation: event ping-pong") {
  Gauge gauge;
  struct Pair {
    brio::Event ping;
    brio::Event pong;
  } pair;
  const auto left = [](Gauge& g, Pair& p) -> Coro<void> {
    for (int i = 0; i < 2 * Gauge::rounds; ++i) {
      p.ping.set();
      co_await p.pong.wait();
      p.pong.clear();
      g.tick(i);
    }
  };
  const auto right = [](Pair& p) -> Coro<void> {
    for (int i = 0; i < 2 * Gauge::rounds; ++i) {
      co_await p.ping.wait();
      p.ping.clear();
      p.pong.set();
    }
  };
  run([](auto l, auto r, Gauge& g, Pair& p) -> Coro<void> {
    co_await together(create_task(l, std::ref(g), std::ref(p)), create_task(r, std::ref(p)));
  }(left, right, gauge, pair));
  CHECK_NO_ALLOCATION(gauge);
}

TEST_CASE("no allocation: condition, wait and wait_for") {
  Gauge gauge;
  struct Shared {
    brio::Condition condition;
    int turn = 0;
  } shared;
  const auto worker = [](Gauge& g, Shared& s, int self) -> Coro<void> {
    for (int i = 0; i < 2 * Gauge::rounds; ++i) {
      const auto held = co_await s.condition.scoped();
      if (self == 0)
        co_await s.condition.wait_for([&s] { return s.turn == 0; });
      else
        while (s.turn != 1) co_await s.condition.wait();
      s.turn = 1 - self;
      s.condition.notify();
      if (self == 0) g.tick(i);
    }
  };
  run([](auto work, Gauge& g, Shared& s) -> Coro<void> {
    co_await together(create_task(work, std::ref(g), std::ref(s), 0),
                      create_task(work, std::ref(g), std::ref(s), 1));
  }(worker, gauge, shared));
  CHECK_NO_ALLOCATION(gauge);
}

TEST_CASE("no allocation: barrier") {
  Gauge gauge;
  brio::Barrier barrier(2);
  const auto worker = [](Gauge& g, brio::Barrier& b) -> Coro<void> {
    for (int i = 0; i < 2 * Gauge::rounds; ++i)
      if (co_await b.wait() == 0) g.tick(i);
  };
  run([](auto work, Gauge& g, brio::Barrier& b) -> Coro<void> {
    co_await together(create_task(work, std::ref(g), std::ref(b)),
                      create_task(work, std::ref(g), std::ref(b)));
  }(worker, gauge, barrier));
  CHECK_NO_ALLOCATION(gauge);
}

TEST_CASE_TEMPLATE("no allocation: queues", Q, brio::Queue<int>, brio::LifoQueue<int>,
                   brio::PriorityQueue<int>) {
  for (const std::size_t size : {std::size_t{1}, std::size_t{3}, std::size_t{100}}) {
    Gauge gauge;
    Q queue(size);
    const auto producer = [](Q& q) -> Coro<void> {
      for (int i = 0; i < 2 * Gauge::rounds; ++i) co_await q.put(i);
      co_await q.join();
    };
    const auto consumer = [](Gauge& g, Q& q) -> Coro<void> {
      for (int i = 0; i < 2 * Gauge::rounds; ++i) {
        (void)co_await q.get();
        q.task_done();
        g.tick(i);
      }
    };
    run([](auto produce, auto consume, Gauge& g, Q& q) -> Coro<void> {
      co_await together(create_task(produce, std::ref(q)),
                        create_task(consume, std::ref(g), std::ref(q)));
    }(producer, consumer, gauge, queue));
    CHECK_NO_ALLOCATION(gauge);
  }
}

TEST_CASE("no allocation: memory channels") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{100}}) {
    Gauge gauge;
    auto channel = brio::open_memory_channel<int>(size);
    const auto producer = [](brio::MemorySendChannel<int> sender) -> Coro<void> {
      for (int i = 0; i < 2 * Gauge::rounds; ++i) co_await sender.send(i);
    };
    const auto consumer = [](Gauge& g, brio::MemoryReceiveChannel<int> receiver) -> Coro<void> {
      for (int i = 0; co_await receiver.next(); ++i) g.tick(i);
    };
    run([](auto produce, auto consume, Gauge& g, brio::MemoryChannel<int>& c) -> Coro<void> {
      co_await together(create_task(produce, std::move(c.send_channel)),
                        create_task(consume, std::ref(g), std::move(c.receive_channel)));
    }(producer, consumer, gauge, channel));
    CHECK_NO_ALLOCATION(gauge);
  }
}

#endif
