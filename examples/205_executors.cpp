// Blocking work goes to threads; the loop goes on meanwhile.
#include <brio/brio.hpp>
#include <brio/exec/run_in_executor.hpp>
#include <brio/exec/thread_pool.hpp>

#include <cstdio>
#include <thread>

using namespace std::chrono_literals;

int blocking_square(int n) {
  std::this_thread::sleep_for(20ms);  // a library that knows no coroutines
  return n * n;
}

brio::Coro<> amain() {
  bool ticked = false;
  brio::get_running_loop().call_later(1ms, [&] { ticked = true; });

  const int value = co_await brio::to_thread(blocking_square, 6);
  std::printf("%d, and the loop %s\n", value, ticked ? "went on" : "stood still");

  // A pool of one's own, for work that must not wait behind other people's.
  brio::ThreadPoolExecutor pool({.max_workers = 2});
  auto [a, b] = co_await brio::gather(brio::run_in_executor(&pool, blocking_square, 2),
                                      brio::run_in_executor(&pool, blocking_square, 3));
  std::printf("%d %d\n", a, b);
}

int main() { brio::run(amain()); }
