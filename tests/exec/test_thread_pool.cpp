#include "helpers.hpp"

#include <brio/exec/concurrent_wait.hpp>
#include <brio/exec/thread_pool.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <pthread.h>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using brio::ThreadPoolExecutor;
using exec_test::Blocker;
using exec_test::Counted;
namespace concurrent = brio::concurrent;

namespace {
std::string this_thread_name() {
  char name[32] = "";
  pthread_getname_np(pthread_self(), name, sizeof name);
  return name;
}
int twice(int x) { return 2 * x; }
}  // namespace

TEST_CASE("thread pool: values, errors, void, references, members, move-only") {
  ThreadPoolExecutor pool({.max_workers = 2});
  CHECK(pool.submit(twice, 21).result() == 42);
  CHECK_THROWS_WITH((void)pool.submit([]() -> int { throw std::runtime_error("boom"); }).result(),
                    "boom");
  pool.submit([] {}).result();
  const std::string text = "lent";
  CHECK(pool.submit([](const std::string& s) -> const std::string& { return s; }, std::ref(text))
            .result() == "lent");
  CHECK(pool.submit(&std::string::size, text).result() == 4);
  auto box = pool.submit([](std::unique_ptr<int> p) { return p; }, std::make_unique<int>(3));
  CHECK(*std::move(box).result() == 3);
  // Not a std::exception, and not a task's business here: it travels as it is.
  CHECK_THROWS_AS(pool.submit([] { throw brio::CancelledError(); }).result(), brio::CancelledError);
}

TEST_CASE("thread pool: max_workers") {
  CHECK_THROWS_AS(ThreadPoolExecutor({.max_workers = 0}), brio::ValueError);
  CHECK_THROWS_AS(ThreadPoolExecutor({.max_workers = -1}), brio::ValueError);
  const ThreadPoolExecutor by_default;
  CHECK(by_default.max_workers() >= 5);
  CHECK(by_default.max_workers() <= 32);
}

TEST_CASE("thread pool: a thread is started only when none is idle") {
  ThreadPoolExecutor pool({.max_workers = 8});
  // One after the other. A worker completes a future just before it becomes idle, so a few threads
  // may be started, but never one for each job.
  std::set<std::string> names;
  Blocker first;
  Blocker second;
  const auto a = pool.submit([&] {
    first.block();
    return this_thread_name();
  });
  const auto b = pool.submit([&] {
    second.block();
    return this_thread_name();
  });
  first.wait_until_started();
  second.wait_until_started();  // both at once: two threads
  first.let_go();
  second.let_go();
  CHECK(a.result() != b.result());
  ThreadPoolExecutor narrow({.max_workers = 1});
  const auto id = narrow.submit([] { return std::this_thread::get_id(); }).result();
  for (int i = 0; i < 50; ++i)
    CHECK(narrow.submit([] { return std::this_thread::get_id(); }).result() == id);
}

TEST_CASE("thread pool: never more than max_workers at once, jobs in order") {
  ThreadPoolExecutor pool({.max_workers = 3});
  std::atomic<int> now{0};
  std::atomic<int> most{0};
  std::vector<concurrent::Future<void>> futures;
  for (int i = 0; i < 500; ++i)
    futures.push_back(pool.submit([&] {
      const int here = ++now;
      int seen = most.load();
      while (here > seen && !most.compare_exchange_weak(seen, here)) {
      }
      --now;
    }));
  concurrent::wait(futures);
  CHECK(most <= 3);
  CHECK(most >= 1);

  ThreadPoolExecutor single({.max_workers = 1});
  std::vector<int> order;  // touched by the one thread only
  for (int i = 0; i < 100; ++i) (void)single.submit([&order, i] { order.push_back(i); });
  single.shutdown();
  REQUIRE(order.size() == 100);
  for (int i = 0; i < 100; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
}

TEST_CASE("thread pool: threads have names") {
  ThreadPoolExecutor named({.max_workers = 1, .thread_name_prefix = "baker"});
  CHECK(named.submit(this_thread_name).result() == "baker_0");
  ThreadPoolExecutor longer({.max_workers = 1, .thread_name_prefix = "a prefix that is too long"});
  CHECK(longer.submit(this_thread_name).result() == "a prefix that_0");
  ThreadPoolExecutor unnamed({.max_workers = 1});
  CHECK(unnamed.submit(this_thread_name).result() == "ThreadPoolExe_0");
}

TEST_CASE("thread pool: the initializer runs once in each thread, before its first job") {
  std::atomic<int> initialized{0};
  thread_local int mark = 0;
  ThreadPoolExecutor pool({.max_workers = 2, .initializer = [&] {
                             mark = 7;
                             ++initialized;
                           }});
  Blocker first;
  Blocker second;
  const auto a = pool.submit([&] {
    first.block();
    return mark;
  });
  const auto b = pool.submit([&] {
    second.block();
    return mark;
  });
  first.wait_until_started();
  second.wait_until_started();
  first.let_go();
  second.let_go();
  CHECK(a.result() == 7);
  CHECK(b.result() == 7);
  CHECK(pool.submit([] { return mark; }).result() == 7);
  CHECK(initialized == 2);
}

TEST_CASE("thread pool: a failing initializer breaks the pool") {
  const exec_test::LogCapture log;
  ThreadPoolExecutor pool(
      {.max_workers = 2, .initializer = [] { throw std::runtime_error("no licence"); }});
  const auto future = pool.submit([] { return 1; });
  CHECK_THROWS_AS((void)future.result(), concurrent::BrokenThreadPool);
  CHECK_THROWS_AS((void)pool.submit([] {}), concurrent::BrokenExecutor);
  pool.shutdown();
  CHECK(exec_test::LogCapture::has("no licence"));
}

TEST_CASE("thread pool: shutdown finishes what was submitted and refuses more") {
  ThreadPoolExecutor pool({.max_workers = 1});
  std::atomic<int> done{0};
  for (int i = 0; i < 20; ++i) (void)pool.submit([&] { ++done; });
  CHECK(pool.shutdown());
  CHECK(done == 20);
  CHECK_THROWS_WITH_AS((void)pool.submit([] {}), "cannot schedule new futures after shutdown",
                       brio::RuntimeError);
  CHECK(pool.shutdown());  // a second time
  ThreadPoolExecutor unused;
  CHECK(unused.shutdown());
  CHECK_THROWS_AS((void)unused.submit([] {}), brio::RuntimeError);
}

TEST_CASE("thread pool: shutdown can cancel what has not begun") {
  Blocker blocker;
  ThreadPoolExecutor pool({.max_workers = 1});
  const auto running = pool.submit([&] {
    blocker.block();
    return 1;
  });
  blocker.wait_until_started();
  std::atomic<int> alive{0};
  const auto waiting = pool.submit([counted = Counted(alive)] { return 2; });
  CHECK(alive == 1);
  CHECK(pool.shutdown({.wait = false, .cancel_futures = true}));
  CHECK(waiting.cancelled());
  CHECK(alive == 0);  // its callable is gone with it
  CHECK_FALSE(running.done());
  // Cancelled ones count as done: nobody waits for a worker to notice.
  CHECK(concurrent::wait(std::vector{waiting}).done.size() == 1);
  blocker.let_go();
  CHECK(running.result() == 1);
  CHECK(pool.shutdown());
}

TEST_CASE("thread pool: shutdown waits no longer than it may") {
  Blocker blocker;
  ThreadPoolExecutor pool({.max_workers = 1});
  const auto running = pool.submit([&] { blocker.block(); });
  blocker.wait_until_started();
  CHECK_FALSE(pool.shutdown({.timeout = 0ms}));
  CHECK_FALSE(pool.shutdown({.timeout = -1s}));
  CHECK(pool.shutdown({.wait = false}));
  blocker.let_go();
  CHECK(pool.shutdown({.timeout = 1h}));
  CHECK(running.done());
}

TEST_CASE("thread pool: several threads shut it down at once") {
  for (int round = 0; round < 20; ++round) {
    ThreadPoolExecutor pool({.max_workers = 2});
    std::atomic<int> done{0};
    for (int i = 0; i < 4; ++i) (void)pool.submit([&] { ++done; });
    std::vector<std::thread> closers;
    for (int i = 0; i < 3; ++i)
      closers.emplace_back([&] {
        pool.shutdown();
        CHECK(done == 4);
      });
    for (auto& closer : closers) closer.join();
  }
}

TEST_CASE("thread pool: a job cannot wait for its own thread") {
  ThreadPoolExecutor pool({.max_workers = 1});
  const auto future = pool.submit([&] { pool.shutdown(); });
  CHECK_THROWS_WITH_AS(future.result(), "cannot join current thread", brio::RuntimeError);
}

TEST_CASE("thread pool: the executor may go in one of its own jobs") {
  auto pool = std::make_shared<ThreadPoolExecutor>(brio::ThreadPoolOptions{.max_workers = 1});
  const auto ended = pool->ended();
  std::latch handed_over{1};
  (void)pool->submit([pool, &handed_over]() mutable {
    handed_over.wait();
    pool.reset();
  });
  pool.reset();
  handed_over.count_down();
  ended.result();
}

TEST_CASE("thread pool: dropped without a wait, the threads finish on their own") {
  std::atomic<int> done{0};
  concurrent::Future<void> ended;
  Blocker blocker;
  {
    ThreadPoolExecutor pool({.max_workers = 1});
    (void)pool.submit([&] {
      blocker.block();
      ++done;
    });
    (void)pool.submit([&] { ++done; });
    ended = pool.ended();
    pool.shutdown({.wait = false});
  }
  CHECK_FALSE(ended.done());
  blocker.let_go();
  ended.result();
  CHECK(done == 2);
}

TEST_CASE("thread pool: pools left behind are joined by and by, also from a last callback") {
  for (int round = 0; round < 30; ++round) {
    concurrent::Future<void> ended;
    const auto made = concurrent::create_future<int>();
    {
      ThreadPoolExecutor pool({.max_workers = 2});
      (void)pool.submit([] {});
      ended = pool.ended();
      // In the thread that is about to end, which cannot join itself.
      ended.add_done_callback([made] {
        ThreadPoolExecutor other({.max_workers = 1});
        made.set_result(other.submit(twice, 3).result());
      });
      pool.shutdown({.wait = false});
    }
    ended.result();
    CHECK(made.result() == 6);
  }
}

TEST_CASE("thread pool: ended() of a pool without threads") {
  ThreadPoolExecutor pool;
  const auto before = pool.ended();
  CHECK_FALSE(before.done());
  pool.shutdown({.wait = false});
  CHECK(before.done());
  CHECK(pool.ended().done());
}

TEST_CASE("thread pool: moving hands the threads over") {
  ThreadPoolExecutor a({.max_workers = 1});
  const auto id = a.submit([] { return std::this_thread::get_id(); }).result();
  ThreadPoolExecutor b(std::move(a));
  CHECK(b.submit([] { return std::this_thread::get_id(); }).result() == id);
  ThreadPoolExecutor c;
  c = std::move(b);
  CHECK(c.submit([] { return std::this_thread::get_id(); }).result() == id);
  CHECK_THROWS_AS((void)b.submit([] {}), brio::RuntimeError);
  CHECK(b.shutdown());
}

TEST_CASE("thread pool: callable and arguments are gone before the result is known") {
  ThreadPoolExecutor pool({.max_workers = 1});
  std::atomic<int> alive{0};
  for (int i = 0; i < 100; ++i) {
    const auto future = pool.submit([counted = Counted(alive)](const Counted&) {}, Counted(alive));
    future.result();
    CHECK(alive == 0);
  }
  const auto failing = pool.submit([counted = Counted(alive)] { throw std::runtime_error("x"); });
  CHECK_THROWS(failing.result());
  CHECK(alive == 0);
}

TEST_CASE("thread pool: a cancelled job never runs and its callable is destroyed at once") {
  Blocker blocker;
  ThreadPoolExecutor pool({.max_workers = 1});
  (void)pool.submit([&] { blocker.block(); });
  blocker.wait_until_started();
  std::atomic<int> alive{0};
  bool ran = false;
  const auto future = pool.submit([&ran, counted = Counted(alive)] { ran = true; });
  CHECK(future.cancel());
  CHECK(alive == 0);
  blocker.let_go();
  pool.shutdown();
  CHECK_FALSE(ran);
}

TEST_CASE("thread pool: cancellations race with starts; a job runs or is cancelled, never both") {
  ThreadPoolExecutor pool({.max_workers = 2});
  std::atomic<int> ran{0};
  std::atomic<int> alive{0};
  int cancelled = 0;
  const int jobs = 2000;
  std::vector<concurrent::Future<void>> futures;
  for (int i = 0; i < jobs; ++i) {
    futures.push_back(pool.submit([&ran, counted = Counted(alive)] { ++ran; }));
    if (i % 3 == 0) futures.back().cancel();
    if (i % 5 == 4) futures[static_cast<std::size_t>(i) - 3].cancel();
  }
  concurrent::wait(futures);
  for (const auto& future : futures) cancelled += future.cancelled() ? 1 : 0;
  CHECK(ran + cancelled == jobs);
  CHECK(alive == 0);
}

TEST_CASE("thread pool: submitted from many threads") {
  ThreadPoolExecutor pool({.max_workers = 4});
  std::atomic<int> sum{0};
  std::vector<std::thread> clients;
  for (int t = 0; t < 4; ++t)
    clients.emplace_back([&] {
      for (int i = 0; i < 200; ++i) sum += pool.submit(twice, 1).result();
    });
  for (auto& client : clients) client.join();
  CHECK(sum == 4 * 200 * 2);
}

TEST_CASE("thread pool: someone else sets the result of a running job") {
  const exec_test::LogCapture log;
  Blocker blocker;
  ThreadPoolExecutor pool({.max_workers = 1});
  const auto future = pool.submit([&] {
    blocker.block();
    return 1;
  });
  blocker.wait_until_started();
  future.set_result(2);
  CHECK(future.result() == 2);
  blocker.let_go();
  pool.shutdown();
  CHECK(future.result() == 2);
  CHECK(exec_test::LogCapture::has("the outcome of a job was dropped"));
}

TEST_CASE("thread pool: a forked child has no threads of it, and says so") {
  Blocker blocker;
  ThreadPoolExecutor pool({.max_workers = 1});
  (void)pool.submit([&] { blocker.block(); });
  blocker.wait_until_started();
  const pid_t child = fork();
  if (child == 0) {
    int status = 1;
    try {
      (void)pool.submit([] {});
    } catch (const brio::RuntimeError&) {
      status = pool.shutdown() ? 0 : 2;
    }
#if !BRIO_SANITIZED  // the thread sanitizer refuses new threads after such a fork
    {
      ThreadPoolExecutor own({.max_workers = 1});
      if (own.submit(twice, 4).result() != 8) status = 3;
    }
#endif
    std::_Exit(status);
  }
  REQUIRE(child > 0);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  blocker.let_go();
}

TEST_CASE("thread pool: the process does not exit before its threads are done") {
  int pipe_ends[2];
  REQUIRE(pipe(pipe_ends) == 0);
  const pid_t child = fork();
  if (child == 0) {
    // Kept by nobody's destructor, as a default executor of a closed loop would be.
    static auto* const pool = new ThreadPoolExecutor({.max_workers = 1});
    static auto* const exiting = new std::latch(1);
    (void)pool->submit([out = pipe_ends[1]] {
      exiting->wait();
      [[maybe_unused]] const auto put = write(out, "x", 1);
    });
    std::atexit([] { exiting->count_down(); });  // runs before the pools are joined
    std::exit(0);
  }
  REQUIRE(child > 0);
  close(pipe_ends[1]);
  char byte = 0;
  CHECK(read(pipe_ends[0], &byte, 1) == 1);
  close(pipe_ends[0]);
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}

namespace {
/// An executor of a user's own: runs each job at once, in the caller's thread.
class InlineExecutor final : public brio::Executor {
public:
  int jobs = 0;

private:
  void submit_job(brio::Job job) override {
    ++jobs;
    job.run();
  }
  bool do_shutdown(const brio::ShutdownOptions&) override { return true; }
};
}  // namespace

TEST_CASE("an executor of one's own") {
  InlineExecutor here;
  CHECK(here.submit(twice, 4).result() == 8);
  const std::vector<int> numbers{1, 2, 3};
  int sum = 0;
  for (const int x : here.map(twice, numbers)) sum += x;
  CHECK(sum == 12);
  CHECK(here.jobs == 4);
  CHECK(here.shutdown());
}
