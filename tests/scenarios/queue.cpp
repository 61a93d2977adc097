// 5xx: queues.
#include "scenario.hpp"

namespace s502 {
Coro<> producer(Queue<int>& q) {
  for (int i = 0; i < 5; ++i) {
    co_await q.put(i);
    ev("put", i);
  }
}
Coro<> main() {
  Queue<int> q(2);
  const Task<> t = create_task(producer(q));
  co_await ticks(2);
  ev("full", q.full(), q.qsize(), q.maxsize());
  for (int i = 0; i < 5; ++i) {
    ev("get", co_await q.get());
    co_await ticks(1);
  }
  co_await t;
}
}  // namespace s502
SCENARIO(502_queue_bounded) { go(s502::main); }

namespace s504 {
Coro<> main() {
  Queue<std::string> q;
  std::vector<Task<std::string>> ts;
  for (int i = 0; i < 3; ++i) ts.push_back(create_task(q.get()));
  co_await ticks(1);
  ts[0].cancel();
  ts[1].cancel();
  q.put_nowait("item");
  co_await wait(ts);
  ev(std::vector{st(ts[0]), st(ts[1]), st(ts[2])}, q.qsize());
}
}  // namespace s504
SCENARIO(504_queue_cancel_getter) { go(s504::main); }

namespace s505 {
Coro<> main() {
  Queue<std::string> q;
  const auto a = create_task(q.get());
  const auto b = create_task(q.get());
  co_await ticks(1);
  q.put_nowait("item");
  a.cancel();
  for (int i = 0; i < 3; ++i) {
    co_await ticks(1);
    ev("tick", st(a), st(b), q.qsize());
  }
}
}  // namespace s505
SCENARIO(505_queue_cancel_chosen_getter) { go(s505::main); }

namespace s506 {
Coro<> main() {
  Queue<std::string> q(1);
  q.put_nowait("old");
  const Task<> a = create_task(q.put("a"));
  const Task<> b = create_task(q.put("b"));
  co_await ticks(1);
  ev(q.get_nowait());
  a.cancel();
  for (int i = 0; i < 3; ++i) {
    co_await ticks(1);
    ev("tick", st(a), st(b), q.qsize());
  }
  ev(q.get_nowait());
}
}  // namespace s506
SCENARIO(506_queue_cancel_chosen_putter) { go(s506::main); }

namespace s509 {
Coro<> main() {
  PriorityQueue<int> p;
  LifoQueue<int> s;
  const Task<int> t = create_task(p.get());
  co_await ticks(1);
  for (const int x : {5, 1, 4, 2}) {
    p.put_nowait(x);
    s.put_nowait(x);
  }
  ev("waiting consumer", co_await t);
  std::vector<int> out;
  for (int i = 0; i < 3; ++i) out.push_back(p.get_nowait());
  ev(out[0], out[1], out[2]);
  out.clear();
  for (int i = 0; i < 4; ++i) out.push_back(s.get_nowait());
  ev(out[0], out[1], out[2], out[3]);
}
}  // namespace s509
SCENARIO(509_queue_orders) { go(s509::main); }

namespace s511 {
Coro<> main() {
  Queue<int> q;
  std::vector<Task<int>> ts;
  for (int i = 0; i < 2; ++i) ts.push_back(create_task(q.get()));
  co_await ticks(1);
  q.shutdown();
  q.shutdown();
  for (const auto& t : ts) co_await caught(t);
  co_await q.join();
  ev("joined");
}
}  // namespace s511
SCENARIO(511_queue_shutdown_waiting_getters) { go(s511::main); }
