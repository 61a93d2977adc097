// 44x: barriers.
#include "scenario.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>

namespace s441 {
Coro<> party(Barrier& b, char n) {
  ev("arrive", n);
  const int i = co_await b.wait();
  ev("pass", n, i);
}
Coro<> main() {
  Barrier b(3);
  std::vector<Task<>> ts;
  for (const char n : {'a', 'b', 'c'}) ts.push_back(create_task(party(b, n)));
  co_await ticks(2);
  co_await gather(ts);
  ev(b.parties(), b.n_waiting(), b.broken());
}
}  // namespace s441
SCENARIO(441_barrier_trips) { go(s441::main); }

namespace s442 {
Coro<> party(Barrier& b, std::map<char, int>& passed, char n) {
  for (int i = 0; i < 3; ++i) {
    co_await b.wait();
    ++passed[n];
    ev("spread ok", std::abs(passed['a'] - passed['b']) <= 1);
  }
}
Coro<> main() {
  Barrier b(2);
  std::map<char, int> passed{{'a', 0}, {'b', 0}};
  co_await gather(party(b, passed, 'a'), party(b, passed, 'b'));
  ev(passed['a'], passed['b'], b.n_waiting());
}
}  // namespace s442
SCENARIO(442_barrier_reuse) { go(s442::main); }

namespace s443 {
Coro<> party(Barrier& b, std::string& out, char n) {
  co_await b.wait();
  out += n;
}
std::string sorted(std::string text) {
  std::sort(text.begin(), text.end());
  return text;
}
Coro<> main() {
  Barrier b(3);
  std::string out;
  std::vector<Task<>> first;
  for (const char n : {'a', 'b', 'c'}) first.push_back(create_task(party(b, out, n)));
  const Task<> fourth = create_task(party(b, out, 'd'));
  co_await gather(first);
  ev("first round", sorted(out));
  co_await ticks(6);
  ev(st(fourth), b.n_waiting());
  co_await gather(party(b, out, 'e'), party(b, out, 'f'), fourth);
  ev("second round", sorted(out.substr(3)));
}
}  // namespace s443
SCENARIO(443_barrier_latecomer_blocked) { go(s443::main); }

namespace s445 {
Coro<> main() {
  Barrier b(2);
  const Task<int> t = create_task(b.wait());
  co_await ticks(2);
  co_await b.abort();
  co_await caught(t, "waiting");
  ev("broken", b.broken());
  co_await caught(b.wait(), "later");
  co_await b.reset();
  ev("broken", b.broken());
  const auto [first, second] = co_await gather(b.wait(), b.wait());
  std::vector<int> places{first, second};
  std::sort(places.begin(), places.end());
  ev(places);
}
}  // namespace s445
SCENARIO(445_barrier_abort) { go(s445::main); }

namespace s446 {
Coro<> main() {
  Barrier b(3);
  const Task<int> a = create_task(b.wait());
  const Task<int> c = create_task(b.wait());
  co_await ticks(2);
  a.cancel();
  co_await caught(a, "a");
  ev("waiting", b.n_waiting(), b.broken());
  co_await gather(b.wait(), b.wait(), c);
  ev("passed", st(c) != "pending", b.n_waiting());
}
}  // namespace s446
SCENARIO(446_barrier_cancelled_party) { go(s446::main); }
