#include <brio/sync/event.hpp>

#include "scene.hpp"

#include <memory>

using brio::Event;
using namespace scene;

TEST_CASE("event: waiting for a set one does not suspend") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Event event;
    scene.log(text(event.is_set()));
    event.set();
    auto other = create_task(
        [](Scene& s) -> Coro<void> {
          s.log("other");
          co_return;
        },
        std::ref(scene));
    scene.log(text(co_await event.wait()));
    co_await yield_now();
  });
  CHECK(story == "False True other");
}

TEST_CASE("event: set wakes all in order, and a clear at once does not take it back") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Event event;
    scene.spawn("a", event.wait());
    scene.spawn("b", event.wait());
    co_await yield_now();
    event.set();
    event.clear();
    scene.spawn("c", event.wait());
    co_await turns(2);
    scene.log("-");
    event.set();
    event.set();
    co_await turns(2);
  });
  CHECK(story == "a=True b=True - c=True");
}

TEST_CASE("event: woken and cancelled in one step is cancelled") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Event event;
    const auto a = scene.spawn("a", event.wait());
    scene.spawn("b", event.wait());
    co_await yield_now();
    event.set();
    a.cancel("late");
    co_await turns(2);
  });
  CHECK(story == "a!CancelledError(late) b=True");
}

TEST_CASE("event: one that dies") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    auto event = std::make_unique<Event>();
    scene.spawn("woken", event->wait());
    co_await yield_now();
    event->set();
    event = std::make_unique<Event>();
    scene.spawn("waiting", event->wait());
    co_await yield_now();
    event.reset();
    co_await turns(2);
    scene.log("-");
  });
  CHECK(story == "woken=True - waiting!CancelledError()");
}
