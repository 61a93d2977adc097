// 12x, 13x, 145: cancellation of tasks.
#include "scenario.hpp"

namespace s125 {
Coro<std::string> job() {
  try {
    co_await sleep(1000s);
  } catch (const CancelledError&) {
    ev("swallowed", current_task().cancelling());
  }
  co_await sleep(0s);
  co_return "kept going";
}
Coro<> main() {
  const auto t = create_task(job());
  co_await ticks(1);
  t.cancel();
  co_await caught(t, "task");
  ev(t.cancelled(), t.cancelling());
}
}  // namespace s125
SCENARIO(125_cancel_swallowed) { go(s125::main); }

namespace s126 {
Coro<> job() {
  (void)co_await as_outcome(sleep(1000s));  // try: … finally: raise
  throw Boom("in cleanup");
}
Coro<> main() {
  const Task<> t = create_task(job());
  co_await ticks(1);
  t.cancel();
  co_await caught(t, "task");
  ev(t.cancelled());
}
}  // namespace s126
SCENARIO(126_cancel_becomes_error) { go(s126::main); }

namespace s127 {
Coro<std::string> job() {
  try {
    co_await sleep(1000s);
  } catch (const CancelledError&) {
    ev("one cancellation");
  }
  for (int i = 0; i < 2; ++i) {
    co_await sleep(0s);
    ev("step", i);
  }
  co_return "done";
}
Coro<> main() {
  const auto t = create_task(job());
  co_await ticks(1);
  const bool first = t.cancel("first");
  ev(first, t.cancel("second"));
  co_await caught(t);
  ev("requests", t.cancelling());
}
}  // namespace s127
SCENARIO(127_cancel_twice_same_tick) { go(s127::main); }

namespace s128 {
Coro<> job() {
  co_await try_finally([]() -> Coro<> { co_await sleep(1000s); },
                       []() -> Coro<> {
                         ev("cleanup begins");
                         const Finally cut([] { ev("cleanup cut short"); });
                         co_await sleep(1000s);
                         ev("cleanup ends");
                       });
}
Coro<> main() {
  const Task<> t = create_task(job());
  co_await ticks(1);
  t.cancel();
  co_await ticks(2);
  ev(st(t));
  t.cancel();
  co_await caught(t);
  ev(t.cancelled(), t.cancelling());
}
}  // namespace s128
SCENARIO(128_cancel_twice_two_ticks) { go(s128::main); }

namespace s130 {
Coro<std::string> returns() {
  current_task().cancel();
  co_return "lost";
}
Coro<std::string> raises() {
  current_task().cancel();
  throw Boom("wins");
  co_return "";
}
Coro<> main() {
  const std::pair<const char*, Coro<std::string> (*)()> fns[] = {{"returns", returns},
                                                                 {"raises", raises}};
  for (const auto& [name, fn] : fns) {
    const auto t = create_task(fn());
    co_await caught(t, name);
    ev(t.cancelled());
  }
}
}  // namespace s130
SCENARIO(130_self_cancel_then_return) { go(s130::main); }

namespace s131 {
Coro<> job() {
  try {
    co_await sleep(1000s);
  } catch (const CancelledError&) {
  }
  const AnyTask me = current_task();
  ev("count", me.cancelling());
  const int a = me.uncancel();
  const int b = me.uncancel();
  const int c = me.uncancel();
  const int d = me.uncancel();
  ev("down", a, b, c, d);
}
Coro<> main() {
  const Task<> t = create_task(job());
  co_await ticks(1);
  for (int i = 0; i < 3; ++i) t.cancel();
  co_await caught(t);
  const bool late = t.cancel();
  ev("late", late, t.cancelling());
}
}  // namespace s131
SCENARIO(131_uncancel_counting) { go(s131::main); }

namespace s133 {
Coro<> layer(std::string name, std::optional<Task<>> inner) {
  const Finally cleanup([&] { ev("cleanup", name); });
  if (inner)
    co_await *inner;
  else
    co_await sleep(1000s);
}
Coro<> main() {
  const Task<> inner = create_task(layer("inner", std::nullopt));
  const Task<> mid = create_task(layer("mid", inner));
  const Task<> outer = create_task(layer("outer", mid));
  co_await ticks(1);
  outer.cancel();
  for (int i = 0; i < 3; ++i) {
    co_await ticks(1);
    ev("tick", st(inner), st(mid), st(outer));
  }
  ev("requests", inner.cancelling(), mid.cancelling(), outer.cancelling());
}
}  // namespace s133
SCENARIO(133_cancel_goes_inward) { go(s133::main); }

namespace s145 {
Coro<> job(Future<std::string> f) { ev("value", co_await f); }
Coro<> main() {
  const auto f = get_running_loop().create_future<std::string>();
  const Task<> t = create_task(job(f));
  co_await ticks(1);
  f.set_result("v");
  const bool cancelled = t.cancel();
  ev("cancel", cancelled, st(f));
  co_await caught(t);
  ev(st(f));
}
}  // namespace s145
SCENARIO(145_cancel_after_wakeup_scheduled) { go(s145::main); }
