#include <brio/sync/lock.hpp>

#include "scene.hpp"

#include <memory>
#include <stdexcept>
#include <vector>

using brio::Lock;
using namespace scene;

namespace {

// with lock: log(name), one turn.
Coro<void> hold(Scene& scene, Lock& lock, std::string name) {
  const auto held = co_await lock.scoped();
  scene.log(name);
  co_await yield_now();
}

}  // namespace

TEST_CASE("lock: a free one is taken without a turn of the loop") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Lock lock;
    auto other = create_task(
        [](Scene& s) -> Coro<void> {
          s.log("other");
          co_return;
        },
        std::ref(scene));
    scene.log(text(co_await lock.acquire()));
    scene.log(text(lock.locked()));
    lock.release();
    {
      const auto held = co_await lock.scoped();
      scene.log(text(lock.locked()));
    }
    scene.log(text(lock.locked()));
    co_await yield_now();
  });
  CHECK(story == "True True True False other");
}

TEST_CASE("lock: release of a free one is an error; anyone may release a taken one") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Lock lock;
    scene.log(thrown_by([&] { lock.release(); }));
    co_await lock.acquire();
    co_await create_task(
        [](Lock& l) -> Coro<void> {
          l.release();
          co_return;
        },
        std::ref(lock));
    scene.log(text(lock.locked()));
  });
  CHECK(story == "RuntimeError(Lock is not acquired.) False");
}

TEST_CASE("lock: waiters get it in the order of arrival, one hop after release") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Lock lock;
    co_await lock.acquire();
    for (const char* name : {"a", "b", "c"})
      create_task(hold, std::ref(scene), std::ref(lock), name);
    co_await yield_now();
    lock.release();
    scene.log("released:" + text(lock.locked()));
    co_await yield_now();
    scene.log("1:" + text(lock.locked()));
    co_await turns(4);
  });
  CHECK(story == "released:False a 1:True b c");
}

TEST_CASE("lock: no barging while the chosen waiter has not run") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Lock lock;
    co_await lock.acquire();
    create_task(hold, std::ref(scene), std::ref(lock), "a");
    co_await yield_now();
    lock.release();
    const std::string locked = text(lock.locked());
    scene.log(locked + text(lock.try_acquire()));
    co_await lock.acquire();
    scene.log("main");
  });
  CHECK(story == "FalseFalse a main");
}

TEST_CASE("lock: a waiter cancelled in the queue leaves it to the next") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Lock lock;
    co_await lock.acquire();
    const auto a = scene.spawn("a", lock.acquire());
    scene.spawn("b", lock.acquire());
    co_await yield_now();
    a.cancel("m");
    lock.release();  // the head is cancelled: it passes the turn on when it runs
    scene.spawn("c", lock.acquire());
    co_await turns(2);
    scene.log("-");
    lock.release();
    co_await turns(2);
  });
  CHECK(story == "a!CancelledError(m) b=True - c=True");
}

TEST_CASE("lock: the chosen waiter is cancelled before it runs") {
  SUBCASE("the next one gets it") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Lock lock;
      co_await lock.acquire();
      const auto a = scene.spawn("a", lock.acquire());
      scene.spawn("b", lock.acquire());
      co_await yield_now();
      lock.release();
      a.cancel();
      co_await turns(3);
      scene.log(text(lock.locked()));
    });
    CHECK(story == "a!CancelledError() b=True True");
  }
  SUBCASE("alone: the lock ends free") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Lock lock;
      co_await lock.acquire();
      const auto a = scene.spawn("a", lock.acquire());
      co_await yield_now();
      lock.release();
      a.cancel();
      co_await turns(2);
      const std::string locked = text(lock.locked());
      scene.log(locked + text(lock.try_acquire()));
    });
    CHECK(story == "a!CancelledError() FalseTrue");
  }
}

TEST_CASE("lock: when all waiters are cancelled a newcomer takes it at once") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Lock lock;
    co_await lock.acquire();
    const auto a = scene.spawn("a", lock.acquire());
    co_await yield_now();
    a.cancel();
    lock.release();
    co_await lock.acquire();
    scene.log("main");
    co_await turns(2);
    scene.log(text(lock.locked()));
    lock.release();
  });
  CHECK(story == "main a!CancelledError() True");
}

TEST_CASE("lock: cancelled before it suspends, and waiting all the same") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Lock lock;
    co_await lock.acquire();
    create_task(
        [](Scene& s, Lock& l) -> Coro<void> {
          brio::current_task().cancel("self");
          co_await Scene::tell(s, "a", l.acquire());
        },
        std::ref(scene), std::ref(lock));
    co_await turns(3);
    lock.release();
    scene.log(text(lock.try_acquire()));
  });
  CHECK(story == "a!CancelledError(self) True");
}

TEST_CASE("lock: guards") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Lock lock;
    auto first = co_await lock.scoped();
    auto second = std::move(first);
    scene.log(text(static_cast<bool>(first)) + text(static_cast<bool>(second)));
    second.release();
    second.release();  // does nothing
    scene.log(text(lock.locked()));
    // A body that throws releases.
    co_await Scene::tell(scene, "body", [](Lock& l) -> Coro<void> {
      const auto held = co_await l.scoped();
      throw std::runtime_error("x");
    }(lock));
    scene.log(text(lock.locked()));
    // release() by hand under a guard: the guard's own release says so.
    auto held = co_await lock.scoped();
    lock.release();
    scene.log(thrown_by([&] { held.release(); }));
  });
  CHECK(story == "FalseTrue False body!runtime_error(x) False RuntimeError(Lock is not acquired.)");
}

TEST_CASE("lock: bound to the loop of its first contended use") {
  Lock lock;
  const auto contend = [](Lock& l) -> Coro<void> {
    co_await l.acquire();
    auto waiting = create_task([](Lock& m) -> Coro<void> { co_await m.acquire(); }, std::ref(l));
    co_await yield_now();
    l.release();
    co_await waiting;
    l.release();
  };
  {
    const auto uncontended = brio::new_event_loop();
    uncontended->run_until_complete([](Lock& l) -> Coro<void> {
      co_await l.acquire();
      l.release();
    }(lock));
  }
  const auto one = brio::new_event_loop();
  one->run_until_complete(contend(lock));
  const auto two = brio::new_event_loop();
  std::string error;
  two->run_until_complete([](Lock& l, std::string& text) -> Coro<void> {
    co_await l.acquire();
    try {
      co_await l.acquire();
    } catch (...) {
      text = error_text();
    }
    l.release();
    scene::text(co_await l.acquire());  // uncontended use is free
    l.release();
  }(lock, error));
  CHECK(error == "RuntimeError(Lock is bound to a different event loop)");
}

TEST_CASE("lock: one that dies leaves its waiters to their cancellation") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    auto lock = std::make_unique<Lock>();
    co_await lock->acquire();
    const auto waiting = scene.spawn("waiting", lock->acquire());
    const auto cancelled = scene.spawn("cancelled", lock->acquire());
    co_await yield_now();
    cancelled.cancel();
    lock.reset();
    co_await turns(2);
    scene.log("-");
    waiting.cancel();
    co_await turns(2);
    lock = std::make_unique<Lock>();
    co_await lock->acquire();
    scene.spawn("woken", lock->acquire());
    co_await yield_now();
    lock->release();
    lock.reset();
    co_await turns(2);
  });
  CHECK(story ==
        "cancelled!CancelledError() - waiting!CancelledError() "
        "woken!RuntimeError(what the task waited for was destroyed under it)");
}

TEST_CASE("lock: a loop that is closed over waiters and holders leaves nothing") {
  auto lock = std::make_unique<Lock>();
  const auto loop = brio::new_event_loop();
  loop->set_exception_handler([](brio::EventLoop&, const brio::ExceptionContext&) {});
  loop->run_until_complete([](Lock& l) -> Coro<void> {
    for (int i = 0; i < 3; ++i) {
      create_task(
          [](Lock& m) -> Coro<void> {
            const auto held = co_await m.scoped();
            co_await turns(100);
          },
          std::ref(l));
    }
    co_await turns(3);
  }(*lock));
  loop->close();
  CHECK(!lock->locked());
}
