#include <brio/sync/condition.hpp>

#include "scene.hpp"

#include <memory>

using brio::Condition;
using brio::Lock;
using namespace scene;

namespace {

// with condition: wait, log, then one turn with the lock held.
Coro<void> wait_and_hold(Scene& scene, Condition& condition, std::string name) {
  const auto held = co_await condition.scoped();
  co_await Scene::tell(scene, name, condition.wait());
  scene.log("locked:" + text(condition.locked()));
  co_await yield_now();
}

AnyTask waiter(Scene& scene, Condition& condition, const char* name) {
  return create_task(wait_and_hold, std::ref(scene), std::ref(condition), name);
}

}  // namespace

TEST_CASE("condition: wait and notify need the lock") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Condition condition;
    co_await Scene::tell(scene, "wait", condition.wait());
    scene.log(thrown_by([&] { condition.notify(); }));
    scene.log(thrown_by([&] { condition.notify_all(); }));
    scene.log(thrown_by([&] { condition.release(); }));
  });
  CHECK(story ==
        "wait!RuntimeError(cannot wait on un-acquired lock) "
        "RuntimeError(cannot notify on un-acquired lock) "
        "RuntimeError(cannot notify on un-acquired lock) RuntimeError(Lock is not acquired.)");
}

TEST_CASE("condition: the notified lock again one after the other, in order") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Condition condition;
    for (const char* name : {"a", "b", "c"}) waiter(scene, condition, name);
    co_await turns(3);
    {
      const auto held = co_await condition.scoped();
      condition.notify(2);
      scene.log("notified");
    }
    co_await turns(6);
    scene.log("-");
    {
      const auto held = co_await condition.scoped();
      condition.notify_all();
    }
    co_await turns(4);
  });
  CHECK(story == "notified a=True locked:True b=True locked:True - c=True locked:True");
}

TEST_CASE("condition: one hop from notify to the waiter when the lock is free by then") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Condition condition;
    waiter(scene, condition, "a");
    co_await turns(2);
    co_await condition.acquire();
    condition.notify();
    condition.release();
    co_await yield_now();
    scene.log("1");
    co_await turns(2);
  });
  CHECK(story == "a=True locked:True 1");
}

TEST_CASE("condition: notify counts only those that still wait") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Condition condition;
    for (const char* name : {"a", "b", "c"}) waiter(scene, condition, name);
    co_await turns(3);
    {
      const auto held = co_await condition.scoped();
      condition.notify(1);
      condition.notify(1);
    }
    co_await turns(8);
    scene.log("-");
    co_await finish();
  });
  CHECK(story == "a=True locked:True b=True locked:True - c!CancelledError() locked:True");
}

TEST_CASE("condition: cancellation and notification") {
  SUBCASE("cancelled, then notified: the next one gets it") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Condition condition;
      const auto a = waiter(scene, condition, "a");
      waiter(scene, condition, "b");
      co_await turns(2);
      {
        const auto held = co_await condition.scoped();
        a.cancel();
        condition.notify(1);
      }
      co_await turns(6);
    });
    CHECK(story == "a!CancelledError() locked:True b=True locked:True");
  }
  SUBCASE("notified, then cancelled: passed on") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Condition condition;
      const auto a = waiter(scene, condition, "a");
      waiter(scene, condition, "b");
      co_await turns(2);
      {
        const auto held = co_await condition.scoped();
        condition.notify(1);
        a.cancel();
      }
      co_await turns(6);
      scene.log("-");
    });
    CHECK(story == "a!CancelledError() locked:True b=True locked:True -");
  }
  SUBCASE("only cancelled: wakes another one all the same") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Condition condition;
      const auto a = waiter(scene, condition, "a");
      waiter(scene, condition, "b");
      co_await turns(2);
      a.cancel();
      co_await turns(6);
      scene.log("-");
    });
    CHECK(story == "a!CancelledError() locked:True b=True locked:True -");
  }
}

TEST_CASE("condition: cancelled while it locks again") {
  SUBCASE("the error waits for the lock") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Condition condition;
      const auto a = waiter(scene, condition, "a");
      co_await turns(2);
      {
        const auto held = co_await condition.scoped();
        condition.notify(1);
        co_await turns(2);
        a.cancel("m");
        co_await turns(3);
        scene.log("leaving");
      }
      co_await turns(3);
      scene.log(text(condition.locked()));
    });
    CHECK(story == "leaving a!CancelledError(m) locked:True False");
  }
  SUBCASE("twice: the last error counts") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Condition condition;
      const auto a = waiter(scene, condition, "a");
      co_await turns(2);
      {
        const auto held = co_await condition.scoped();
        condition.notify(1);
        co_await turns(2);
        a.cancel("one");
        co_await turns(2);
        a.cancel("two");
        co_await turns(2);
      }
      co_await turns(3);
    });
    CHECK(story == "a!CancelledError(two) locked:True");
  }
  SUBCASE("when it was its turn: the lock goes to the next, and it stands in line again") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Condition condition;
      const auto a = waiter(scene, condition, "a");
      co_await turns(2);
      co_await condition.acquire();
      condition.notify(1);
      co_await turns(2);
      scene.spawn("b", condition.acquire());
      co_await turns(2);
      condition.release();  // a is chosen
      a.cancel("m");
      co_await turns(2);
      scene.log("-");
      condition.release();  // b's
      co_await turns(2);
    });
    CHECK(story == "b=True - a!CancelledError(m) locked:True");
  }
}

TEST_CASE("condition: cancelled before it suspends") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Condition condition;
    co_await condition.acquire();
    brio::current_task().cancel("self");
    co_await Scene::tell(scene, "wait", condition.wait());
    scene.log(text(condition.locked()));
    condition.release();
  });
  CHECK(story == "wait!CancelledError(self) True");
}

TEST_CASE("condition: two on one lock") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Lock lock;
    Condition first(lock);
    Condition second(lock);
    waiter(scene, first, "a");
    waiter(scene, second, "b");
    co_await turns(2);
    {
      const auto held = co_await lock.scoped();
      first.notify();
      scene.log(text(second.locked()));
    }
    {
      const auto held = co_await first.scoped();
      second.notify();
    }
    co_await turns(6);
  });
  CHECK(story == "True a=True locked:True b=True locked:True");
}

TEST_CASE("condition: wait_for looks again after each notification and gives the value") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Condition condition;
    int n = 0;
    create_task(
        [](Scene& s, Condition& c, int& count) -> Coro<void> {
          const auto held = co_await c.scoped();
          const int value = co_await c.wait_for([&s, &count] {
            s.log("?");
            return count >= 2 ? count : 0;
          });
          s.log(text(value));
        },
        std::ref(scene), std::ref(condition), std::ref(n));
    for (int round = 0; round < 3; ++round) {
      co_await turns(2);
      const auto held = co_await condition.scoped();
      ++n;
      condition.notify();
    }
    co_await turns(2);
  });
  CHECK(story == "? ? ? 2");
}

TEST_CASE("condition: one that dies under waiters and guards") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    auto condition = std::make_unique<Condition>();
    const auto worker = [](Scene& s, Condition& c, const char* name) -> Coro<void> {
      const auto held = co_await c.scoped();
      co_await Scene::tell(s, name, c.wait());
    };
    create_task(worker, std::ref(scene), std::ref(*condition), "notified");
    create_task(worker, std::ref(scene), std::ref(*condition), "waiting");
    co_await turns(2);
    co_await condition->acquire();
    condition->notify();
    co_await turns(2);  // it waits for the lock
    condition.reset();
    co_await turns(2);
    scene.log("-");
  });
  CHECK(story == "- notified!CancelledError() waiting!CancelledError()");
}

TEST_CASE("condition: a loop closed over waiters that hold guards") {
  Condition condition;
  const auto loop = brio::new_event_loop();
  loop->set_exception_handler([](brio::EventLoop&, const brio::ExceptionContext&) {});
  loop->run_until_complete([](Condition& c) -> Coro<void> {
    for (int i = 0; i < 3; ++i) {
      create_task(
          [](Condition& d) -> Coro<void> {
            const auto held = co_await d.scoped();
            co_await d.wait();
          },
          std::ref(c));
    }
    co_await turns(4);
    co_await c.acquire();
    c.notify(1);
    co_await turns(2);
    c.release();
  }(condition));
  loop->close();
  CHECK(!condition.locked());
}
