#include <brio/os/workers.hpp>

#include "../core/support.hpp"

#include <brio/brio.hpp>
#include <brio/net/streams.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <set>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;
using brio::Worker;

namespace {

/// What several workers write down.
class Notes {
public:
  void add(std::string line) {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
  }
  std::vector<std::string> sorted() {
    const std::lock_guard lock(mutex_);
    std::sort(lines_.begin(), lines_.end());
    return lines_;
  }

private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

using Lines = std::vector<std::string>;

bool contains(const Lines& lines, const std::string& text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

/// A port that nobody else gets while this lives: bound, not listening.
class ReservedPort {
public:
  ReservedPort() {
    const int on = 1;
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::setsockopt(fd_, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) == 0);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    number = ntohs(address.sin_port);
  }
  ReservedPort(const ReservedPort&) = delete;
  ReservedPort& operator=(const ReservedPort&) = delete;
  ~ReservedPort() { ::close(fd_); }
  int number = 0;

private:
  int fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

Coro<> until_cancelled() { co_await brio::create_future(); }

bool is_default(int number) {
  struct sigaction current{};
  sigaction(number, nullptr, &current);
  return current.sa_handler == SIG_DFL;
}

// The test framework has handlers of its own; they are taken only from the default.
struct DefaultSignals {
  DefaultSignals() {
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
  }
};

std::vector<int> usable_processors() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> all;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(i, &set)) all.push_back(i);
  }
  return all;
}

}  // namespace

TEST_CASE("workers: each has a loop, a thread and a name, and knows its place") {
  Notes notes;
  std::mutex mutex;
  std::set<const brio::EventLoop*> loops;
  std::set<std::thread::id> threads;
  std::atomic<int> here{0};
  brio::run_workers(3,
                    [&](Worker& worker) -> Coro<> {
                      char name[16] = {};
                      pthread_getname_np(pthread_self(), name, sizeof name);
                      notes.add(std::to_string(worker.index()) + " of " +
                                std::to_string(worker.count()) + " " + worker.name() + " " + name +
                                " " + brio::current_task().get_name() +
                                (brio::get_running_loop().get_debug() ? " debug" : ""));
                      {
                        const std::lock_guard lock(mutex);
                        loops.insert(&brio::get_running_loop());
                        threads.insert(std::this_thread::get_id());
                      }
                      if (++here == 3) worker.stop_all();
                      co_await worker.stopped();  // so that no two of them live one after the other
                    },
                    {.debug = false});
  CHECK(notes.sorted() == Lines{"0 of 3 brio-worker-0 brio-worker-0 brio-worker-0",
                                "1 of 3 brio-worker-1 brio-worker-1 brio-worker-1",
                                "2 of 3 brio-worker-2 brio-worker-2 brio-worker-2"});
  CHECK(loops.size() == 3);
  CHECK(threads.size() == 3);
  CHECK(threads.count(std::this_thread::get_id()) == 0);
}

TEST_CASE("workers: 0 means one for each usable processor") {
  std::atomic<int> started{0};
  brio::run_workers(0, [&](Worker& worker) -> Coro<> {
    ++started;
    CHECK(worker.count() == static_cast<int>(usable_processors().size()));
    co_return;
  });
  CHECK(started == static_cast<int>(usable_processors().size()));
}

TEST_CASE("workers: on request each is bound to a processor, in turn") {
  const std::vector<int> processors = usable_processors();
  const int n = static_cast<int>(processors.size()) + 1;
  std::vector<std::vector<int>> bound(static_cast<std::size_t>(n));
  brio::run_workers(n,
                    [&](Worker& worker) -> Coro<> {
                      bound[static_cast<std::size_t>(worker.index())] = usable_processors();
                      co_return;
                    },
                    {.pin_to_processors = true});
  for (std::size_t i = 0; i < bound.size(); ++i)
    CHECK(bound[i] == std::vector<int>{processors[i % processors.size()]});
  CHECK(usable_processors() == processors);
}

TEST_CASE("workers: misuse") {
  const auto nothing = [](Worker&) -> Coro<> { co_return; };
  CHECK_THROWS_AS(brio::run_workers(-1, nothing), brio::ValueError);
  brio::run([&]() -> Coro<> {
    CHECK_THROWS_WITH_AS(brio::run_workers(1, nothing),
                         "brio::run_workers() cannot be called from a running event loop",
                         brio::RuntimeError);
    co_return;
  });
}

TEST_CASE("workers: loop_factory makes every loop, in the worker's thread") {
  std::mutex mutex;
  std::set<std::thread::id> makers;
  Notes notes;
  brio::run_workers(
      2,
      [&](Worker& worker) -> Coro<> {
        const std::lock_guard lock(mutex);
        notes.add(worker.name() + (makers.count(std::this_thread::get_id()) ? " own" : " other"));
        co_return;
      },
      {.loop_factory = [&] {
        const std::lock_guard lock(mutex);
        makers.insert(std::this_thread::get_id());
        return brio::new_event_loop();
      }});
  CHECK(notes.sorted() == Lines{"brio-worker-0 own", "brio-worker-1 own"});
}

// ---- serving

TEST_CASE("workers: they share a port, and a graceful stop finishes what is in flight") {
  constexpr int n = 4;
  const ReservedPort port;
  std::atomic<int> listening{0};
  std::atomic<int> closed{0};
  std::set<std::string> answered;
  std::string last;
  int refused = 0;

  // Opens connections until two workers have answered; the kernel deals them out by their ports.
  const auto client = [&](Worker& worker) -> Coro<> {
    auto [reader, writer] = co_await brio::open_connection("127.0.0.1", port.number);
    writer.write("who\n");
    answered.insert(co_await reader.readline());
    for (int i = 0; i < 1000 && answered.size() < 2; ++i) {
      auto [r, w] = co_await brio::open_connection("127.0.0.1", port.number);
      w.write("who\n");
      answered.insert(co_await r.readline());
      w.close();
      co_await w.wait_closed();
    }
    writer.write("half a requ");
    worker.stop_all();
    co_await worker.stopped();
    while (closed < n) co_await brio::yield_now();  // nobody listens any more
    try {
      (void)co_await brio::open_connection("127.0.0.1", port.number);
    } catch (const brio::ConnectionRefusedError&) {
      ++refused;
    }
    writer.write("est\n");
    last = co_await reader.readline();
    writer.close();
    co_await writer.wait_closed();
  };

  brio::run_workers(n, [&](Worker& worker) -> Coro<> {
    const auto handler = [&worker](brio::StreamReader r, brio::StreamWriter w) -> Coro<> {
      while (auto line = co_await r.next()) {
        w.write(worker.name() + ": " + *line);
        co_await w.drain();
      }
      w.close();
    };
    auto server =
        co_await brio::start_server(handler, "127.0.0.1", port.number, {.reuse_port = true});
    brio::Task<void> running;
    if (++listening == n) running = brio::create_task(client, std::ref(worker));
    co_await worker.stopped();
    CHECK(worker.stopping());
    server->close();
    ++closed;
    co_await server->wait_closed();
    if (running) co_await running;
  });
  CHECK(answered.size() >= 2);
  CHECK(refused == 1);
  CHECK(last.find(": half a request\n") != std::string::npos);
}

// ---- errors

TEST_CASE("workers: an error in one stops the others, is logged, and thrown") {
  const support::CapturedLog log;
  Notes notes;
  CHECK_THROWS_WITH_AS(brio::run_workers(3,
                                         [&](Worker& worker) -> Coro<> {
                                           if (worker.index() == 1)
                                             throw std::runtime_error("broken");
                                           co_await worker.stopped();
                                           notes.add(worker.name() + " stopped");
                                         }),
                       "broken", std::runtime_error);
  CHECK(notes.sorted() == Lines{"brio-worker-0 stopped", "brio-worker-2 stopped"});
  const Lines lines = support::CapturedLog::take();
  CHECK(lines.size() == 1);
  CHECK(contains(lines, "brio-worker-1 failed"));
  CHECK(contains(lines, "std::runtime_error: broken"));
}

TEST_CASE("workers: several errors come as a group") {
  const support::CapturedLog log;
  std::multiset<std::string> texts;
  try {
    brio::run_workers(3, [](Worker& worker) -> Coro<> {
      if (worker.index() == 0) throw std::runtime_error("first");
      co_await worker.stopped();
      if (worker.index() == 1) throw brio::ValueError("on the way out");
    });
  } catch (const brio::ExceptionGroup& group) {
    CHECK(group.message() == "unhandled errors in workers");
    for (const auto& error : group.exceptions()) texts.insert(brio::describe(error));
  }
  CHECK(texts == std::multiset<std::string>{"first", "on the way out"});
}

TEST_CASE("workers: on request an error is only logged, and the others go on") {
  const support::CapturedLog log;
  std::atomic<bool> went_on{false};
  brio::run_workers(2,
                    [&](Worker& worker) -> Coro<> {
                      if (worker.index() == 0) throw std::runtime_error("alone");
                      while (!contains(support::CapturedLog::peek(), "brio-worker-0 failed"))
                        co_await brio::yield_now();
                      for (int i = 0; i < 100; ++i) co_await brio::yield_now();
                      went_on = !worker.stopping();
                    },
                    {.on_error = brio::OnWorkerError::report});
  CHECK(went_on);
}

TEST_CASE("workers: SystemExit stops all in either way, and comes alone") {
  for (const auto on_error : {brio::OnWorkerError::stop_all, brio::OnWorkerError::report}) {
    const support::CapturedLog log;
    int code = 0;
    try {
      brio::run_workers(2,
                        [](Worker& worker) -> Coro<> {
                          if (worker.index() == 0) throw brio::SystemExit(4);
                          co_await worker.stopped();
                          throw std::runtime_error("as well");
                        },
                        {.on_error = on_error});
    } catch (const brio::SystemExit& e) {
      code = e.code();
    }
    CHECK(code == 4);
  }
}

TEST_CASE("workers: a factory or a loop_factory that throws is an error of its worker") {
  const support::CapturedLog log;
  const auto refuses = [](Worker&) -> Coro<> {
    throw brio::ValueError("no coroutine");
    return Coro<>();
  };
  CHECK_THROWS_WITH_AS(brio::run_workers(1, refuses), "no coroutine", brio::ValueError);
  const auto nothing = [](Worker&) -> Coro<> { co_return; };
  CHECK_THROWS_WITH_AS(brio::run_workers(1, nothing, {.loop_factory = []() -> brio::LoopPtr {
                                           throw brio::ValueError("no loop");
                                         }}),
                       "no loop", brio::ValueError);
}

TEST_CASE("workers: one that ends, or cancels itself, leaves the others alone") {
  std::atomic<int> ended{0};
  brio::run_workers(3, [&](Worker& worker) -> Coro<> {
    if (worker.index() == 1) {
      ++ended;
      co_return;
    }
    if (worker.index() == 2) {
      ++ended;
      brio::current_task().cancel();
      co_await brio::sleep(1h);
    }
    while (ended < 2) co_await brio::yield_now();
    CHECK(!worker.stopping());
    ++ended;
  });
  CHECK(ended == 3);
}

// ---- stopping

TEST_CASE("workers: after the graceful timeout they are cancelled") {
  const support::CapturedLog log;
  std::atomic<int> cancelled{0};
  brio::run_workers(2,
                    [&](Worker& worker) -> Coro<> {
                      if (worker.index() == 0) worker.stop_all();
                      const auto outcome = co_await brio::as_outcome(until_cancelled());
                      if (outcome.cancelled() && worker.stopping()) ++cancelled;
                      outcome.raise();
                    },
                    {.graceful_timeout = 1ms});
  CHECK(cancelled == 2);
  CHECK(contains(support::CapturedLog::take(),
                 "brio-worker-0, brio-worker-1 did not end in time and will be cancelled"));
}

TEST_CASE("workers: who does not end after the cancellation is reported, with its tasks") {
  const support::CapturedLog log;
  // Hangs until the report has been written: by the worker's own loop, so that it can wait for it.
  const auto stubborn = [](Worker* worker) -> Coro<> {
    (void)co_await brio::as_outcome(until_cancelled());
    while (!contains(support::CapturedLog::peek(), worker->name() + " has these tasks left"))
      co_await brio::yield_now();
  };
  std::string hanging = "brio-worker-0";
  SUBCASE("its main coroutine") {
    brio::run_workers(1,
                      [&](Worker& worker) -> Coro<> {
                        worker.stop_all();
                        co_await stubborn(&worker);
                      },
                      {.graceful_timeout = 0ms, .cancel_timeout = 1ms});
  }
  SUBCASE("what its main coroutine has left behind") {
    hanging = "brio-worker-1";
    brio::run_workers(2,
                      [&](Worker& worker) -> Coro<> {
                        if (worker.index() == 0) co_return;
                        brio::create_task(brio::TaskOptions{.name = "leftover"}, stubborn, &worker);
                        worker.stop_all();
                        co_await worker.stopped();
                      },
                      {.graceful_timeout = 0ms, .cancel_timeout = 1ms});
    CHECK(contains(support::CapturedLog::peek(), "name='leftover'"));
  }
  const Lines lines = support::CapturedLog::take();
  CHECK(contains(lines, hanging + " hangs"));
  CHECK(contains(lines, hanging + " has these tasks left:\n<Task cancelling"));
  CHECK(contains(lines, "test_workers.cpp:"));
}

TEST_CASE("workers: stop_all from any thread, before the others run") {
  brio::run_workers(4, [](Worker& worker) -> Coro<> {
    if (worker.index() == 0) std::thread([&] { worker.stop_all(); }).join();
    co_await worker.stopped();
    worker.stop_all();
  });
}

TEST_CASE("workers: a stop may meet ends, beginnings and another stop") {
  for (int round = 0; round < 30; ++round) {
    std::atomic<int> ended{0};
    brio::run_workers(4, [&](Worker& worker) -> Coro<> {
      if (worker.index() % 2 == 0) worker.stop_all();
      ++ended;
      co_return;
    });
    CHECK(ended == 4);
  }
}

// ---- signals

TEST_CASE_FIXTURE(DefaultSignals, "workers: SIGINT and SIGTERM stop them, and are given back") {
  for (const int number : {SIGINT, SIGTERM}) {
    std::atomic<int> stopped{0};
    brio::run_workers(2, [&](Worker& worker) -> Coro<> {
      if (worker.index() == 0) kill(getpid(), number);
      co_await worker.stopped();
      ++stopped;
    });
    CHECK(stopped == 2);
    CHECK(is_default(SIGINT));
    CHECK(is_default(SIGTERM));
  }
}

TEST_CASE_FIXTURE(DefaultSignals, "workers: a second signal cancels at once") {
  std::atomic<int> cancelled{0};
  brio::run_workers(2, [&](Worker& worker) -> Coro<> {
    if (worker.index() == 0) {
      kill(getpid(), SIGTERM);
      co_await worker.stopped();
      kill(getpid(), SIGINT);
    }
    const auto outcome = co_await brio::as_outcome(until_cancelled());
    if (outcome.cancelled()) ++cancelled;
    outcome.raise();
  });
  CHECK(cancelled == 2);
  CHECK(is_default(SIGTERM));
}

TEST_CASE("workers: a third signal has its default action") {
  const support::Child child([] {
    brio::run_workers(1, [](Worker& worker) -> Coro<> {
      kill(getpid(), SIGTERM);
      co_await worker.stopped();
      kill(getpid(), SIGTERM);
      (void)co_await brio::as_outcome(until_cancelled());
      kill(getpid(), SIGTERM);
      co_await until_cancelled();
    });
  });
  CHECK(child.wait().signal == SIGTERM);
}

TEST_CASE("workers: a program that is terminated ends in order") {
  const support::Child child([] {
    brio::run_workers(2, [](Worker& worker) -> Coro<> {
      if (worker.index() == 1) kill(getpid(), SIGTERM);
      co_await worker.stopped();
    });
    std::fputs("ended", stderr);
  });
  const support::Ended ended = child.wait();
  CHECK(ended.code == 0);
  CHECK(ended.error == "ended");
}

TEST_CASE_FIXTURE(DefaultSignals, "workers: signals that are not theirs to take stay as they are") {
  std::atomic<int> untouched{0};
  const auto look = [&](Worker&) -> Coro<> {
    if (is_default(SIGINT) && is_default(SIGTERM)) ++untouched;
    co_return;
  };
  brio::run_workers(1, look, {.handle_signals = false});
  std::thread([&] { brio::run_workers(1, look); }).join();  // not the main thread
  CHECK(untouched == 2);

  std::signal(SIGTERM, SIG_IGN);
  std::atomic<bool> ours{false};
  brio::run_workers(1, [&](Worker&) -> Coro<> {
    struct sigaction current{};
    sigaction(SIGTERM, nullptr, &current);
    ours = current.sa_handler == SIG_IGN && !is_default(SIGINT);
    co_return;
  });
  CHECK(ours);
}
