// 812: signals.
#include "scenario.hpp"

#include <brio/os/signals.hpp>

#include <csignal>
#include <thread>
#include <unistd.h>

namespace s812 {
Coro<> main() {
  EventLoop& loop = get_running_loop();
  Event got;
  add_signal_handler(loop, SIGUSR2, [&got] {
    ev("handler");
    got.set();
  });
  ::kill(::getpid(), SIGUSR2);
  std::this_thread::sleep_for(50ms);
  ev("still before");
  co_await got.wait();
  ev("after");
  remove_signal_handler(loop, SIGUSR2);
}
}  // namespace s812
SCENARIO(812_signal_not_in_place) {
  real_time();
  go(s812::main);
}
