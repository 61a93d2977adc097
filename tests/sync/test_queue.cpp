#include <brio/sync/queue.hpp>

#include "scene.hpp"

#include <memory>
#include <string>
#include <tuple>
#include <vector>

using brio::LifoQueue;
using brio::PriorityQueue;
using brio::Queue;
using namespace scene;

TEST_CASE("queue: put and get do not suspend while there is room and something to get") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Queue<int> queue;
    auto other = create_task(
        [](Scene& s) -> Coro<void> {
          s.log("other");
          co_return;
        },
        std::ref(scene));
    scene.log(text(queue.empty()) + text(queue.full()));
    co_await queue.put(1);
    co_await queue.put(2);
    scene.log(text(static_cast<int>(queue.qsize())));
    scene.log(text(co_await queue.get()));
    scene.log(text(co_await queue.get()));
    co_await yield_now();
  });
  CHECK(story == "TrueFalse 2 1 2 other");
}

TEST_CASE("queue: what does not wait") {
  Queue<int> queue(1);
  CHECK(queue.maxsize() == 1);
  CHECK(Queue<int>().maxsize() == 0);
  CHECK(thrown_by([&] { (void)queue.get_nowait(); }) == "QueueEmpty()");
  CHECK(!queue.try_get());
  queue.put_nowait(1);
  CHECK(queue.full());
  CHECK(thrown_by([&] { queue.put_nowait(2); }) == "QueueFull()");
  CHECK(!queue.try_put(2));
  CHECK(queue.get_nowait() == 1);
  CHECK(queue.try_put(3));
  CHECK(queue.try_get() == 3);
}

TEST_CASE("queue: a refused try_put leaves the item") {
  Queue<std::unique_ptr<int>> queue(1);
  auto item = std::make_unique<int>(1);
  CHECK(queue.try_put(std::move(item)));
  item = std::make_unique<int>(2);
  CHECK(!queue.try_put(std::move(item)));
  CHECK(*item == 2);
  queue.shutdown();
  CHECK(*queue.get_nowait() == 1);
  CHECK(!queue.try_put(std::move(item)));
  CHECK(*item == 2);
  CHECK(!queue.try_get());
}

TEST_CASE("queue: order") {
  SUBCASE("first in, first out, through growth and wrapping") {
    Queue<int> queue;
    int in = 0;
    int out = 0;
    for (int step = 1; step < 40; ++step) {
      for (int i = 0; i < step; ++i) queue.put_nowait(in++);
      for (int i = 0; i < step / 2; ++i) CHECK(queue.get_nowait() == out++);
    }
    while (!queue.empty()) CHECK(queue.get_nowait() == out++);
    CHECK(in == out);
  }
  SUBCASE("last in, first out") {
    LifoQueue<int> queue;
    for (const int i : {5, 1, 4, 2, 3}) queue.put_nowait(i);
    for (const int i : {3, 2, 4, 1, 5}) CHECK(queue.get_nowait() == i);
  }
  SUBCASE("least first") {
    PriorityQueue<int> queue;
    for (const int i : {5, 1, 4, 2, 3, 1}) queue.put_nowait(i);
    for (const int i : {1, 1, 2, 3, 4, 5}) CHECK(queue.get_nowait() == i);
    PriorityQueue<int, std::greater<int>> greatest;
    for (const int i : {5, 1, 4}) greatest.put_nowait(i);
    for (const int i : {5, 4, 1}) CHECK(greatest.get_nowait() == i);
  }
  SUBCASE("equal priorities: the order of Python's heapq") {
    // heapq with items compared by their first element only; recorded from CPython.
    using Item = std::pair<int, int>;
    struct ByFirst {
      bool operator()(const Item& a, const Item& b) const { return a.first < b.first; }
    };
    PriorityQueue<Item, ByFirst> queue;
    for (int i = 0; i < 10; ++i) queue.put_nowait({i % 3, i});
    std::string order;
    while (!queue.empty()) order += std::to_string(queue.get_nowait().second);
    CHECK(order == "0639417528");
  }
}

TEST_CASE("queue: getters are served in order, one hop after put") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Queue<int> queue;
    for (const char* name : {"a", "b", "c"}) scene.spawn(name, queue.get());
    co_await yield_now();
    co_await queue.put(1);
    co_await queue.put(2);
    co_await yield_now();
    scene.log("-");
    co_await queue.put(3);
    co_await yield_now();
  });
  CHECK(story == "a=1 b=2 - c=3");
}

TEST_CASE("queue: putters go on in order as slots appear") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Queue<int> queue(1);
    create_task(
        [](Scene& s, Queue<int>& q) -> Coro<void> {
          co_await Scene::tell(s, "a1", q.put(1));
          co_await Scene::tell(s, "a2", q.put(2));
        },
        std::ref(scene), std::ref(queue));
    scene.spawn("b", queue.put(3));
    co_await turns(2);
    scene.log(text(co_await queue.get()));
    scene.log(text(co_await queue.get()));
    scene.log(text(co_await queue.get()));
    co_await turns(2);
  });
  CHECK(story == "a1=None 1 a2=None 2 b=None 3");
}

TEST_CASE("queue: two gets in one step wake two putters") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Queue<int> queue(2);
    co_await queue.put(1);
    co_await queue.put(2);
    scene.spawn("a", queue.put(9));
    scene.spawn("b", queue.put(9));
    co_await yield_now();
    (void)queue.get_nowait();
    (void)queue.get_nowait();
    co_await yield_now();
    scene.log(text(static_cast<int>(queue.qsize())));
  });
  CHECK(story == "a=None b=None 2");
}

TEST_CASE("queue: a stolen item sends the woken getter to the end of the line") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Queue<int> queue;
    scene.spawn("a", queue.get());
    co_await yield_now();
    scene.spawn("b", queue.get());
    queue.put_nowait(1);
    (void)queue.get_nowait();
    co_await turns(2);
    queue.put_nowait(2);
    queue.put_nowait(3);
    co_await turns(2);
  });
  CHECK(story == "b=2 a=3");
}

TEST_CASE("queue: a taken slot sends the woken putter back") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Queue<int> queue(1);
    queue.put_nowait(1);
    scene.spawn("a", queue.put(9));
    co_await yield_now();
    (void)queue.get_nowait();
    queue.put_nowait(2);
    co_await turns(2);
    scene.log(text(queue.get_nowait()));
    scene.log(text(co_await queue.get()));
  });
  CHECK(story == "2 a=None 9");
}

TEST_CASE("queue: cancelled getters") {
  SUBCASE("before any put: leaves the line") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue;
      const auto a = scene.spawn("a", queue.get());
      scene.spawn("b", queue.get());
      co_await yield_now();
      a.cancel("m");
      queue.put_nowait(7);
      co_await turns(2);
    });
    CHECK(story == "a!CancelledError(m) b=7");
  }
  SUBCASE("woken: the wake-up goes on, the item stays") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue;
      const auto a = scene.spawn("a", queue.get());
      scene.spawn("b", queue.get());
      co_await yield_now();
      queue.put_nowait(7);
      a.cancel();
      co_await turns(3);
      scene.log(text(static_cast<int>(queue.qsize())));
    });
    CHECK(story == "a!CancelledError() b=7 0");
  }
  SUBCASE("cancelled before it was woken: wakes nobody") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue;
      const auto a = scene.spawn("a", queue.get());
      for (const char* name : {"b", "c", "d"}) scene.spawn(name, queue.get());
      co_await yield_now();
      a.cancel();
      queue.put_nowait(1);
      co_await turns(4);
      queue.put_nowait(2);
      queue.put_nowait(3);
      co_await turns(2);
    });
    CHECK(story == "a!CancelledError() b=1 c=2 d=3");
  }
  SUBCASE("woken, and the item is gone: wakes nobody") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue;
      const auto a = scene.spawn("a", queue.get());
      for (const char* name : {"b", "c"}) scene.spawn(name, queue.get());
      co_await yield_now();
      queue.put_nowait(1);
      (void)queue.get_nowait();
      a.cancel();
      co_await turns(4);
      queue.put_nowait(2);
      queue.put_nowait(3);
      co_await turns(2);
    });
    CHECK(story == "a!CancelledError() b=2 c=3");
  }
}

TEST_CASE("queue: cancelled putters") {
  SUBCASE("woken: the slot goes to the next") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue(1);
      queue.put_nowait(1);
      const auto a = scene.spawn("a", queue.put(8));
      scene.spawn("b", queue.put(9));
      co_await yield_now();
      (void)queue.get_nowait();
      a.cancel();
      co_await turns(3);
      scene.log(text(queue.get_nowait()));
    });
    CHECK(story == "a!CancelledError() b=None 9");
  }
  SUBCASE("cancelled before it was woken: wakes nobody") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue(1);
      queue.put_nowait(0);
      scene.spawn("a", queue.put(1));
      const auto b = scene.spawn("b", queue.put(2));
      scene.spawn("c", queue.put(3));
      scene.spawn("d", queue.put(4));
      co_await yield_now();
      b.cancel();
      (void)queue.get_nowait();
      co_await turns(4);
      for (int i = 0; i < 3; ++i) scene.log(text(co_await queue.get()));
      co_await turns(2);
    });
    CHECK(story == "b!CancelledError() a=None 1 c=None 3 d=None 4");
  }
  SUBCASE("woken, and the slot is taken: wakes nobody") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue(1);
      queue.put_nowait(0);
      const auto a = scene.spawn("a", queue.put(1));
      scene.spawn("b", queue.put(2));
      scene.spawn("c", queue.put(3));
      co_await yield_now();
      (void)queue.get_nowait();
      queue.put_nowait(9);
      a.cancel();
      co_await turns(4);
      for (int i = 0; i < 3; ++i) scene.log(text(co_await queue.get()));
      co_await turns(2);
    });
    CHECK(story == "a!CancelledError() 9 b=None 2 c=None 3");
  }
}

TEST_CASE("queue: join and task_done") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    Queue<int> queue;
    co_await queue.join();
    co_await queue.put(1);
    co_await queue.put(2);
    scene.spawn("join", queue.join());
    co_await yield_now();
    (void)queue.get_nowait();
    queue.task_done();
    (void)queue.get_nowait();
    co_await turns(2);
    scene.log("-");
    queue.task_done();
    queue.put_nowait(3);  // too late to hold the joiner
    scene.log(thrown_by([&] { queue.task_done(); }));
    scene.log(thrown_by([&] { queue.task_done(); }));
    co_await turns(1);
  });
  CHECK(story == "-  ValueError(task_done() called too many times) join=None");
}

TEST_CASE("queue: shutdown") {
  SUBCASE("drains, then refuses") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue;
      co_await queue.put(1);
      queue.shutdown();
      scene.log(text(queue.is_shutdown()));
      co_await Scene::tell(scene, "put", queue.put(2));
      scene.log(thrown_by([&] { queue.put_nowait(2); }));
      co_await Scene::tell(scene, "get", queue.get());
      co_await Scene::tell(scene, "get", queue.get());
      scene.log(thrown_by([&] { (void)queue.get_nowait(); }));
      queue.task_done();
      co_await queue.join();
    });
    CHECK(story ==
          "True put!QueueShutDown() QueueShutDown() get=1 get!QueueShutDown() QueueShutDown()");
  }
  SUBCASE("a full one refuses with QueueShutDown too") {
    Queue<int> queue(1);
    queue.put_nowait(1);
    queue.shutdown();
    CHECK(thrown_by([&] { queue.put_nowait(2); }) == "QueueShutDown()");
  }
  SUBCASE("wakes getters, in order") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue;
      scene.spawn("a", queue.get());
      scene.spawn("b", queue.get());
      co_await yield_now();
      queue.put_nowait(1);
      queue.shutdown();
      co_await turns(2);
    });
    CHECK(story == "a=1 b!QueueShutDown()");
  }
  SUBCASE("wakes putters; what is in it stays") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue(1);
      queue.put_nowait(1);
      scene.spawn("a", queue.put(9));
      scene.spawn("b", queue.put(9));
      co_await yield_now();
      queue.shutdown();
      co_await turns(2);
      scene.log(text(co_await queue.get()));
    });
    CHECK(story == "a!QueueShutDown() b!QueueShutDown() 1");
  }
  SUBCASE("immediate: drops the items and releases join") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue(2);
      queue.put_nowait(1);
      queue.put_nowait(2);
      scene.spawn("join", queue.join());
      scene.spawn("put", queue.put(3));
      co_await yield_now();
      queue.shutdown(true);
      co_await Scene::tell(scene, "get", queue.get());
      scene.log(text(static_cast<int>(queue.qsize())));
      co_await turns(2);
    });
    CHECK(story == "get!QueueShutDown() 0 join=None put!QueueShutDown()");
  }
  SUBCASE("immediate: items in progress still hold join") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue;
      queue.put_nowait(1);
      queue.put_nowait(2);
      (void)queue.get_nowait();
      scene.spawn("join", queue.join());
      co_await yield_now();
      queue.shutdown(true);
      co_await turns(2);
      scene.log("-");
      queue.task_done();
      co_await turns(1);
    });
    CHECK(story == "- join=None");
  }
  SUBCASE("twice, the second time immediate") {
    const auto story = play([](Scene& scene) -> Coro<void> {
      Queue<int> queue;
      queue.put_nowait(1);
      queue.shutdown();
      queue.shutdown(true);
      scene.log(thrown_by([&] { (void)queue.get_nowait(); }));
      co_await queue.join();
    });
    CHECK(story == "QueueShutDown()");
  }
}

TEST_CASE("queue: priorities are looked at when the getter runs") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    PriorityQueue<int> queue;
    scene.spawn("a", queue.get());
    co_await yield_now();
    queue.put_nowait(5);
    queue.put_nowait(1);
    co_await turns(1);
    scene.log(text(queue.get_nowait()));
  });
  CHECK(story == "a=1 5");
}

TEST_CASE("queue: items that can only be moved, and their end") {
  auto counter = std::make_shared<int>(0);
  {
    Queue<std::shared_ptr<int>> queue;
    for (int i = 0; i < 20; ++i) queue.put_nowait(counter);
    for (int i = 0; i < 5; ++i) (void)queue.get_nowait();
    CHECK(counter.use_count() == 16);
    queue.shutdown(true);
    CHECK(counter.use_count() == 1);
  }
  {
    Queue<std::shared_ptr<int>> queue;
    for (int i = 0; i < 20; ++i) queue.put_nowait(counter);
  }
  CHECK(counter.use_count() == 1);
  LifoQueue<std::unique_ptr<int>> lifo;
  lifo.put_nowait(std::make_unique<int>(1));
  CHECK(*lifo.get_nowait() == 1);
}

TEST_CASE("queue: one that dies leaves its waiters to their cancellation") {
  const auto story = play([](Scene& scene) -> Coro<void> {
    auto queue = std::make_unique<Queue<int>>(1);
    scene.spawn("woken", queue->get());
    const auto both = scene.spawn("both", queue->get());
    scene.spawn("waiting", queue->get());
    const auto cancelled = scene.spawn("cancelled", queue->get());
    co_await yield_now();
    queue->put_nowait(1);
    (void)queue->get_nowait();
    queue->put_nowait(2);
    both.cancel();
    cancelled.cancel();
    queue.reset();
    co_await turns(2);
    scene.log("-");
  });
  CHECK(story ==
        "woken!RuntimeError(what the task waited for was destroyed under it) "
        "both!CancelledError() cancelled!CancelledError() - waiting!CancelledError()");
}

TEST_CASE("queue: bound to a loop") {
  Queue<int> queue;
  const auto get = [](Queue<int>& q, std::string& error) -> Coro<void> {
    auto putter = create_task([](Queue<int>& r) -> Coro<void> { co_await r.put(1); }, std::ref(q));
    try {
      (void)co_await q.get();
    } catch (...) {
      error = error_text();
    }
    co_await putter;
  };
  std::string first;
  std::string second;
  brio::new_event_loop()->run_until_complete(get(queue, first));
  brio::new_event_loop()->run_until_complete(get(queue, second));
  CHECK(first == "");
  CHECK(second == "RuntimeError(Queue is bound to a different event loop)");
}
