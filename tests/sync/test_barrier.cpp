#include <brio/sync/barrier.hpp>

#include "scene.hpp"

#include <memory>

using brio::Barrier;
using namespace scene;

namespace {
const char* const broken = "BrokenBarrierError(Abort or reset of barrier)";
}

TEST_CASE("barrier: of one, and of none") {
  CHECK(thrown_by([] { Barrier bad(0); }) == "ValueError(parties must be > 0)");
  const auto story = play([](Scene& scene) -> Coro<void> {
    Barrier barrier(1);
    auto other = create_task(
        [](Scene& s) -> Coro<void> {
          s.log("other");
          co_return;
        },
        std::ref(scene));
    scene.log(text(co_await barrier.wait()));
    scene.log(text(co_await barrier.scoped()));
    scene.log(text(barrier.parties()) + text(barrier.n_waiting()) + text(barrier.broken()));
    co_await yield_now();
  });
  CHECK(story == "0 0 10False other");
}

TEST_CASE("barrier: indices by arrival; the last one does not wait") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Barrier barrier(3);
    for (const char* name : {"a", "b", "c"}) scene.spawn(name, barrier.wait());
    co_await yield_now();
    scene.log("1");
    co_await turns(3);
  });
  CHECK(story == "c=2 1 a=0 b=1");
}

TEST_CASE("barrier: used again by the same tasks") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Barrier barrier(2);
    const auto worker = [](Scene& s, Barrier& b, std::string name) -> Coro<void> {
      for (int round = 0; round < 3; ++round) {
        const int index = co_await b.wait();
        s.log(name + text(index));
      }
    };
    create_task(worker, std::ref(scene), std::ref(barrier), "a");
    create_task(worker, std::ref(scene), std::ref(barrier), "b");
    co_await turns(12);
  });
  CHECK(story == "b1 a0 b1 a0 b1 a0");
}

TEST_CASE("barrier: a latecomer waits while it drains") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Barrier barrier(2);
    for (const char* name : {"a", "b", "c"}) scene.spawn(name, barrier.wait());
    co_await turns(4);
    scene.log(text(barrier.n_waiting()));
    scene.spawn("d", barrier.wait());
    co_await turns(3);
  });
  CHECK(story == "b=1 a=0 1 d=1 c=0");
}

TEST_CASE("barrier: a cancelled waiter leaves a gap") {
  SUBCASE("while it fills") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Barrier barrier(3);
      const auto a = scene.spawn("a", barrier.wait());
      scene.spawn("b", barrier.wait());
      co_await yield_now();
      a.cancel();
      co_await turns(2);
      scene.log(text(barrier.n_waiting()));
      scene.spawn("c", barrier.wait());
      scene.spawn("d", barrier.wait());
      co_await turns(4);
    });
    CHECK(story == "a!CancelledError() 1 d=2 b=1 c=1");
  }
  SUBCASE("while it drains: the others pass") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Barrier barrier(3);
      const auto a = scene.spawn("a", barrier.wait());
      scene.spawn("b", barrier.wait());
      co_await yield_now();
      scene.spawn("c", barrier.wait());
      co_await yield_now();
      a.cancel();
      co_await turns(4);
      scene.log(text(barrier.n_waiting()));
    });
    CHECK(story == "c=2 a!CancelledError() b=1 0");
  }
}

TEST_CASE("barrier: abort") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Barrier barrier(3);
    scene.spawn("a", barrier.wait());
    scene.spawn("b", barrier.wait());
    co_await yield_now();
    co_await barrier.abort();
    scene.log(text(barrier.broken()) + text(barrier.n_waiting()));
    co_await Scene::tell(scene, "main", barrier.wait());
    co_await turns(3);
    co_await barrier.reset();
    scene.log(text(barrier.broken()));
    scene.spawn("c", barrier.wait());
    scene.spawn("d", barrier.wait());
    co_await Scene::tell(scene, "e", barrier.wait());
  });
  CHECK(story == "True0 main!BrokenBarrierError(Barrier aborted) a!" + std::string(broken) + " b!" +
                     broken + " False d=2 e=0 c=1");
}

TEST_CASE("barrier: reset") {
  SUBCASE("with waiters: they are thrown out, newcomers wait until they have left") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Barrier barrier(3);
      scene.spawn("a", barrier.wait());
      scene.spawn("b", barrier.wait());
      co_await yield_now();
      co_await barrier.reset();
      for (const char* name : {"c", "d", "e"}) scene.spawn(name, barrier.wait());
      co_await turns(6);
    });
    CHECK(story == "a!" + std::string(broken) + " b!" + broken + " e=2 c=0 d=1");
  }
  SUBCASE("while it drains: those that have not left are thrown out") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Barrier barrier(2);
      scene.spawn("a", barrier.wait());
      scene.spawn("b", barrier.wait());
      create_task([](Barrier& b) -> Coro<void> { co_await b.reset(); }, std::ref(barrier));
      scene.spawn("c", barrier.wait());
      co_await turns(5);
      scene.log("-");
    });
    CHECK(story == "b=1 a!" + std::string(broken) + " - c!CancelledError()");
  }
  SUBCASE("of an empty one") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Barrier barrier(2);
      co_await barrier.reset();
      scene.spawn("a", barrier.wait());
      co_await Scene::tell(scene, "main", barrier.wait());
      co_await turns(2);
    });
    CHECK(story == "a=1 main=0");
  }
}

TEST_CASE("barrier: one that dies under its parties") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    auto barrier = std::make_unique<Barrier>(3);
    scene.spawn("a", barrier->wait());
    scene.spawn("b", barrier->wait());
    co_await turns(2);
    barrier.reset();
    co_await turns(2);
    scene.log("-");
  });
  CHECK(story == "- a!CancelledError() b!CancelledError()");
}
