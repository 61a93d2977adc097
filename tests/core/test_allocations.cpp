// In steady state nothing allocates: not a sleep, a wait for a future, an awaited coroutine, a
// task, a callback or a timer. And what a sleeping task costs. The counting operator new is this
// whole binary's.
#include <brio/brio.hpp>

#include <doctest/doctest.h>

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

// The thread sanitizer's operator new cannot be replaced, and under every sanitizer frames come
// from malloc one by one.
#if !BRIO_SANITIZED

using namespace brio;
using namespace std::chrono_literals;

namespace {

// Other threads of this binary allocate too.
std::atomic<std::size_t> allocations = 0;
std::atomic<std::size_t> bytes = 0;  // in use, malloc's header and rounding included

std::size_t taken(void* memory) { return malloc_usable_size(memory) + sizeof(std::size_t); }

void* counted(std::size_t size) {
  void* memory = std::malloc(size ? size : 1);
  if (!memory) throw std::bad_alloc();
  allocations.fetch_add(1, std::memory_order_relaxed);
  bytes.fetch_add(taken(memory), std::memory_order_relaxed);
  return memory;
}

void counted_free(void* memory) noexcept {
  if (!memory) return;
  bytes.fetch_sub(taken(memory), std::memory_order_relaxed);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { counted_free(memory); }
void operator delete[](void* memory) noexcept { counted_free(memory); }
void operator delete(void* memory, std::size_t) noexcept { counted_free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { counted_free(memory); }

namespace {

constexpr int rounds = 1000;

/// What the second half of `body(turn)`, awaited 2 · rounds times, allocates. Not in debug mode,
/// which describes each step.
template <class Body>
std::size_t allocated_by(Body body) {
  std::size_t result = 0;
  const LoopPtr loop = new_event_loop();
  loop->set_debug(false);
  const auto repeat = [&]() -> Coro<> {
    for (int turn = 0; turn < rounds; ++turn) co_await body();
    const std::size_t before = allocations;
    for (int turn = 0; turn < rounds; ++turn) co_await body();
    result = allocations - before;
  };
  loop->run_until_complete(repeat());
  return result;
}

Coro<int> value(int number) { co_return number; }
Coro<int> nested(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await nested(depth - 1);
}

}  // namespace

TEST_CASE("no allocation: the meter sees one") {
  CHECK(allocated_by([]() -> Coro<> {
          ::operator delete(::operator new(1));  // which no optimiser leaves out
          co_return;
        }) >= rounds);
}

TEST_CASE("no allocation: yielding and sleeping") {
  CHECK(allocated_by([]() -> Coro<> { co_await yield_now(); }) == 0);
  CHECK(allocated_by([]() -> Coro<> { co_await brio::sleep(0s); }) == 0);
  CHECK(allocated_by([]() -> Coro<> { co_await brio::sleep(1ns); }) == 0);
}

TEST_CASE("no allocation: an awaited coroutine, and a chain of them") {
  CHECK(allocated_by([]() -> Coro<> { (void)co_await value(1); }) == 0);
  CHECK(allocated_by([]() -> Coro<> { (void)co_await nested(10); }) == 0);
}

TEST_CASE("no allocation: futures, done and waited for") {
  CHECK(allocated_by([]() -> Coro<> {
          auto future = create_future<int>();
          future.set_result(1);
          (void)co_await future;
        }) == 0);
  CHECK(allocated_by([]() -> Coro<> {
          auto future = create_future<int>();
          get_running_loop().call_soon([future] { future.set_result(1); });
          (void)co_await future;
        }) == 0);
  CHECK(allocated_by([]() -> Coro<> {
          auto future = create_future<int>();
          future.add_done_callback([](const auto&) {});
          future.set_result(1);
          co_await yield_now();
        }) == 0);
}

TEST_CASE("no allocation: a task is spawned and joined") {
  CHECK(allocated_by([]() -> Coro<> { (void)co_await create_task(value(1)); }) == 0);
  // With a callable and its arguments; two at a time; one that has to wait.
  CHECK(allocated_by([]() -> Coro<> { (void)co_await create_task(value, 2); }) == 0);
  CHECK(allocated_by([]() -> Coro<> {
          const auto first = create_task(value(1));
          const auto second = create_task(nested, 3);
          (void)co_await second;
          (void)co_await first;
        }) == 0);
  CHECK(allocated_by([]() -> Coro<> {
          co_await create_task([]() -> Coro<> { co_await brio::sleep(1ns); });
        }) == 0);
}

TEST_CASE("no allocation: callbacks and timers") {
  static int calls = 0;
  calls = 0;
  CHECK(allocated_by([]() -> Coro<> {
          get_running_loop().call_soon([] { ++calls; });
          co_await yield_now();
        }) == 0);
  CHECK(allocated_by([]() -> Coro<> {
          get_running_loop().call_later(1ns, [] { ++calls; });
          co_await brio::sleep(2ns);
        }) == 0);
  CHECK(calls == 4 * rounds);
  CHECK(allocated_by([]() -> Coro<> {
          TimerHandle timer = get_running_loop().call_later(1h, [] { ++calls; });
          co_await yield_now();
          timer.cancel();
        }) == 0);
  CHECK(calls == 4 * rounds);
}

TEST_CASE("a sleeping task costs at most 256 bytes beside its timer entry") {
  constexpr std::size_t count = 20'000;
  std::size_t each = 0;
  const LoopPtr loop = new_event_loop();
  loop->set_debug(false);
  const auto sleeper = []() -> Coro<> { co_await brio::sleep(1h); };
  const auto measure = [&]() -> Coro<> {
    // Their places in the timer heap and in the ring of what is ready are not counted: the first
    // half of the tasks, which are kept, has made the ring large enough.
    get_running_loop().timers_.reserve(2 * count + 10);
    std::vector<Task<>> tasks;
    tasks.reserve(2 * count);
    for (std::size_t i = 0; i < count; ++i) tasks.push_back(create_task(sleeper()));
    co_await yield_now();
    const std::size_t before = bytes;
    co_await yield_now();
    for (std::size_t i = 0; i < count; ++i) tasks.push_back(create_task(sleeper()));
    co_await yield_now();
    co_await yield_now();
    each = (bytes - before) / count;
    for (Task<>& task : tasks) task.cancel();
    co_await yield_now();
    co_await yield_now();
  };
  loop->run_until_complete(measure());
#if defined(__clang__) && defined(__OPTIMIZE__)
  CHECK(each <= 256);
#else
  CHECK(each <= 400);  // an unoptimised frame keeps every temporary
#endif
  CHECK(each > 50);  // or it was not measured
  MESSAGE("bytes for a sleeping task: ", each);
}

#endif
