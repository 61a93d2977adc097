// 137 to 143: tasks.
#include "scenario.hpp"

#include <algorithm>

namespace s137 {
Coro<> bad() {
  co_await sleep(0s);
  throw Boom("same");
}
Coro<std::exception_ptr> look(Task<> t) {
  auto outcome = co_await as_outcome(t);
  co_return outcome.error();
}
Coro<> main() {
  const Task<> t = create_task(bad());
  const auto sib = create_task(sleep(U, "sibling"));
  const auto [a, b] = co_await gather(look(t), look(t));
  const std::exception_ptr c = co_await look(t);
  ev(nm(a), a == b, b == c, a == t.exception());
  co_await caught(sib);
}
}  // namespace s137
SCENARIO(137_task_error_reraised) { go(s137::main); }

namespace s138 {
Coro<> bad(std::string name) {
  co_await sleep(0s);
  throw Boom(name);
}
Coro<> main() {
  trap();
  Task<> t = create_task(bad("unseen"));
  co_await ticks(3);
  ev("drop");
  t = {};
  t = create_task(bad("seen"));
  co_await ticks(3);
  ev("look", nm(t.exception()));
  t = {};
  ev("end");
}
}  // namespace s138
SCENARIO(138_task_error_never_retrieved) { go(s138::main); }

namespace s141 {
Coro<> job(std::string name, const std::vector<AnyTask>& me) {
  for (int i = 0; i < 2; ++i) {
    ev(name, current_task() == me[0]);
    co_await sleep(0s);
  }
}
Coro<> main() {
  EventLoop& loop = get_running_loop();
  std::vector<AnyTask> boxes[2];
  boxes[0].push_back(create_task(job("a", boxes[0])));
  boxes[1].push_back(create_task(job("b", boxes[1])));
  loop.call_soon([] { ev("callback", !current_task()); });
  ev("all", all_tasks().size());
  co_await gather(boxes[0][0], boxes[1][0]);
  const std::vector<AnyTask> all = all_tasks();
  ev("all", all.size(), std::find(all.begin(), all.end(), current_task()) != all.end());
}
}  // namespace s141
SCENARIO(141_current_and_all_tasks) { go(s141::main); }

namespace s142 {
Coro<> main() {
  const Task<> a = create_task(sleep(0s));
  const Task<> b = create_task(sleep(0s));
  const Task<> c = create_task(sleep(0s), {.name = "mine"});
  const Task<> d = create_task(sleep(0s), {.name = std::to_string(123)});
  ev("distinct", a.get_name() != b.get_name(), "non-empty", !a.get_name().empty());
  ev(c.get_name(), d.get_name() == "123");
  c.set_name("renamed");
  ev(c.get_name());
  co_await gather(a, b, c, d);
  ev(c.get_name());
}
}  // namespace s142
SCENARIO(142_task_names) { go(s142::main); }

namespace s143 {
Coro<> main() {
  EventLoop& loop = get_running_loop();
  std::vector<std::optional<std::string>> made;
  // What is not callable is refused with a TypeError in Python, by the compiler in C++.
  if (!std::constructible_from<TaskFactory, int>) ev("refused", "TypeError");
  loop.set_task_factory([&](EventLoop&, TaskRequest& request) {
    made.push_back(request.options.name);
    return request.start();
  });
  co_await create_task(sleep(0s), {.name = "n1"});
  co_await gather(sleep(0s), sleep(0s));
  loop.set_task_factory(nullptr);
  co_await create_task(sleep(0s), {.name = "n2"});
  std::string names;
  for (const auto& name : made) names += str(name) + " ";
  ev("made", names + "reset", loop.get_task_factory() == nullptr);
}
}  // namespace s143
SCENARIO(143_task_factory) { go(s143::main); }
