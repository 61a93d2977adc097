// An executor's thread has no loop: a coroutine function there would only make a Coro.
#include <brio/core/coro.hpp>
#include <brio/exec/thread_pool.hpp>

brio::Coro<int> answer();

//! compiles: a plain function
void good(brio::Executor& executor) {
  (void)executor.submit([] { return 42; });
}

//! refused: a coroutine function
//! error: a coroutine runs in a loop, not in an executor
void bad(brio::Executor& executor) { (void)executor.submit(answer); }
