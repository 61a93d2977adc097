// 82x: executors and fork.
#include "scenario.hpp"

#include <brio/exec/run_in_executor.hpp>

#include <barrier>
#include <map>
#include <sys/wait.h>
#include <thread>
#include <tuple>
#include <unistd.h>

namespace s821 {
Coro<> main() {
  EventLoop& loop = get_running_loop();
  std::barrier both(2);
  const auto here = std::this_thread::get_id();
  const auto work = [&both, here](std::string x) -> std::tuple<std::string, bool> {
    both.arrive_and_wait();
    if (x == "bad") throw Boom(x);
    return {x, std::this_thread::get_id() != here};
  };
  const auto a = run_in_executor(loop, nullptr, work, std::string("good"));
  const auto b = run_in_executor(loop, nullptr, work, std::string("bad"));
  ev("loop is free");
  co_await wait(std::vector{a, b});
  co_await caught(a, "a");
  co_await caught(b, "b");
}
}  // namespace s821
SCENARIO(821_executor) {
  real_time();
  go(s821::main);
}

namespace s823 {
ContextVar<std::string> var("var", "unset");
using Seen = std::tuple<std::string, std::tuple<int>, std::map<std::string, int>>;
Seen work(int argument, std::map<std::string, int> named) {
  const std::string seen = var.get();
  var.set("changed in thread");
  return {seen, std::tuple(argument), std::move(named)};
}
Coro<> main() {
  var.set("from task");
  ev(co_await to_thread(work, 1, std::map<std::string, int>{{"k", 2}}));
  ev(var.get());
}
}  // namespace s823
SCENARIO(823_to_thread_context) {
  real_time();
  go(s823::main);
}

namespace s824 {
void slow() {
  std::this_thread::sleep_for(4 * U);
  ev("thread done");
}
Coro<> main() {
  run_in_executor(get_running_loop(), nullptr, slow);
  ev("main ends");
  co_return;
}
Coro<> refuse() {
  EventLoop& loop = get_running_loop();
  co_await loop.shutdown_default_executor();
  try {
    run_in_executor(loop, nullptr, slow);
  } catch (const RuntimeError& e) {
    ev(nm(e));
  }
}
}  // namespace s824
SCENARIO(824_executor_shutdown) {
  real_time();
  go(s824::main);
  ev("runner left");
  go(s824::refuse);
}

namespace s826 {
Coro<std::string> child_main() {
  co_await sleep(0s);
  co_return "fresh loop works";
}
[[noreturn]] void child(int w) {
  std::string word;
  try {
    (void)get_running_loop();
    word = "loop still there";
  } catch (const RuntimeError&) {
    word = "no running loop";
  }
  {
    Runner runner({.loop_factory = new_loop});
    word += ", " + runner.run(child_main());
  }
  if (::write(w, word.data(), word.size()) < 0) ::_exit(1);
  ::_exit(0);
}
Coro<> main() {
  int ends[2];
  if (::pipe(ends) != 0) co_return;
  const pid_t pid = ::fork();
  if (pid == 0) child(ends[1]);
  ::close(ends[1]);
  co_await sleep(U);
  ::waitpid(pid, nullptr, 0);
  char text[1000];
  const ssize_t length = ::read(ends[0], text, sizeof text);
  ev("child:", std::string(text, static_cast<std::size_t>(length)));
  ev("parent:", get_running_loop().is_running());
  ::close(ends[0]);
}
}  // namespace s826
SCENARIO(826_fork_forgets_loop) {
  real_time();
  go(s826::main);
}
