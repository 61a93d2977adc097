// 90x: the runner.
#include "scenario.hpp"

#include <csignal>
#include <unistd.h>

namespace s901 {
std::vector<EventLoop*> loops;
LoopPtr kept;  // a closed loop can be asked as long as it lives
Coro<int> value() {
  loops.push_back(&get_running_loop());
  co_await sleep(0s);
  co_return 7;
}
Coro<> error() {
  throw Boom("main");
  co_return;
}
Coro<> nested() {
  Coro<int> c = value();
  try {
    run(std::move(c));
  } catch (const RuntimeError& e) {
    ev("nested", nm(e));
  }
  c.close();
  co_return;
}
template <class T>
concept Runnable = requires(T value) { run(value); };
void main() {
  ev("value", run(value(), {.loop_factory = [] {
                    LoopPtr loop = new_loop();
                    loop->ref();
                    kept.reset(loop.get());
                    return loop;
                  }}));
  ev("closed", loops[0]->is_closed());
  try {
    run(error(), {.loop_factory = new_loop});
  } catch (const Boom& e) {
    ev("error", nm(e));
  }
  run(nested(), {.loop_factory = new_loop});
  // What is no coroutine is refused with an error in Python, by the compiler in C++.
  if (!Runnable<int>) ev("number refused");
}
}  // namespace s901
SCENARIO(901_run_basics) { s901::main(); }

namespace s902 {
std::vector<Task<>> keep;
Coro<> sleeper() { co_await sleep(1000s); }
Coro<> slow() {
  co_await try_finally([]() -> Coro<> { co_await sleep(1000s); },
                       []() -> Coro<> {
                         co_await sleep(2 * U);
                         ev("slow clean");
                       });
}
Coro<> throws() {
  (void)co_await as_outcome(sleep(1000s));
  throw Boom("cleanup");
}
Coro<std::string> main() {
  trap();
  for (const auto f : {sleeper, slow, throws}) keep.push_back(create_task(f()));
  co_await ticks(1);
  ev("main ends");
  co_return "value";
}
}  // namespace s902
SCENARIO(902_run_cancels_leftovers) {
  using s902::keep;
  ev(go(s902::main));
  ev(st(keep[0]), st(keep[1]), st(keep[2]));
  keep.clear();
}

namespace s904 {
Coro<> bystander() {
  const Finally cleanup([] { ev("bystander cancelled"); });
  co_await sleep(1000s);
}
Coro<> main() {
  const Task<> t = create_task(bystander());
  get_running_loop().call_later(2 * U, [] { ::kill(::getpid(), SIGINT); });
  const auto slept = co_await as_outcome(sleep(1000s));
  if (slept.cancelled()) {
    ev("main cancelled", current_task().cancelling());
    co_await sleep(U);
    ev("main clean", st(t));
    slept.raise();
  }
}
}  // namespace s904
SCENARIO(904_interrupt_cancels_main) {
  real_time();
  go(s904::main);
}

namespace s905 {
Coro<std::string> main() {
  get_running_loop().call_later(2 * U, [] { ::kill(::getpid(), SIGINT); });
  try {
    co_await sleep(1000s);
  } catch (const CancelledError&) {
    ev("swallowed");
  }
  co_return "went on";
}
}  // namespace s905
SCENARIO(905_interrupt_swallowed) {
  real_time();
  ev(go(s905::main));
}
