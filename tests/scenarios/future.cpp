// 10x, 110: futures.
#include "scenario.hpp"

namespace s103 {
void keep(const AnyFuture&) { ev("keep"); }
void drop(const AnyFuture&) { ev("drop"); }
Coro<> main() {
  const Future<> f = get_running_loop().create_future();
  f.add_done_callback(drop);
  f.add_done_callback(keep);
  f.add_done_callback(drop);
  ev("removed", f.remove_done_callback(&drop));
  ev("removed", f.remove_done_callback(&drop));
  f.set_result();
  ev("removed", f.remove_done_callback(&keep));
  co_await ticks(1);
  ev("end");
}
}  // namespace s103
SCENARIO(103_remove_callbacks) { go(s103::main); }

namespace s105 {
Coro<> main() {
  trap();
  const auto f = get_running_loop().create_future<std::string>();
  f.add_done_callback([](const auto&) { ev("one"); });
  f.add_done_callback([](const auto&) { throw Boom("cb"); });
  f.add_done_callback([](const auto&) { ev("three"); });
  f.set_result("fine");
  co_await ticks(1);
  ev(st(f));
}
}  // namespace s105
SCENARIO(105_callback_error_isolated) { go(s105::main); }

namespace s106 {
Coro<> job() {
  try {
    co_await create_future();
  } catch (const CancelledError& e) {
    ev("job sees", nm(e));
    throw;
  }
}
Coro<> main() {
  const Future<> f = create_future();
  f.cancel("why f");
  co_await caught(f, "future");
  const Task<> t = create_task(job());
  co_await ticks(1);
  t.cancel("why t");
  co_await caught(t, "task");
  const Task<> u = create_task(job());
  u.cancel("early");
  co_await caught(u, "unstarted");
}
}  // namespace s106
SCENARIO(106_cancel_message) { go(s106::main); }

namespace s107 {
Coro<> main() {
  EventLoop& loop = get_running_loop();
  const auto f = loop.create_future<std::string>();
  const auto g = loop.create_future<std::string>();
  f.set_result("v");
  g.set_exception(Boom("e"));
  loop.call_soon([] { ev("queued"); });
  co_await caught(f, "f");
  co_await caught(g, "g");
  ev("now yield");
  co_await ticks(1);
}
}  // namespace s107
SCENARIO(107_await_done_future_is_immediate) { go(s107::main); }

namespace s108 {
Coro<> waiter(Future<> f, int n) { co_await caught(f, "w" + std::to_string(n)); }
Coro<> main() {
  const Future<> f = create_future();
  std::vector<Task<>> ts;
  for (int i = 0; i < 3; ++i) ts.push_back(create_task(waiter(f, i)));
  co_await ticks(1);
  f.set_exception(Boom("shared"));
  ev("completed");
  co_await gather(ts);
}
}  // namespace s108
SCENARIO(108_awaiters_wake_fifo) { go(s108::main); }

namespace s110 {
Coro<> first(Future<> a, Future<> b) {
  co_await a;
  ev("first");
  b.set_result();
}
Coro<> second(Future<> b) {
  co_await b;
  ev("second");
}
Coro<> counter() {
  for (int i = 0; i < 4; ++i) {
    ev("tick", i);
    co_await sleep(0s);
  }
}
Coro<> main() {
  const Future<> a = create_future();
  const Future<> b = create_future();
  std::vector<Task<>> ts;
  ts.push_back(create_task(second(b)));
  ts.push_back(create_task(first(a, b)));
  co_await ticks(1);
  ts.push_back(create_task(counter()));
  a.set_result();
  co_await gather(ts);
}
}  // namespace s110
SCENARIO(110_chain_hop_count) { go(s110::main); }
