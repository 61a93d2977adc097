// 912, 913, 92x, 93x: context variables, eager tasks, the call graph, async generators.
#include "scenario.hpp"

namespace s912 {
ContextVar<std::string> var("var", "unset");
Coro<> main() {
  EventLoop& loop = get_running_loop();
  const auto ends = pair();
  const Sock& a = ends.first;
  const Sock& b = ends.second;
  const Future<> f = loop.create_future();
  Context special = copy_context();
  special.run([] { var.set("special"); });

  const auto show = [&](const std::string& label) {
    ev(label, var.get());
    if (label == "reader") loop.remove_reader(b);
  };
  var.set("soon!");
  loop.call_soon([&] { show("soon"); });
  var.set("timer!");
  loop.call_later(U, [&] { show("timer"); });
  var.set("reader!");
  loop.add_reader(b, [&] { show("reader"); });
  var.set("done!");
  f.add_done_callback([&] { show("done"); });
  var.set("later");
  loop.call_soon([&] { show("explicit"); }, {.context = special});
  f.set_result();
  co_await ticks(2);
  a.send("x");
  co_await sleep(3 * U);
}
}  // namespace s912
SCENARIO(912_context_of_callbacks) { go(s912::main); }

namespace s913 {
ContextVar<int> var("var", 0);
Coro<> bump() {
  var.set(var.get() + 1);
  co_await sleep(0s);
  var.set(var.get() + 1);
}
Coro<> main() {
  const Context ctx = copy_context();
  const Task<> t = create_task(bump(), {.context = ctx});
  co_await t;
  ev(ctx.get(var), var.get(), t.get_context() == ctx);
  co_await task_group([&](TaskGroup& g) -> Coro<> {
    g.create_task(bump(), {.context = ctx});
    co_return;
  });
  ev(ctx.get(var), var.get());
}
}  // namespace s913
SCENARIO(913_context_given) { go(s913::main); }

namespace s921 {
AnyTask creator;
Coro<std::string> job(std::string n, bool suspend) {
  ev("start", n, !(current_task() == creator));
  if (suspend) {
    co_await sleep(0s);
    ev("resumed", n);
  }
  co_return n;
}
Coro<> main() {
  creator = current_task();
  get_running_loop().set_task_factory(eager_task_factory);
  const auto a = create_task(job("a", false));
  ev("a", st(a), current_task() == creator);
  const auto b = create_task(job("b", true));
  ev("b", st(b), current_task() == creator);
  const std::string first = co_await b;
  ev(first, co_await a);
  creator = {};
}
}  // namespace s921
SCENARIO(921_eager_runs_at_once) { go(s921::main); }

namespace s924 {
Coro<int> quick(int n) { co_return n; }
Coro<int> slow(int n) {
  co_await sleep(0s);
  co_return n;
}
Coro<> main() {
  EventLoop& loop = get_running_loop();
  loop.set_task_factory(eager_task_factory);
  loop.call_soon([] { ev("queued"); });
  auto g = gather(quick(1), quick(2));
  bool done = g.done();
  ev(done, as_list(co_await g));
  g = gather(quick(1), slow(2));
  done = g.done();
  ev(done, as_list(co_await g));
}
}  // namespace s924
SCENARIO(924_eager_gather) { go(s924::main); }

namespace s931 {
std::string names(const FutureCallGraph& g) {
  std::string out = AnyTask(g.future).get_name();
  for (const FutureCallGraph& up : g.awaited_by) out += " " + names(up);
  return out;
}
Coro<> leaf() {
  co_await sleep(0s);
  ev(names(*capture_call_graph()));
}
Coro<> by_await() { co_await create_task(leaf(), {.name = "leaf"}); }
Coro<> by_gather() { co_await gather(create_task(leaf(), {.name = "leaf"})); }
Coro<> by_group() {
  co_await task_group([](TaskGroup& g) -> Coro<> {
    g.create_task(leaf(), {.name = "leaf"});
    co_return;
  });
}
Coro<> by_wait() { co_await wait(std::vector{create_task(leaf(), {.name = "leaf"})}); }
Coro<> by_shield() { co_await shield(create_task(leaf(), {.name = "leaf"})); }
Coro<> main() {
  current_task().set_name("main");
  const std::pair<const char*, Coro<> (*)()> fs[] = {{"by_await", by_await},
                                                     {"by_gather", by_gather},
                                                     {"by_group", by_group},
                                                     {"by_wait", by_wait},
                                                     {"by_shield", by_shield}};
  Task<> t;
  for (const auto& [name, f] : fs) {
    t = create_task(f(), {.name = name});
    co_await t;
  }
  const auto g = capture_call_graph(t);
  ev("left", g->awaited_by.size());
}
}  // namespace s931
SCENARIO(931_call_graph) { go(s931::main); }

namespace s934 {
AsyncGenerator<int> numbers(std::string name) {
  // try: … finally: await …: the generator's own clean-up awaits.
  std::exception_ptr error;
  try {
    for (int i = 0; i < 10; ++i) co_yield i;
  } catch (...) {
    error = std::current_exception();
  }
  co_await sleep(0s);
  ev("cleanup", name);
  if (error) std::rethrow_exception(error);
}
Coro<> main() {
  {
    const auto dropped = numbers("dropped");
    while (const auto i = co_await dropped.next())
      if (*i == 2) break;
  }
  ev("left");
  co_await ticks(5);
  const auto g = numbers("closed");
  const auto first = co_await g.next();
  ev(first, co_await g.next());
  co_await g.aclose();
  ev("end");
}
}  // namespace s934
SCENARIO(934_async_generator_abandoned) { go(s934::main); }
