// 20x to 24x: sleep, wait, gather, as_completed, shield.
#include "scenario.hpp"

#include <limits>

namespace s201 {
Coro<> main() {
  EventLoop& loop = get_running_loop();
  for (const int d : {0, -5}) {
    loop.call_soon([] { ev("between"); });
    ev("slept", d, co_await sleep(std::chrono::seconds(d), "r"));
  }
  // The error comes from the call, not from the await: the delay is converted there.
  try {
    co_await caught(sleep(std::chrono::duration<double>(std::numeric_limits<double>::quiet_NaN())),
                    "nan");
  } catch (const ValueError& e) {
    ev("nan", nm(e));
  }
  const auto watch = stopwatch();
  const std::string slept = co_await sleep(2 * U, "long");
  ev(slept, watch() >= 1.9);
}
}  // namespace s201
SCENARIO(201_sleep_basics) { go(s201::main); }

namespace s203 {
Coro<> nap(std::string name, int n) {
  co_await sleep(n * U);
  ev(name);
}
Coro<> main() {
  co_await gather(nap("three", 3), nap("one", 1), nap("two", 2), nap("four a", 4),
                  nap("four b", 4));
}
}  // namespace s203
SCENARIO(203_sleepers_wake_by_deadline) { go(s203::main); }

namespace s213 {
Coro<std::string> bad() {
  co_await sleep(3 * U);
  throw Boom("x");
  co_return "";
}
Coro<> main() {
  using T = Task<std::string>;
  const T ok = create_task(sleep(U, std::string("ok")));
  const T gone = create_task(sleep(1000s, std::string()));
  const T err = create_task(bad());
  const T late = create_task(sleep(20 * U, std::string("late")));
  get_running_loop().call_later(2 * U, [gone] { gone.cancel(); });
  const auto [done, pending] =
      co_await wait(std::vector{ok, gone, err, late}, {.return_when = FIRST_EXCEPTION});
  ev(done.size(), pending.size(), std::find(pending.begin(), pending.end(), late) != pending.end());
  ev(st(ok), st(gone), st(err), st(late));
}
}  // namespace s213
SCENARIO(213_wait_first_exception) { go(s213::main); }

namespace s215 {
Coro<> main() {
  std::vector<Task<int>> ts;
  for (int i = 0; i < 2; ++i) ts.push_back(create_task(sleep(3 * U, i)));
  const auto w = create_task(wait(ts));
  co_await sleep(U);
  w.cancel();
  co_await caught(AnyFuture(w), "waiter");
  const auto states = [&] { return std::vector{st(ts[0]), st(ts[1])}; };
  ev(states(), std::vector{ts[0].cancelling(), ts[1].cancelling()});
  co_await wait(ts);
  ev(states());
}
}  // namespace s215
SCENARIO(215_wait_cancelled) { go(s215::main); }

namespace s222 {
Coro<> job(int n, bool fail) {
  co_await sleep(n * U);
  ev("job", n);
  if (fail) throw Boom(n);
}
Coro<> main() {
  trap();
  co_await caught(gather(job(1, true), job(3, false), job(5, true)));
  co_await sleep(6 * U);
  ev("end");
}
}  // namespace s222
SCENARIO(222_gather_first_error) { go(s222::main); }

namespace s223 {
Coro<int> job(int x) {
  co_await sleep(U);
  co_return x;
}
Coro<int> job(Boom x) {
  co_await sleep(U);
  throw x;
  co_return 0;
}
template <class T>
std::string shown(const Outcome<T>& outcome) {
  if (!outcome.has_value()) return nm(outcome.error());
  if constexpr (std::is_void_v<T>)
    return "None";
  else
    return str(outcome.value());
}
Coro<> main() {
  const Task<> t = create_task(sleep(1000s));
  get_running_loop().call_later(2 * U, [t] { t.cancel(); });
  const auto [a, b, c, d] = co_await gather(return_exceptions, job(1), job(Boom("b")), t, job(2));
  ev(shown(a), shown(b), shown(c), shown(d));
}
}  // namespace s223
SCENARIO(223_gather_collect_errors) { go(s223::main); }

namespace s224 {
Coro<> main() {
  const Task<> a = create_task(sleep(1000s));
  const auto b = create_task(sleep(3 * U, "b"));
  get_running_loop().call_later(U, [a] { a.cancel(); });
  const auto g = gather(a, b);
  co_await caught(g);
  ev("gather cancelled", g.cancelled(), "own requests", current_task().cancelling());
  const std::string state = st(b);
  ev(state, co_await b);
}
}  // namespace s224
SCENARIO(224_gather_child_cancelled) { go(s224::main); }

namespace s226 {
Coro<std::string> stubborn() {
  try {
    co_await sleep(1000s);
  } catch (const CancelledError&) {
    ev("refused");
    co_return "value";
  }
  co_return "";
}
Coro<> meek() { co_await sleep(1000s); }
Coro<> main() {
  for (const bool collect : {true, false}) {
    const AnyFuture gathered = collect ? AnyFuture(gather(return_exceptions, stubborn(), meek()))
                                       : AnyFuture(gather(stubborn(), meek()));
    const Task<> t = create_task(caught(gathered, "gather"));
    co_await ticks(2);
    t.cancel();
    co_await t;
  }
}
}  // namespace s226
SCENARIO(226_gather_child_refuses_cancel) { go(s226::main); }

namespace s227 {
Coro<std::string> job(std::string n) {
  ev("run", n);
  co_return n;
}
Coro<> main() {
  const auto t = create_task(job("dup"));
  ev(as_list(co_await gather(t, job("x"), t, t)));
}
}  // namespace s227
SCENARIO(227_gather_duplicates) { go(s227::main); }

namespace s228 {
Coro<> bad() {
  throw Boom("x");
  co_return;
}
Coro<> main() {
  const auto t = create_task(sleep(2 * U, "survives"));
  const auto g = gather(bad(), t);
  co_await caught(g);
  const bool cancelled = g.cancel();
  ev("cancel", cancelled, st(t));
  co_await caught(t);
}
}  // namespace s228
SCENARIO(228_gather_cancel_after_error) { go(s228::main); }

namespace s231 {
Coro<int> job(int n) {
  co_await sleep(n * U);
  if (n == 4) throw Boom(n);
  co_return n;
}
Coro<> main() {
  std::vector<Coro<int>> jobs;
  for (const int n : {6, 2, 4}) jobs.push_back(job(n));
  for (auto next : as_completed(std::move(jobs))) co_await caught(std::move(next));
}
}  // namespace s231
SCENARIO(231_completed_plain) { go(s231::main); }

namespace s233 {
Coro<> main() {
  const auto a = create_task(sleep(U, "a"));
  const auto b = create_task(sleep(2 * U, "b"));
  const auto c = create_task(sleep(8 * U, "c"));
  auto completed = as_completed(std::vector{a, b, c}, {.timeout = 4 * U});
  auto it = completed.begin();
  co_await caught(*it);
  co_await sleep(5 * U);
  ++it;
  co_await caught(*it);
  ++it;
  co_await caught(*it);
  ++it;
  ev("exhausted", it == completed.end(), st(c), c.cancelling());
  co_await c;
}
}  // namespace s233
SCENARIO(233_completed_timeout) { go(s233::main); }

namespace s235 {
Coro<> main() {
  std::vector<Task<int>> ts;
  for (const int n : {1, 3}) ts.push_back(create_task(sleep(n * U, n)));
  std::vector<Coro<int>> slots;
  for (auto slot : as_completed(ts)) slots.push_back(std::move(slot));
  ev("slots", slots.size());
  co_await caught(std::move(slots[1]), "slot 1");
  co_await caught(std::move(slots[0]), "slot 0");
}
}  // namespace s235
SCENARIO(235_completed_awaited_backwards) { go(s235::main); }

namespace s241 {
Coro<std::string> job() {
  try {
    co_await sleep(3 * U);
  } catch (const CancelledError&) {
    ev("never seen");
    throw;
  }
  ev("job finished");
  co_return "v";
}
Coro<> outer(Task<std::string> inner) { co_await shield(inner); }
Coro<> main() {
  const auto inner = create_task(job());
  const Task<> o = create_task(outer(inner));
  co_await sleep(U);
  o.cancel();
  co_await caught(o, "outer");
  ev(st(inner), inner.cancelling());
  co_await caught(inner, "inner");
}
}  // namespace s241
SCENARIO(241_shield_outer_cancelled) { go(s241::main); }

namespace s245 {
Coro<> main() {
  const Future<> a = create_future();
  const Future<> b = create_future();
  const auto outer = shield(gather(a, b));
  outer.cancel();
  co_await ticks(1);
  ev(outer.cancelled() ? "cancelled" : "not cancelled", st(a), st(b));

  const Future<> c = create_future();
  const Future<> d = create_future();
  const auto g = gather(shield(c), d);
  g.cancel();
  co_await caught(g, "gather");
  ev(st(c), st(d));
}
}  // namespace s245
SCENARIO(245_shield_of_gather) { go(s245::main); }
