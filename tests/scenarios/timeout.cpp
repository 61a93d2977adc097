// 25x, 260, 30x, 31x: wait_for, ensure_future, timeouts.
#include "scenario.hpp"

namespace s251 {
Coro<std::string> job(std::string x) {
  co_await sleep(U);
  co_return x;
}
Coro<std::string> job(Boom x) {
  co_await sleep(U);
  throw x;
  co_return "";
}
Coro<> main() {
  co_await caught(wait_for(job("v"), 100s));
  co_await caught(wait_for(job(Boom("b")), 100s));
  co_await caught(wait_for(job("n"), std::nullopt));
}
}  // namespace s251
SCENARIO(251_wait_for_in_time) { go(s251::main); }

namespace s253 {
Coro<std::string> job() {
  try {
    co_await sleep(1000s);
  } catch (const CancelledError&) {
    ev("refused");
  }
  co_await sleep(U);
  co_return "late value";
}
Coro<> main() {
  co_await caught(wait_for(job(), 2 * U));
  ev(current_task().cancelling());
}
}  // namespace s253
SCENARIO(253_wait_for_inner_refuses) { go(s253::main); }

namespace s257 {
Coro<> main() {
  const auto t = create_task(sleep(4 * U, "v"));
  co_await caught(wait_for(shield(t), U));
  ev(st(t));
  co_await caught(wait_for(shield(t), 1000s));
}
}  // namespace s257
SCENARIO(257_wait_for_shielded) { go(s257::main); }

namespace s260 {
struct Custom {
  static Coro<std::string> run() {
    co_await sleep(0s);
    co_return "custom";
  }
  auto operator co_await() const { return run().operator co_await(); }
};
template <class T>
concept Accepted = requires(T value) { ensure_future(value); };
Coro<> main() {
  const auto t = ensure_future(sleep(0s, "coro"));
  const Future<> f = create_future();
  ev(std::same_as<decltype(t), const Task<const char*>>, ensure_future(t) == t,
     ensure_future(f) == f);
  const std::string first = co_await t;
  ev(first, co_await ensure_future(Custom()));
  // What cannot be awaited is refused with a TypeError in Python, by the compiler in C++.
  if (!Accepted<std::string>) ev("TypeError");
}
}  // namespace s260
SCENARIO(260_ensure_future_kinds) { go(s260::main); }

namespace s301 {
Coro<> main() {
  Timeout scope(2 * U);
  try {
    co_await timeout(scope, [](Timeout& inside) -> Coro<> {
      ev("inside", inside.expired());
      try {
        co_await sleep(1000s);
      } catch (const CancelledError&) {
        ev("cancelled inside", current_task().cancelling(), inside.expired());
        throw;
      }
    });
  } catch (const TimeoutError& e) {
    ev("timeout, cause", nm(e.cause()));
  }
  ev("after", scope.expired(), current_task().cancelling());
  co_await sleep(0s);
  ev("alive");
}
}  // namespace s301
SCENARIO(301_timeout_expires) { go(s301::main); }

namespace s302 {
Coro<> nap() { co_await sleep(U); }
Coro<> main() {
  EventLoop& loop = get_running_loop();
  Timeout a(3 * U);
  co_await timeout(a, nap);
  Timeout b(std::nullopt);
  co_await timeout(b, nap);
  ev("no deadline", !b.when());
  const TimePoint when = loop.time() + 3 * U;
  Timeout c(when);
  co_await timeout(c, nap);
  ev("same deadline", c.when() == when);
  co_await sleep(5 * U);
  ev(a.expired(), b.expired(), c.expired());
}
}  // namespace s302
SCENARIO(302_timeout_not_reached) { go(s302::main); }

namespace s304 {
Coro<> main() {
  EventLoop& loop = get_running_loop();
  Timeout first(2 * U);
  co_await timeout(first, [&](Timeout& s) -> Coro<> {
    co_await sleep(U);
    s.reschedule(loop.time() + 4 * U);
    co_await sleep(2 * U);
    s.reschedule(std::nullopt);
    co_await sleep(4 * U);
  });
  ev("kept alive", first.expired());
  Timeout second(1000s);
  try {
    co_await timeout(second, [&](Timeout& s) -> Coro<> {
      s.reschedule(loop.time() - 1s);
      ev("not yet");
      co_await sleep(500s);
    });
  } catch (const TimeoutError&) {
    ev("moved into the past");
  }
  Timeout unused(1s);
  const std::pair<const char*, Timeout*> scopes[] = {{"after", &second}, {"before", &unused}};
  for (const auto& [label, scope] : scopes) {
    try {
      scope->reschedule(loop.time());
    } catch (const RuntimeError& e) {
      ev(label, nm(e));
    }
  }
}
}  // namespace s304
SCENARIO(304_timeout_reschedule) { go(s304::main); }

namespace s307 {
Coro<> main() {
  Timeout outer(U);
  try {
    co_await timeout(outer, [&]() -> Coro<> {
      Timeout inner(1000s);
      try {
        co_await timeout(inner, []() -> Coro<> { co_await sleep(500s); });
      } catch (...) {
        ev("between", nm(std::current_exception()), inner.expired(), outer.expired());
        throw;
      }
    });
  } catch (const TimeoutError&) {
    ev("outside", current_task().cancelling());
  }
}
}  // namespace s307
SCENARIO(307_nested_outer_expires) { go(s307::main); }

namespace s308 {
Coro<> main() {
  Timeout outer(2 * U);
  try {
    co_await timeout(outer, [&]() -> Coro<> {
      Timeout inner(U);
      try {
        co_await timeout(inner, []() -> Coro<> {
          block(4);
          co_await sleep(500s);
        });
      } catch (...) {
        ev("between", nm(std::current_exception()), inner.expired(), current_task().cancelling());
        throw;
      }
    });
  } catch (...) {
    ev("outside", nm(std::current_exception()), outer.expired(), current_task().cancelling());
  }
}
}  // namespace s308
SCENARIO(308_nested_both_expire_at_once) { go(s308::main); }

namespace s312 {
Coro<> main() {
  Timeout scope(U);
  co_await timeout(scope, []() -> Coro<> {
    try {
      co_await sleep(500s);
    } catch (const CancelledError&) {
      ev("swallowed");
    }
    co_await sleep(U);
    ev("went on");
  });
  ev(scope.expired(), current_task().cancelling());
}
}  // namespace s312
SCENARIO(312_body_swallows_timeout) { go(s312::main); }

namespace s313 {
Coro<> cleanup(AnyTask me) {
  ev("requests", me.cancelling());
  try {
    co_await timeout(U, []() -> Coro<> { co_await sleep(500s); });
  } catch (...) {
    ev("guard", nm(std::current_exception()), me.cancelling());
  }
}
Coro<> job() {
  const AnyTask me = current_task();
  co_await try_finally([]() -> Coro<> { co_await sleep(1000s); }, [&] { return cleanup(me); });
}
Coro<> main() {
  const Task<> t = create_task(job());
  co_await ticks(1);
  t.cancel();
  co_await caught(t);
}
}  // namespace s313
SCENARIO(313_timeout_in_cleanup) { go(s313::main); }
