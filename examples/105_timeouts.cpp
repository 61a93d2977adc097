// A deadline cancels what it guards; cancellation is an exception thrown at the await.
#include <brio/brio.hpp>

#include <cstdio>

using namespace std::chrono_literals;

brio::Coro<> worker() {
  try {
    co_await brio::sleep(1h);
  } catch (const brio::CancelledError&) {  // no std::exception: nothing swallows it by accident
    std::puts("worker: cancelled");
    throw;
  }
}

brio::Coro<> amain() {
  try {
    co_await brio::wait_for(worker(), 10ms);  // one awaitable
  } catch (const brio::TimeoutError&) {
    std::puts("timed out");
  }

  try {
    co_await brio::timeout(10ms, []() -> brio::Coro<> {  // a whole block
      co_await brio::sleep(1ms);
      co_await worker();
    });
  } catch (const brio::TimeoutError&) {
    std::puts("timed out again");
  }

  // A cancel scope does not throw out of its block; it tells whether it was cut short.
  const bool finished =
      co_await brio::move_on_after(10ms, []() -> brio::Coro<> { co_await worker(); });
  std::puts(finished ? "finished" : "moved on");

  brio::Task<> task = brio::create_task(worker());
  co_await brio::yield_now();  // let it begin
  task.cancel();
  const auto outcome = co_await brio::as_outcome(task);
  std::puts(outcome.cancelled() ? "the task is cancelled" : "?");
}

int main() { brio::run(amain()); }
