// 33x, 34x: task groups.
#include "scenario.hpp"

namespace s332 {
Coro<> bad() {
  co_await sleep(0s);
  ev("failing");
  throw Boom("child");
}
Coro<> sibling() {
  const Finally cleanup([] { ev("sibling cancelled"); });
  co_await sleep(1000s);
}
Coro<> main() {
  try {
    co_await task_group([](TaskGroup& g) -> Coro<> {
      g.create_task(bad());
      g.create_task(sibling());
      try {
        co_await sleep(500s);
      } catch (const CancelledError&) {
        ev("body cancelled", current_task().cancelling());
        throw;
      }
    });
  } catch (...) {
    ev(nm(std::current_exception()), current_task().cancelling());
  }
  co_await sleep(U);
  ev("alive");
}
}  // namespace s332
SCENARIO(332_group_child_fails) { go(s332::main); }

namespace s333 {
Coro<> late(std::string name, int n) {
  (void)co_await as_outcome(sleep(1000s));  // try: … finally: …; raise
  co_await ticks(n);
  throw Bang(name);
}
Coro<> now() {
  co_await sleep(U);
  throw Boom("now");
}
Coro<> main() {
  try {
    co_await task_group([](TaskGroup& g) -> Coro<> {
      g.create_task(late("slow", 6));
      g.create_task(now());
      g.create_task(late("quick", 3));
      (void)co_await as_outcome(sleep(500s));
      throw Bang("body");
    });
  } catch (...) {
    ev(nm(std::current_exception()));
  }
}
}  // namespace s333
SCENARIO(333_group_error_order) { go(s333::main); }

namespace s334 {
Coro<> child() {
  co_await try_finally([]() -> Coro<> { co_await sleep(1000s); },
                       []() -> Coro<> {
                         co_await sleep(U);
                         ev("child clean");
                       });
}
Coro<> main() {
  try {
    co_await task_group([](TaskGroup& g) -> Coro<> {
      g.create_task(child());
      co_await sleep(U);
      throw Boom("body");
    });
  } catch (...) {
    ev(nm(std::current_exception()), current_task().cancelling());
  }
}
}  // namespace s334
SCENARIO(334_group_body_fails) { go(s334::main); }

namespace s336 {
Coro<> child() {
  (void)co_await as_outcome(sleep(1000s));
  throw Boom("cleanup");
}
Coro<> owner() {
  const AnyTask me = current_task();
  try {
    co_await task_group([](TaskGroup& g) -> Coro<> {
      g.create_task(child());
      co_return;
    });
  } catch (const ExceptionGroup& e) {
    ev("caught", nm(e), me.cancelling());
  }
  const Finally requests([&] { ev("requests", me.cancelling()); });
  co_await sleep(0s);
  ev("unexpected");
}
Coro<> main() {
  const Task<> t = create_task(owner());
  co_await ticks(2);
  t.cancel();
  co_await caught(t);
}
}  // namespace s336
SCENARIO(336_group_cancel_plus_error) { go(s336::main); }

namespace s337 {
Coro<> main() {
  Task<const char*> b;
  co_await task_group([&](TaskGroup& g) -> Coro<> {
    const Task<> a = g.create_task(sleep(1000s));
    b = g.create_task(sleep(3 * U, "b"));
    co_await sleep(U);
    a.cancel();
    co_await sleep(U);
    ev("body goes on", st(a), st(b));
  });
  ev("group ends", st(b));
}
}  // namespace s337
SCENARIO(337_group_child_cancelled_alone) { go(s337::main); }

namespace s340 {
Coro<> bad() {
  co_await sleep(U);
  throw Boom("deep");
}
Coro<> other() {
  const Finally cleanup([] { ev("outer child cancelled"); });
  co_await sleep(1000s);
}
Coro<> main() {
  try {
    co_await task_group([](TaskGroup& outer) -> Coro<> {
      outer.create_task(other());
      co_await task_group([](TaskGroup& inner) -> Coro<> {
        inner.create_task(bad());
        co_return;
      });
      ev("not reached");
    });
  } catch (...) {
    ev(nm(std::current_exception()), current_task().cancelling());
  }
}
}  // namespace s340
SCENARIO(340_nested_groups) { go(s340::main); }

namespace s343 {
Coro<> child() {
  co_await try_finally([]() -> Coro<> { co_await sleep(1000s); },
                       []() -> Coro<> {
                         co_await sleep(3 * U);
                         ev("child clean");
                       });
}
Coro<> owner() {
  co_await task_group([](TaskGroup& g) -> Coro<> {
    g.create_task(child());
    co_return;
  });
}
Coro<> main() {
  const Task<> t = create_task(owner());
  co_await ticks(2);
  t.cancel();
  co_await sleep(U);
  t.cancel();
  co_await caught(t);
  ev(t.cancelling());
}
}  // namespace s343
SCENARIO(343_group_second_cancel_while_waiting) { go(s343::main); }

namespace s344 {
Coro<> worker(std::string name, TaskGroup& g, int win) {
  try {
    co_await sleep(win * U);
    ev("winner", name);
    g.cancel();
    g.cancel();
  } catch (const CancelledError&) {
    ev("loser", name);
    throw;
  }
}
Coro<> main() {
  TaskGroup group;
  co_await task_group(group, [](TaskGroup& g) -> Coro<> {
    g.create_task(worker("a", g, 100));
    g.create_task(worker("b", g, 1));
    const Finally stops([] { ev("body stops"); });
    co_await sleep(500s);
  });
  group.cancel();
  ev("after", current_task().cancelling());
  co_await sleep(0s);
  ev("alive");
}
}  // namespace s344
SCENARIO(344_group_cancel_method) { go(s344::main); }
