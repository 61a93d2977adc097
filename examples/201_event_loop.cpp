// The loop runs callbacks, one iteration after the other: what call_soon has queued, then what I/O
// brought, then the timers that are due. What they queue waits for the next iteration.
#include <brio/brio.hpp>

#include <cstdio>

using namespace std::chrono_literals;

int main() {
  brio::LoopPtr loop = brio::new_event_loop();

  loop->call_soon([&] {
    std::puts("first");
    loop->call_soon([] { std::puts("queued by first"); });
  });
  loop->call_soon([] { std::puts("second"); });

  loop->call_later(20ms, [&] {
    std::puts("20 ms later");
    loop->stop();
  });
  brio::TimerHandle never = loop->call_later(10ms, [] { std::puts("never"); });
  never.cancel();

  loop->run_forever();
  std::printf("running: %s\n", loop->is_running() ? "yes" : "no");
}
