// 0xx: the event loop.
#include "scenario.hpp"

#include <array>
#include <functional>
#include <memory>

namespace s001 {
void main(EventLoop& loop) {
  const std::function<void(char, int)> cb = [&](char name, int left) {
    ev(name, left);
    if (left > 0)
      loop.call_soon([&cb, name, left] { cb(name, left - 1); });
    else if (name == 'c')
      loop.stop();
  };
  for (const char name : {'a', 'b', 'c'}) loop.call_soon([&cb, name] { cb(name, 2); });
  loop.run_forever();
}
}  // namespace s001
SCENARIO(001_soon_is_fifo) { drive(s001::main); }

namespace s003 {
void main(EventLoop& loop) {
  Handle h;
  loop.call_soon([&] {
    ev("first", h.cancelled());
    h.cancel();
    h.cancel();
    ev("after cancel", h.cancelled());
    loop.call_soon([&] { loop.stop(); });
  });
  h = loop.call_soon([] { ev("second"); });
  loop.call_soon([] { ev("third"); });
  loop.run_forever();
}
}  // namespace s003
SCENARIO(003_cancel_ready_handle) { drive(s003::main); }

namespace s004 {
void main(EventLoop& loop) {
  const TimePoint t0 = loop.time();
  const auto fire = [&](int n) {
    const bool early = loop.time() - t0 < n * U * 0.98;
    ev("timer", n, early ? "early" : "ok");
  };
  loop.call_later(6 * U, [&] { fire(6); });
  loop.call_later(2 * U, [&] { fire(2); });
  loop.call_later(4 * U, [&] { fire(4); });
  loop.call_later(7 * U, [&] { loop.stop(); });
  loop.run_forever();
}
}  // namespace s004
SCENARIO(004_timers_by_deadline) { drive(s004::main); }

namespace s009 {
void main(EventLoop& loop) {
  loop.call_soon([&] {
    ev("first");
    loop.stop();
    loop.call_soon([] { ev("fourth"); });
  });
  loop.call_soon([] { ev("second"); });
  loop.call_soon([] { ev("third"); });
  loop.run_forever();
  ev("-- stopped");
  loop.stop();
  loop.run_forever();
  ev("-- stopped");
}
}  // namespace s009
SCENARIO(009_stop_finishes_batch) { drive(s009::main); }

namespace s011 {
Coro<> background() {
  for (int i = 0; i < 100; ++i) {
    ev("bg", i);
    co_await sleep(0s);
  }
}
Coro<> brief(std::string name) {
  ev(name);
  co_await sleep(0s);
  ev(name, "end");
}
void main(EventLoop& loop) {
  const Task<> t = loop.create_task(background());
  loop.run_until_complete(brief("one"));
  ev("--");
  loop.run_until_complete(brief("two"));
  ev("--", st(t));
  t.cancel();
  loop.run_until_complete(gather(return_exceptions, t));
  ev(st(t));
}
}  // namespace s011
SCENARIO(011_pause_between_runs) { drive(s011::main); }

namespace s013 {
void main(EventLoop& loop) {
  trap(&loop);
  loop.call_soon([] { ev("first"); });
  loop.call_soon([] { throw Halt("now"); });
  loop.call_soon([] { ev("third"); });
  try {
    loop.run_forever();
  } catch (const Halt& e) {
    ev("left with", nm(e), loop.is_running());
  }
  loop.stop();
  loop.run_forever();
  ev("end");
}
}  // namespace s013
SCENARIO(013_fatal_error_leaves_loop) { drive(s013::main); }

namespace s014 {
void main(EventLoop& loop) {
  const LogCapture seen(LogLevel::error);
  loop.set_exception_handler([](EventLoop&, const ExceptionContext& context) {
    ev("handler called", nm(context.exception));
    throw Bang("h");
  });
  loop.call_soon([] { throw Boom("x"); });
  loop.call_soon([] { ev("next"); });
  loop.call_later(U, [&] { loop.stop(); });
  loop.run_forever();
  ev("logged", seen.records.size(),
     seen.records.at(0).message.find("exception handler") != std::string::npos);
}
}  // namespace s014
SCENARIO(014_broken_exception_handler) { drive(s014::main); }

namespace s018 {
Coro<> inside(EventLoop& loop) {
  ev("running", loop.is_running(), &get_running_loop() == &loop);
  const LoopPtr other = new_loop();
  other->call_later(10 * U, [&] { other->stop(); });
  try {
    other->run_forever();
  } catch (const RuntimeError& e) {
    ev("other loop", nm(e), other->is_running());
  }
  other->close();
  try {
    loop.run_forever();
  } catch (const RuntimeError& e) {
    ev("same loop", nm(e));
  }
  co_await sleep(0s);
  ev("still running", &get_running_loop() == &loop);
}
void main(EventLoop& loop) {
  loop.run_until_complete(inside(loop));
  try {
    (void)get_running_loop();
  } catch (const RuntimeError& e) {
    ev("outside", nm(e));
  }
}
}  // namespace s018
SCENARIO(018_no_nested_run) { drive(s018::main); }

namespace s019 {
Coro<> slow_task() {
  block(4);
  co_return;
}
void main(EventLoop& loop) {
  LogCapture seen(LogLevel::warning);
  const auto round = [&](bool debug) {
    seen.records.clear();
    loop.set_debug(debug);
    loop.slow_callback_duration = 2 * U;
    loop.call_soon([] {});
    loop.call_soon([] { block(4); });
    loop.call_later(U, [] { block(4); });
    const Task<> t = loop.create_task(slow_task());
    loop.call_later(16 * U, [&] { loop.stop(); });
    loop.run_forever();
    std::string line;
    for (const Logged& record : seen.records)
      if (record.message.find("took") != std::string::npos) line += " " + level_name(record.level);
    ev("debug", str(loop.get_debug()) + line);
  };
  round(true);
  round(false);
}
}  // namespace s019
SCENARIO(019_slow_callback_log) { drive(s019::main); }

namespace s021 {
void main(EventLoop& loop) {
  const TimePoint t0 = loop.time();
  std::vector<TimerHandle> hs;
  for (int i = 0; i < 500; ++i)
    hs.push_back(
        loop.call_at(t0 + std::chrono::duration_cast<Duration>((1 + (i * 7) % 500 / 100.0) * U),
                     [i] { ev("timer", i); }));
  const TimerHandle keep = hs[123];
  const TimePoint when = keep.when();
  for (TimerHandle& h : hs)
    if (!(h == keep)) h.cancel();
  loop.call_later(8 * U, [&] { loop.stop(); });
  loop.run_forever();
  int cancelled = 0;
  for (const TimerHandle& h : hs) cancelled += h.cancelled();
  ev("cancelled", cancelled, "same deadline", keep.when() == when);
}
}  // namespace s021
SCENARIO(021_many_cancelled_timers) { drive(s021::main); }

namespace s023 {
void main(EventLoop& loop) {
  auto [a1, b1] = pair();
  auto [a2, b2] = pair();
  std::vector<int> fired;
  const auto readable = [&](int me, int other) {
    fired.push_back(me);
    ev("removed other:", loop.remove_reader(other));
    loop.remove_reader(me);
    loop.call_later(U, [&] { loop.stop(); });
  };
  const int fd1 = b1.fileno();
  const int fd2 = b2.fileno();
  loop.add_reader(fd1, [&] { readable(fd1, fd2); });
  loop.add_reader(fd2, [&] { readable(fd2, fd1); });
  a1.send("x");
  a2.send("x");
  loop.run_forever();
  ev("fired", fired.size());
}
}  // namespace s023
SCENARIO(023_reader_removed_by_reader) { drive(s023::main); }

namespace s024 {
void main(EventLoop& loop) {
  const auto ends = pair();
  const Sock& a = ends.first;
  const Sock& b = ends.second;
  loop.add_reader(b, [] { ev("old reader"); });
  loop.add_reader(b, [&] {
    ev("new reader", b.recv(9));
    const bool first = loop.remove_reader(b);
    ev("remove", first, loop.remove_reader(b));
  });
  loop.add_writer(b, [&] {
    ev("writable");
    const bool first = loop.remove_writer(b);
    ev("remove writer", first, loop.remove_writer(b));
    a.send("hi");
  });
  loop.call_later(2 * U, [&] { loop.stop(); });
  loop.run_forever();
  ev("unknown", loop.remove_reader(a));
}
}  // namespace s024
SCENARIO(024_reader_replaced) { drive(s024::main); }

namespace s026 {
Coro<int> give(int x) {
  co_await sleep(0s);
  co_return x;
}
Coro<int> give(std::exception_ptr x) {
  co_await sleep(0s);
  std::rethrow_exception(x);
}
Coro<int> self_cancel() {
  current_task().cancel();
  co_await sleep(0s);
  co_return 0;
}
void main(EventLoop& loop) {
  std::vector<Coro<int>> coros;
  coros.push_back(give(5));
  coros.push_back(give(std::make_exception_ptr(Boom("b"))));
  coros.push_back(self_cancel());
  coros.push_back(give(std::make_exception_ptr(Halt("h"))));
  coros.push_back(give(6));
  for (Coro<int>& coro : coros) {
    try {
      ev("value", loop.run_until_complete(std::move(coro)));
    } catch (...) {
      ev("raised", nm(std::current_exception()), loop.is_running());
    }
  }
}
}  // namespace s026
SCENARIO(026_run_until_complete_error) { drive(s026::main); }

namespace s027 {
void main(EventLoop& loop) {
  loop.call_later(3 * U, [] { ev("three"); });
  loop.call_later(1 * U, [&] {
    ev("one");
    loop.call_soon([] { ev("follow-up of one"); });
  });
  loop.call_later(2 * U, [] { ev("two"); });
  loop.call_soon([] { block(5); });
  loop.call_later(6 * U, [&] { loop.stop(); });
  loop.run_forever();
}
}  // namespace s027
SCENARIO(027_late_loop_keeps_deadlines) { drive(s027::main); }
