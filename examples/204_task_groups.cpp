// A task group does not end before its children have. The first error cancels the others, and what
// failed comes out together.
#include <brio/brio.hpp>

#include <cstdio>

using namespace std::chrono_literals;

brio::Coro<> child(int n) {
  co_await brio::sleep(std::chrono::milliseconds(n));
  std::printf("child %d\n", n);
}

brio::Coro<> failing() {
  co_await brio::sleep(1ms);
  throw brio::ValueError("no luck");
}

brio::Coro<> amain() {
  co_await brio::task_group([](brio::TaskGroup& group) -> brio::Coro<> {
    for (int n = 1; n <= 3; ++n) group.create_task(child(n * 5));
    std::puts("body done");
    co_return;
  });
  std::puts("group done");

  try {
    co_await brio::task_group([](brio::TaskGroup& group) -> brio::Coro<> {
      group.create_task(child(3'600'000));  // will be cancelled
      group.create_task(failing());
      co_return;
    });
  } catch (const brio::ExceptionGroup& errors) {
    std::printf("%s\n", errors.what());
    errors.handle<brio::ValueError>(
        [](const brio::ValueError& e) { std::printf("- %s\n", e.what()); });
  }
}

int main() { brio::run(amain()); }
