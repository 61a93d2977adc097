#include <brio/sync/semaphore.hpp>

#include "scene.hpp"

#include <memory>
#include <vector>

using brio::BoundedSemaphore;
using brio::Semaphore;
using namespace scene;

TEST_CASE("semaphore: construction and bounds") {
  CHECK(thrown_by([] { Semaphore bad(-1); }) == "ValueError(Semaphore initial value must be >= 0)");
  CHECK(thrown_by([] { BoundedSemaphore bad(-1); }) ==
        "ValueError(Semaphore initial value must be >= 0)");
  const auto story = play([](Scene& scene) -> Coro<void> {
    BoundedSemaphore bounded(1);
    co_await bounded.acquire();
    bounded.release();
    scene.log(thrown_by([&] { bounded.release(); }));
    {
      auto held = co_await bounded.scoped();
      scene.log(text(bounded.locked()));
      bounded.release();
      scene.log(thrown_by([&] { held.release(); }));
    }
    Semaphore semaphore(0);
    semaphore.release();
    semaphore.release();
    scene.log(text(co_await semaphore.acquire()));
    scene.log(text(semaphore.try_acquire()));
    scene.log(text(semaphore.try_acquire()));
  });
  CHECK(story ==
        "ValueError(BoundedSemaphore released too many times) True "
        "ValueError(BoundedSemaphore released too many times) True True False");
}

TEST_CASE("semaphore: served in order") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Semaphore semaphore(2);
    const auto worker = [](Scene& s, Semaphore& sem, const char* name) -> Coro<void> {
      const auto held = co_await sem.scoped();
      s.log(name);
      co_await yield_now();
      s.log("/");
    };
    for (const char* name : {"a", "b", "c", "d"})
      create_task(worker, std::ref(scene), std::ref(semaphore), name);
    co_await turns(6);
  });
  CHECK(story == "a b / / c d / /");
}

TEST_CASE("semaphore: a permit that is handed over cannot be taken by a newcomer") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Semaphore semaphore(1);
    co_await semaphore.acquire();
    scene.spawn("a", semaphore.acquire());
    co_await yield_now();
    semaphore.release();
    scene.log(text(semaphore.locked()));
    semaphore.release();
    const std::string locked = text(semaphore.locked());
    scene.log(locked + text(semaphore.try_acquire()));
    co_await semaphore.acquire();
    scene.log("main");
  });
  CHECK(story == "True TrueFalse a=True main");
}

TEST_CASE("semaphore: two releases in one step wake two") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Semaphore semaphore(0);
    for (const char* name : {"a", "b", "c"}) scene.spawn(name, semaphore.acquire());
    co_await yield_now();
    semaphore.release();
    semaphore.release();
    co_await turns(2);
    scene.log("-");
    semaphore.release();
    co_await turns(1);
  });
  CHECK(story == "a=True b=True - c=True");
}

TEST_CASE("semaphore: a waiter cancelled before any release takes no permit and makes none") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Semaphore semaphore(1);
    co_await semaphore.acquire();
    const auto a = scene.spawn("a", semaphore.acquire());
    co_await yield_now();
    a.cancel();
    co_await turns(2);
    scene.log(text(semaphore.locked()));
    semaphore.release();
    co_await semaphore.acquire();
    scene.log(text(semaphore.locked()));
  });
  CHECK(story == "a!CancelledError() True True");
}

TEST_CASE("semaphore: locked() ignores cancelled waiters") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Semaphore semaphore(1);
    co_await semaphore.acquire();
    const auto a = scene.spawn("a", semaphore.acquire());
    co_await yield_now();
    a.cancel();
    semaphore.release();
    scene.log(text(semaphore.locked()));
    co_await semaphore.acquire();
    scene.log("main");
    co_await turns(2);
  });
  CHECK(story == "False main a!CancelledError()");
}

TEST_CASE("semaphore: the chosen waiter is cancelled: its permit passes on") {
  SUBCASE("to the next") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Semaphore semaphore(0);
      const auto a = scene.spawn("a", semaphore.acquire());
      scene.spawn("b", semaphore.acquire());
      scene.spawn("c", semaphore.acquire());
      co_await yield_now();
      semaphore.release();
      semaphore.release();
      a.cancel();
      co_await turns(3);
    });
    CHECK(story == "a!CancelledError() b=True c=True");
  }
  SUBCASE("to the counter") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Semaphore semaphore(0);
      const auto a = scene.spawn("a", semaphore.acquire());
      co_await yield_now();
      semaphore.release();
      a.cancel();
      co_await turns(2);
      const std::string locked = text(semaphore.locked());
      scene.log(locked + text(semaphore.try_acquire()));
    });
    CHECK(story == "a!CancelledError() FalseTrue");
  }
}

TEST_CASE("semaphore: one that dies") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    auto semaphore = std::make_unique<Semaphore>(1);
    auto held = co_await semaphore->scoped();
    scene.spawn("woken", semaphore->acquire());
    scene.spawn("waiting", semaphore->acquire());
    co_await yield_now();
    semaphore->release();
    semaphore.reset();
    scene.log(text(static_cast<bool>(held)));
    co_await turns(2);
    scene.log("-");
  });
  CHECK(story ==
        "False woken!RuntimeError(what the task waited for was destroyed under it) - "
        "waiting!CancelledError()");
}
