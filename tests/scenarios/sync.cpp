// 40x to 43x: locks, conditions, semaphores.
#include "scenario.hpp"

#include <algorithm>

namespace s401 {
Coro<> worker(Lock& lock, int n) {
  const auto held = co_await lock.scoped();
  ev("in", n);
  co_await sleep(0s);
  ev("out", n);
}
Coro<> main() {
  Lock lock;
  co_await lock.acquire();
  std::vector<Task<>> ts;
  for (int i = 0; i < 3; ++i) ts.push_back(create_task(worker(lock, i)));
  co_await ticks(2);
  ev("locked", lock.locked());
  lock.release();
  co_await gather(ts);
  ev("locked", lock.locked());
}
}  // namespace s401
SCENARIO(401_lock_fifo) { go(s401::main); }

namespace s404 {
Coro<> waiter(Lock& lock) {
  const auto held = co_await lock.scoped();
  ev("waiter in");
}
Coro<> main() {
  Lock lock;
  co_await lock.acquire();
  const Task<> t = create_task(waiter(lock));
  co_await ticks(1);
  lock.release();
  ev("looks free", !lock.locked());
  {
    const auto held = co_await lock.scoped();
    ev("first holder again");
  }
  co_await t;
}
}  // namespace s404
SCENARIO(404_lock_no_barging) { go(s404::main); }

namespace s405 {
Coro<> main() {
  EventLoop& loop = get_running_loop();
  Lock lock;
  loop.call_soon([] { ev("queued"); });
  ev("acquired", co_await lock.acquire());
  lock.release();
  try {
    lock.release();
  } catch (const RuntimeError& e) {
    ev("free release", nm(e));
  }
  try {
    const auto held = co_await lock.scoped();
    throw Boom("x");
  } catch (const Boom&) {
    ev("locked", lock.locked());
  }
  co_await lock.acquire();
  const Task<> t = create_task(sleep(0s));
  t.add_done_callback([&] { lock.release(); });
  co_await ticks(3);
  ev("locked", lock.locked());
}
}  // namespace s405
SCENARIO(405_lock_misc) { go(s405::main); }

namespace s406 {
Coro<> main() {
  EventLoop& loop = get_running_loop();
  Lock lock;
  co_await lock.acquire();
  std::vector<Task<bool>> ts;
  for (int i = 0; i < 2; ++i) ts.push_back(create_task(lock.acquire()));
  co_await ticks(1);
  for (const auto& t : ts) t.cancel();
  lock.release();
  loop.call_soon([] { ev("queued"); });
  co_await lock.acquire();
  ev("at once");
  co_await ticks(2);
  ev(st(ts[0]), st(ts[1]), lock.locked());
}
}  // namespace s406
SCENARIO(406_lock_cancel_all_then_free) { go(s406::main); }

namespace s423 {
Coro<std::optional<std::string>> waiter(Condition& c, const std::vector<int>& box) {
  const auto held = co_await c.scoped();
  co_return co_await c.wait_for([&]() -> std::optional<std::string> {
    ev("check", box.size());
    if (box.size() < 2) return std::nullopt;
    return "enough";
  });
}
Coro<> main() {
  Condition c;
  std::vector<int> box;
  const auto t = create_task(waiter(c, box));
  co_await ticks(2);
  for (int i = 0; i < 2; ++i) {
    {
      const auto held = co_await c.scoped();
      box.push_back(i);
      c.notify_all();
    }
    co_await ticks(4);
  }
  co_await caught(t);
}
}  // namespace s423
SCENARIO(423_condition_wait_for) { go(s423::main); }

namespace s426 {
Coro<> waiter(Condition& c) {
  const auto held = co_await c.scoped();
  try {
    co_await c.wait();
  } catch (const CancelledError& e) {
    ev("delivered", nm(e), c.locked());
    throw;
  }
}
Coro<> main() {
  Condition c;
  const Task<> t = create_task(waiter(c));
  co_await ticks(2);
  {
    const auto held = co_await c.scoped();
    c.notify();
    co_await ticks(2);
    t.cancel("first");
    co_await ticks(2);
    t.cancel("second");
    co_await ticks(2);
    ev(st(t));
  }
  co_await caught(t);
  ev("locked", c.locked());
}
}  // namespace s426
SCENARIO(426_condition_cancel_while_relocking) { go(s426::main); }

namespace s431 {
Coro<> worker(Semaphore& s, std::vector<int>& inside, int n) {
  const auto held = co_await s.scoped();
  inside.push_back(n);
  ev("in", n, inside.size());
  co_await sleep(U);
  inside.erase(std::find(inside.begin(), inside.end(), n));
}
Coro<> main() {
  Semaphore s(2);
  std::vector<int> inside;
  std::vector<Coro<>> workers;
  for (int i = 0; i < 5; ++i) workers.push_back(worker(s, inside, i));
  co_await gather(std::move(workers));
  ev("locked", s.locked());
}
}  // namespace s431
SCENARIO(431_semaphore_limit) { go(s431::main); }

namespace s432 {
Coro<> waiter(Semaphore& s) {
  const auto held = co_await s.scoped();
  ev("waiter in");
}
Coro<> main() {
  Semaphore s(1);
  co_await s.acquire();
  const Task<> t = create_task(waiter(s));
  co_await ticks(1);
  s.release();
  ev("locked", s.locked());
  {
    const auto held = co_await s.scoped();
    ev("releaser in");
  }
  co_await t;
  ev("locked", s.locked());
}
}  // namespace s432
SCENARIO(432_semaphore_no_barging) { go(s432::main); }

namespace s434 {
Coro<> worker(Semaphore& s, char n) {
  co_await s.acquire();
  ev("got", n);
}
Coro<> main() {
  Semaphore s(0);
  const Task<> a = create_task(worker(s, 'a'));
  const Task<> b = create_task(worker(s, 'b'));
  co_await ticks(1);
  s.release();
  a.cancel();
  for (int i = 0; i < 3; ++i) {
    co_await ticks(1);
    ev("tick", st(a), st(b));
  }
  const Task<> c = create_task(worker(s, 'c'));
  co_await ticks(1);
  s.release();
  c.cancel();
  co_await caught(c, "c");
  ev("locked", s.locked());
}
}  // namespace s434
SCENARIO(434_semaphore_cancel_chosen) { go(s434::main); }

namespace s436 {
Coro<> main() {
  try {
    const Semaphore negative(-1);
  } catch (const ValueError& e) {
    ev("negative", nm(e));
  }
  Semaphore s(1);
  s.release();
  co_await s.acquire();
  ev("second permit free", !s.locked());
  co_await s.acquire();
  ev("locked", s.locked());
  BoundedSemaphore b(1);
  try {
    b.release();
  } catch (const ValueError& e) {
    ev("bounded", nm(e));
  }
  co_await b.acquire();
  b.release();
  ev("zero", Semaphore(0).locked());
}
}  // namespace s436
SCENARIO(436_semaphore_bounds) { go(s436::main); }
