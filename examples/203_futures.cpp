// A future is a value that will be there. Whoever holds a copy completes it; whoever awaits it
// resumes in the next iteration. This is how callbacks become awaitable.
#include <brio/brio.hpp>

#include <cstdio>
#include <string>

using namespace std::chrono_literals;

// A library function with a callback …
template <class Callback>
void fetch(Callback done) {
  brio::get_running_loop().call_later(5ms, [done] { done("content"); });
}

// … as a coroutine.
brio::Coro<std::string> fetched() {
  auto future = brio::create_future<std::string>();
  fetch([future](const char* text) {
    if (!future.done()) future.set_result(text);  // it may have been cancelled
  });
  co_return co_await future;
}

brio::Coro<> amain() {
  std::printf("%s\n", (co_await fetched()).c_str());

  auto future = brio::create_future<int>();
  future.add_done_callback(
      [](const brio::Future<int>& f) { std::printf("callback: %d\n", f.result()); });
  future.set_result(42);  // queues the callback, runs nothing
  std::puts("set");
  co_await brio::yield_now();

  auto failing = brio::create_future<int>();
  failing.set_exception(brio::ValueError("broken"));
  const auto outcome = co_await brio::as_outcome(failing);
  std::printf("error: %s\n", brio::describe(outcome.error()).c_str());
}

int main() { brio::run(amain()); }
