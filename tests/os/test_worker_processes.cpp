#include <brio/os/worker_processes.hpp>

#include "../core/support.hpp"
#include "support.hpp"

#include <brio/brio.hpp>
#include <brio/net/streams.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <future>
#include <new>
#include <string>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using brio::Coro;
using brio::Worker;
using brio::tests::NothingLeft;

namespace {

/// Memory that forked processes share.
template <class T>
class Shared {
public:
  Shared()
      : object_(new(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                           -1, 0)) T()) {}
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(object_, sizeof(T)); }
  T* operator->() const noexcept { return object_; }
  T& operator*() const noexcept { return *object_; }

private:
  T* object_;
};

struct Counts {
  std::atomic<int> started{0};
  std::atomic<int> stopped{0};
  std::atomic<int> cancelled{0};
  std::atomic<int> ready{0};
  std::atomic<int> pid[4]{};
};

// The test framework has handlers of its own; they are taken only from the default. No signal may
// stay blocked either.
struct DefaultSignals {
  static constexpr int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGTTIN, SIGTTOU};
  DefaultSignals() {
    for (const int number : numbers) std::signal(number, SIG_DFL);
  }
  DefaultSignals(const DefaultSignals&) = delete;
  DefaultSignals& operator=(const DefaultSignals&) = delete;
  ~DefaultSignals() {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    for (const int number : numbers) {
      struct sigaction current{};
      sigaction(number, nullptr, &current);
      CHECK((current.sa_handler == SIG_DFL));
      CHECK(sigismember(&mask, number) == 0);
    }
  }
};

Coro<> until_cancelled() { co_await brio::create_future(); }

/// Waits for what other processes do: they cannot wake this one's loop.
Coro<> until(auto condition) {
  while (!condition()) co_await brio::yield_now();
}

bool contains(const std::vector<std::string>& lines, const std::string& text) {
  return std::any_of(lines.begin(), lines.end(),
                     [&](const std::string& line) { return line.find(text) != std::string::npos; });
}

/// How many descriptors of this process name something that begins with `kind`.
int descriptors(const std::string& kind) {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code error;  // the iterator's own is gone by then
    if (std::filesystem::read_symlink(entry.path(), error).string().starts_with(kind)) ++count;
  }
  return count;
}

/// Counts the log's lines with a text, in the processes that are forked as well.
class CountedLog {
public:
  CountedLog(std::string text, std::atomic<int>& count) {
    text_ = std::move(text);
    count_ = &count;
    before_ = brio::set_log_hook([](const brio::LogRecord& record) {
      if (record.message.find(text_) != std::string_view::npos) ++*count_;
    });
  }
  CountedLog(const CountedLog&) = delete;
  CountedLog& operator=(const CountedLog&) = delete;
  ~CountedLog() { brio::set_log_hook(before_); }

private:
  static inline std::string text_;
  static inline std::atomic<int>* count_ = nullptr;
  brio::LogHook before_ = nullptr;
};

}  // namespace

TEST_CASE_FIXTURE(DefaultSignals,
                  "worker processes: each is a process, and they end by themselves") {
  const NothingLeft nothing_left;
  const Shared<Counts> shared;
  brio::run_worker_processes(3, [&](Worker& worker) -> Coro<> {
    ++shared->started;
    if (worker.count() == 3) shared->pid[worker.index()] = getpid();
    co_return;
  });
  CHECK(shared->started == 3);
  for (const int i : {0, 1, 2}) CHECK(shared->pid[i] > 0);
  CHECK(shared->pid[0] != shared->pid[1]);
  CHECK(shared->pid[0] != getpid());
}

TEST_CASE("worker processes: misuse") {
  const auto nothing = [](Worker&) -> Coro<> { co_return; };
  CHECK_THROWS_AS(brio::run_worker_processes(-1, nothing), brio::ValueError);
  brio::run([&]() -> Coro<> {
    CHECK_THROWS_AS(brio::run_worker_processes(1, nothing), brio::RuntimeError);
    co_return;
  });
  std::promise<void> end;
  std::thread other([&] { end.get_future().wait(); });
  CHECK_THROWS_WITH_AS(
      brio::run_worker_processes(1, nothing),
      "brio::run_worker_processes() must be called before the program has other threads: it forks, "
      "and 1 would be missing in the workers",
      brio::RuntimeError);
  end.set_value();
  other.join();
  brio::run_worker_processes(1, nothing);
}

TEST_CASE_FIXTURE(DefaultSignals,
                  "worker processes: a worker has none of its parent's descriptors") {
  const NothingLeft nothing_left;
  const Shared<Counts> shared;
  const int sockets = descriptors("socket:");
  brio::run_worker_processes(3, [&](Worker& worker) -> Coro<> {
    if (worker.index() == 2) {  // the others have been forked before
      shared->pid[0] = descriptors("socket:") - sockets;
      shared->pid[1] = descriptors("anon_inode:[pidfd]");
      shared->pid[2] = descriptors("anon_inode:[signalfd]");
    }
    co_return;
  });
  CHECK(shared->pid[0] == 1);  // its channel
  CHECK(shared->pid[1] == 0);
  CHECK(shared->pid[2] == 0);
}

// ---- dying

TEST_CASE_FIXTURE(DefaultSignals, "worker processes: one that dies is reported and replaced") {
  const NothingLeft nothing_left;
  const support::CapturedLog log;
  const Shared<Counts> shared;
  std::string report;
  int how = 0;
  SUBCASE("by a signal") {
    how = 1;
    report = "was killed by signal 9 (Killed)";
  }
  SUBCASE("by an error") {
    how = 2;
    report = "ended with exit code 1";
  }
  SUBCASE("by SystemExit") {
    how = 3;
    report = "ended with exit code 7";
  }
  brio::run_worker_processes(2,
                             [&](Worker& worker) -> Coro<> {
                               if (worker.index() == 1) {
                                 if (++shared->started == 1) {
                                   if (how == 1) std::raise(SIGKILL);
                                   if (how == 2) throw brio::ValueError("broken");
                                   throw brio::SystemExit(7);
                                 }
                                 worker.stop_all();
                               }
                               co_await worker.stopped();
                               ++shared->stopped;
                             },
                             {.restart_delay = 0ms});
  CHECK(shared->started == 2);
  CHECK(shared->stopped == 2);
  const auto lines = support::CapturedLog::take();
  CHECK(contains(lines, "brio-worker-1 (pid "));
  CHECK(contains(lines, report));
}

TEST_CASE_FIXTURE(DefaultSignals, "worker processes: SIGTERM and SIGINT stop them gracefully") {
  const NothingLeft nothing_left;
  for (const int number : {SIGTERM, SIGINT}) {
    const Shared<Counts> shared;
    brio::run_worker_processes(2, [&](Worker& worker) -> Coro<> {
      if (worker.index() == 0) {
        raise(SIGINT);  // a terminal's, which comes to all of them
        kill(getppid(), number);
      }
      co_await worker.stopped();
      if (worker.stopping()) ++shared->stopped;
    });
    CHECK(shared->stopped == 2);
  }
}

TEST_CASE_FIXTURE(DefaultSignals, "worker processes: a second signal cancels them") {
  const NothingLeft nothing_left;
  const support::CapturedLog log;
  const Shared<Counts> shared;
  brio::run_worker_processes(2, [&](Worker& worker) -> Coro<> {
    if (worker.index() == 0) {
      kill(getppid(), SIGTERM);
      co_await worker.stopped();
      kill(getppid(), SIGTERM);
    }
    const auto outcome = co_await brio::as_outcome(until_cancelled());
    if (outcome.cancelled()) ++shared->cancelled;
    outcome.raise();
  });
  CHECK(shared->cancelled == 2);
  CHECK(support::CapturedLog::take().empty());
}

TEST_CASE_FIXTURE(DefaultSignals,
                  "worker processes: what does not stop is cancelled, then killed") {
  const NothingLeft nothing_left;
  const support::CapturedLog log;
  const Shared<Counts> shared;
  const auto waits = [&](Worker& worker) -> Coro<> {
    worker.stop_all();
    if ((co_await brio::as_outcome(until_cancelled())).cancelled()) ++shared->cancelled;
  };
  brio::run_worker_processes(2, waits, {.graceful_timeout = 1ms, .cancel_timeout = std::nullopt});
  CHECK(shared->cancelled == 2);
  CHECK(contains(support::CapturedLog::take(), "did not end in time: cancelled"));

  const auto stubborn = [](Worker& worker) -> Coro<> {
    worker.stop_all();
    while (true) (void)co_await brio::as_outcome(until_cancelled());
  };
  brio::run_worker_processes(1, stubborn, {.graceful_timeout = 0ms, .cancel_timeout = 1ms});
  CHECK(
      contains(support::CapturedLog::take(), "hangs: it was cancelled and has not ended; killed"));
}

TEST_CASE_FIXTURE(DefaultSignals,
                  "worker processes: SIGTERM to one alone stops that one, and another takes over") {
  const NothingLeft nothing_left;
  const support::CapturedLog log;
  const Shared<Counts> shared;
  brio::run_worker_processes(1,
                             [&](Worker& worker) -> Coro<> {
                               if (++shared->started == 1) {
                                 kill(getpid(), SIGTERM);
                                 co_await worker.stopped();
                                 ++shared->stopped;
                                 kill(getpid(), SIGTERM);
                                 const auto end = co_await brio::as_outcome(until_cancelled());
                                 if (end.cancelled()) ++shared->cancelled;
                               } else if (!worker.stopping()) {
                                 worker.stop_all();
                                 co_await worker.stopped();
                                 ++shared->stopped;
                               }
                             },
                             {.restart_delay = 0ms});
  CHECK(shared->started == 2);
  CHECK(shared->stopped == 2);
  CHECK(shared->cancelled == 1);
  CHECK(support::CapturedLog::take().empty());
}

TEST_CASE("worker processes: a third signal kills the parent, and the workers notice") {
  const Shared<Counts> shared;
  const support::Child child([&] {
    brio::run_worker_processes(1, [&](Worker& worker) -> Coro<> {
      const int supervisor = getppid();
      kill(supervisor, SIGTERM);
      co_await worker.stopped();
      kill(supervisor, SIGTERM);
      if ((co_await brio::as_outcome(until_cancelled())).cancelled()) ++shared->cancelled;
      kill(supervisor, SIGTERM);
      co_await until([&] { return getppid() != supervisor; });
      ++shared->stopped;
    });
  });
  CHECK(child.wait().signal == SIGTERM);  // and the worker has closed what it inherited
  CHECK(shared->cancelled == 1);
  CHECK(shared->stopped == 1);
}

TEST_CASE("worker processes: they stop when their parent is killed") {
  const Shared<Counts> shared;
  const support::Child child([&] {
    brio::run_worker_processes(2, [&](Worker& worker) -> Coro<> {
      if (++shared->started == 2) kill(getppid(), SIGKILL);
      co_await worker.stopped();
      ++shared->stopped;
    });
  });
  CHECK(child.wait().signal == SIGKILL);  // and the workers have closed what they inherited
  CHECK(shared->stopped == 2);
}

TEST_CASE("worker processes: when their parent is killed the stubborn are cancelled, and ended") {
  const Shared<Counts> shared;
  const support::Child child([&] {
    brio::run_worker_processes(1,
                               [&](Worker&) -> Coro<> {
                                 kill(getppid(), SIGKILL);
                                 while (true) {
                                   (void)co_await brio::as_outcome(until_cancelled());
                                   ++shared->cancelled;
                                 }
                               },
                               {.graceful_timeout = 1ms, .cancel_timeout = 1ms});
  });
  const support::Ended ended = child.wait();
  CHECK(ended.signal == SIGKILL);
  CHECK(ended.error.find("it ends now, as its supervisor is gone") != std::string::npos);
  CHECK(shared->cancelled == 1);
}

TEST_CASE("worker processes: when their parent is killed, those whose loop is blocked end, too") {
  const Shared<Counts> shared;
  const support::Child child([&] {
    brio::run_worker_processes(2,
                               [&](Worker&) -> Coro<> {
                                 if (++shared->started == 2) kill(getppid(), SIGKILL);
                                 while (true) pause();
                                 co_return;
                               },
                               {.graceful_timeout = 1ms, .cancel_timeout = 1ms});
  });
  const support::Ended ended = child.wait();
  CHECK(ended.signal == SIGKILL);
  for (const char* const name : {"brio-worker-0", "brio-worker-1"}) {
    const std::string words =
        " hangs: its loop is blocked; it ends now, as its supervisor is gone\n";
    CHECK(ended.error.find(name + words) != std::string::npos);
  }
}

TEST_CASE_FIXTURE(DefaultSignals,
                  "worker processes: what dies at once is started ever more seldom") {
  const NothingLeft nothing_left;
  const support::CapturedLog log;
  const Shared<Counts> shared;
  const auto begin = std::chrono::steady_clock::now();
  brio::run_worker_processes(1,
                             [&](Worker&) -> Coro<> {
                               if (++shared->started <= 5) throw brio::SystemExit(9);
                               co_return;
                             },
                             {.restart_delay = 1ms, .max_restart_delay = 1h});
  CHECK(shared->started == 6);
  CHECK(std::chrono::steady_clock::now() - begin >= 1ms + 2ms + 4ms + 8ms + 16ms);
}

TEST_CASE_FIXTURE(DefaultSignals, "worker processes: more by SIGTTIN, fewer by SIGTTOU") {
  const NothingLeft nothing_left;
  const support::CapturedLog log;
  const Shared<Counts> shared;
  brio::run_worker_processes(1, [&](Worker& worker) -> Coro<> {
    ++shared->started;
    if (worker.index() == 0) {
      kill(getppid(), SIGTTIN);
      co_await until([&] { return shared->started == 2; });
      kill(getppid(), SIGTTOU);
      co_await until([&] { return shared->stopped == 1; });
      kill(getppid(), SIGTTOU);  // never the last one
      kill(getppid(), SIGTTIN);
      co_await until([&] { return shared->started == 3; });
      if (worker.stopping()) ++shared->cancelled;
      worker.stop_all();
    }
    shared->pid[worker.index()] = worker.count();
    co_await worker.stopped();
    ++shared->stopped;
  });
  CHECK(shared->started == 3);
  CHECK(shared->stopped == 3);
  CHECK(shared->cancelled == 0);
  CHECK(shared->pid[0] == 1);
  CHECK(shared->pid[1] == 2);
  CHECK(support::CapturedLog::take().empty());
}

// ---- replacing

TEST_CASE_FIXTURE(
    DefaultSignals,
    "worker processes: SIGHUP replaces each, and the old one goes when the new is ready") {
  const NothingLeft nothing_left;
  const support::CapturedLog log;
  const Shared<Counts> shared;
  brio::run_worker_processes(2, [&](Worker& worker) -> Coro<> {
    const int number = ++shared->started;
    const bool old = number <= 2;
    if (number == 2) kill(getppid(), SIGHUP);
    if (!old) {
      ++shared->ready;
      co_await until([&] { return shared->ready >= 2; });  // nobody has been stopped so far
      worker.ready();
      co_await until([&] { return shared->stopped >= 2; });
      worker.stop_all();
    }
    co_await worker.stopped();
    if (shared->ready == 2) ++shared->stopped;
  });
  CHECK(shared->started == 4);
  CHECK(shared->stopped == 4);
  CHECK(support::CapturedLog::take().empty());
}

TEST_CASE_FIXTURE(
    DefaultSignals,
    "worker processes: when a replacement dies before it is ready the old one goes on") {
  const NothingLeft nothing_left;
  const Shared<Counts> shared;
  const CountedLog log("was to replace one that goes on", shared->ready);
  brio::run_worker_processes(1, [&](Worker& worker) -> Coro<> {
    const int number = ++shared->started;
    if (number == 2) throw brio::SystemExit(3);
    if (number == 3) worker.ready();
    if (number == 1) {
      kill(getppid(), SIGHUP);
      co_await until([&] { return shared->ready > 0; });
      if (!worker.stopping()) kill(getppid(), SIGHUP);
    }
    co_await worker.stopped();
    ++shared->stopped;
    if (number == 1) worker.stop_all();
  });
  CHECK(shared->started == 3);
  CHECK(shared->stopped == 2);
}

TEST_CASE_FIXTURE(DefaultSignals,
                  "worker processes: a replacement that is not ready in time has to go") {
  const NothingLeft nothing_left;
  const Shared<Counts> shared;
  const CountedLog log("was not ready in time", shared->ready);
  brio::run_worker_processes(1,
                             [&](Worker& worker) -> Coro<> {
                               if (++shared->started == 1) {
                                 kill(getppid(), SIGHUP);
                                 co_await until([&] { return shared->stopped > 0; });
                                 if (!worker.stopping()) worker.stop_all();
                               }
                               co_await worker.stopped();
                               ++shared->stopped;
                             },
                             {.ready_timeout = 1ms});
  CHECK(shared->started == 2);
  CHECK(shared->stopped == 2);
  CHECK(shared->ready == 1);
}

TEST_CASE_FIXTURE(DefaultSignals,
                  "worker processes: SIGHUP during a replacement means one more after it") {
  const NothingLeft nothing_left;
  const support::CapturedLog log;
  const Shared<Counts> shared;
  brio::run_worker_processes(1, [&](Worker& worker) -> Coro<> {
    const int number = ++shared->started;
    if (number == 1) kill(getppid(), SIGHUP);
    if (number == 2) {
      kill(getppid(), SIGHUP);
      // Whichever of the two is taken first: started before the signal, this one is not enough.
      worker.ready();
    }
    if (number == 3) {
      worker.ready();
      co_await until([&] { return shared->stopped == 2; });
      worker.stop_all();
    }
    co_await worker.stopped();
    ++shared->stopped;
  });
  CHECK(shared->started == 3);
  CHECK(shared->stopped == 3);
  CHECK(support::CapturedLog::take().empty());
}

TEST_CASE_FIXTURE(DefaultSignals,
                  "worker processes: no client is refused or lost while all change") {
  const NothingLeft nothing_left;
  const support::CapturedLog log;
  const Shared<Counts> shared;
  brio::net::Socket sock = brio::net::bound_socket(brio::net::SocketAddress::ip("127.0.0.1", 0));
  sock.listen(100);
  const int port = sock.getsockname().port();

  const auto serve = [&](Worker& worker) -> Coro<> {
    const auto handler = [](brio::StreamReader r, brio::StreamWriter w) -> Coro<> {
      w.write(co_await r.readline());
      co_await w.drain();
      w.close();
    };
    auto server = co_await brio::start_server(handler, sock.dup());
    worker.ready();
    ++shared->ready;
    co_await worker.stopped();
    server->close();
    co_await server->wait_closed();
    ++shared->stopped;
  };
  const auto ask = [&]() -> Coro<> {
    auto [reader, writer] = co_await brio::open_connection("127.0.0.1", port);
    writer.write("hello\n");
    const std::string answer = co_await reader.readline();
    writer.close();
    co_await writer.wait_closed();
    if (answer != "hello\n") throw brio::RuntimeError("no answer");
  };
  // Connects all the time, a few at once, while the workers are replaced twice, more, and fewer.
  const auto client = [&]() -> Coro<> {
    const auto ask_until = [&](int stopped, int ready) -> Coro<> {
      while (shared->stopped < stopped || shared->ready < ready)
        co_await brio::gather(ask(), ask(), ask(), ask());
    };
    co_await ask_until(0, 2);
    kill(getppid(), SIGHUP);
    co_await ask_until(2, 4);
    kill(getppid(), SIGTTIN);
    co_await ask_until(2, 5);
    kill(getppid(), SIGHUP);
    co_await ask_until(5, 8);
    kill(getppid(), SIGTTOU);
    co_await ask_until(6, 8);
  };
  const support::Child clients([&] {
    const int supervisor = getppid();
    brio::run(client());
    kill(supervisor, SIGTERM);
  });
  brio::run_worker_processes(2, serve);
  const support::Ended ended = clients.wait();
  CHECK(ended.code == 0);
  CHECK(ended.error.empty());
  CHECK(shared->ready == 8);
  CHECK(shared->stopped == 8);
  CHECK(support::CapturedLog::take().empty());
}
