// Workers that die, pools that break, and what is left behind.
#include "process_helpers.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

using brio::ProcessPoolExecutor;
using brio::StartMethod;
using brio::concurrent::BrokenProcessPool;
using exec_test::both_methods;
using exec_test::Gate;

namespace {

int square(int x) { return x * x; }

// No core files, and no report of a sanitizer: the death is meant.
void die_by(int number) {
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  std::signal(number, SIG_DFL);
  ::raise(number);
}

template <class T>
std::string error_of(const brio::concurrent::Future<T>& future) {
  try {
    future.result();
  } catch (const BrokenProcessPool& error) {
    return error.what();
  }
  return "no BrokenProcessPool";
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  DIR* const directory = ::opendir("/proc/self/fd");
  while (::readdir(directory)) ++count;
  ::closedir(directory);
  return count;
}

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 || errno != ECHILD;
}

}  // namespace

TEST_CASE("process pool: a killed worker fails its call, and no other that has begun") {
  for (const StartMethod method : both_methods) {
    ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
    auto done = pool.submit(square, 3);
    CHECK(done.result() == 9);
    Gate doomed;
    Gate other;
    auto lost = pool.submit(exec_test::pass_gate, doomed.arguments());
    const pid_t pid = doomed.wait_until_reached();
    auto kept = pool.submit(exec_test::pass_gate, other.arguments());
    const pid_t second = other.wait_until_reached();
    auto queued = pool.submit(square, 4);

    ::kill(pid, SIGKILL);
    const std::string text = error_of(lost);
    CHECK(has(text, "was terminated abruptly while the future was running"));
    CHECK(has(text, "worker process " + std::to_string(pid) + " was killed by signal 9 (Killed)"));
    CHECK(has(error_of(queued), "was killed by signal 9"));
    CHECK_THROWS_AS(pool.submit(square, 1), BrokenProcessPool);
    CHECK_FALSE(kept.done());

    other.open();
    CHECK(kept.result() == second);
    CHECK(done.result() == 9);
    CHECK_THROWS_AS(pool.submit(square, 1), BrokenProcessPool);
    CHECK(pool.shutdown());
    CHECK_THROWS_AS(pool.submit(square, 1), brio::RuntimeError);
  }
}

TEST_CASE("process pool: the error says how the worker died") {
  for (const StartMethod method : both_methods) {
    const auto text = [&](auto function, int argument) {
      ProcessPoolExecutor pool({.max_workers = 1, .start_method = method});
      return error_of(pool.submit(function, argument));
    };
    CHECK(has(text(&die_by, SIGABRT), "was killed by signal 6 (Aborted)"));
    CHECK(has(text(&die_by, SIGSEGV), "was killed by signal 11 (Segmentation fault)"));
    CHECK(has(text([](int status) { ::_exit(status); }, 7), "exited with status 7"));
    CHECK(has(text([](int status) { ::_exit(status); }, 0), "exited with status 0"));
  }
}

TEST_CASE("process pool: a worker that dies idle breaks the pool") {
  ProcessPoolExecutor pool({.max_workers = 1});
  const int pid = pool.submit([] { return static_cast<int>(::getpid()); }).result();
  ::kill(pid, SIGKILL);
  // The pool has seen it when a call fails, at once or later.
  for (;;) {
    try {
      if (has(error_of(pool.submit(square, 1)), "worker process")) break;
    } catch (const BrokenProcessPool&) {
      break;
    }
  }
  CHECK_THROWS_WITH_AS(pool.submit(square, 1), doctest::Contains("not usable anymore"),
                       BrokenProcessPool);
}

TEST_CASE("process pool: a worker that closes its channel, or writes nonsense, is ended") {
  for (const StartMethod method : both_methods) {
    ProcessPoolExecutor closing({.max_workers = 1, .start_method = method});
    CHECK(has(error_of(closing.submit([] {
                for (int fd = 3; fd < 1000; ++fd) ::close(fd);
              })),
              "worker process"));
    ProcessPoolExecutor writing({.max_workers = 1, .start_method = method});
    const std::string text = error_of(writing.submit([] {
      for (int fd = 3; fd < 1000; ++fd)
        ::send(fd, "this is no frame, but long enough for one", 40, MSG_NOSIGNAL);
    }));
    CHECK(has(text, "no frame begins here"));
  }
}

TEST_CASE("process pool: terminate_workers and kill_workers") {
  for (const bool kill : {false, true}) {
    ProcessPoolExecutor pool({.max_workers = 1});
    Gate gate;
    auto running = pool.submit(exec_test::pass_gate, gate.arguments());
    gate.wait_until_reached();
    auto queued = pool.submit(square, 1);
    if (kill)
      pool.kill_workers();
    else
      pool.terminate_workers();
    CHECK(queued.cancelled());
    CHECK(has(error_of(running), kill ? "signal 9 (Killed)" : "signal 15 (Terminated)"));
    CHECK_THROWS_AS(pool.submit(square, 1), brio::RuntimeError);
    CHECK(pool.shutdown());
  }
  ProcessPoolExecutor unused;
  unused.terminate_workers();
  CHECK(unused.shutdown());
}

TEST_CASE("process pool: an initializer is called once in each worker, before its calls") {
  static int prepared = 0;
  for (const StartMethod method : both_methods) {
    ProcessPoolExecutor pool({.max_workers = 1,
                              .start_method = method,
                              .initializer = {[](int x, const std::string& y) {
                                                prepared += x + static_cast<int>(y.size());
                                              },
                                              40, "ab"}});
    CHECK(pool.submit([] { return prepared; }).result() == 42);
    CHECK(pool.submit([] { return prepared; }).result() == 42);
    CHECK(prepared == 0);
  }
}

TEST_CASE("process pool: an initializer that throws breaks the pool") {
  for (const StartMethod method : both_methods) {
    const exec_test::LogCapture log;
    ProcessPoolExecutor pool({.max_workers = 2, .start_method = method, .initializer = [] {
                                throw brio::ValueError("not today");
                              }});
    const std::string text = error_of(pool.submit(square, 1));
    CHECK(has(text, "A process initializer failed"));
    CHECK(has(text, "brio::ValueError: not today"));
    CHECK_THROWS_AS(pool.submit(square, 1), BrokenProcessPool);
    CHECK(exec_test::LogCapture::has("exception in the initializer of a pool's process"));
  }
}

TEST_CASE("process pool: two hundred pools leave no process and no descriptor") {
  {
    ProcessPoolExecutor first({.max_workers = 1});  // what is made once, is made here
    first.submit(square, 1).result();
  }
  const std::size_t before = open_descriptors();
  for (int i = 0; i < 200; ++i) {
    ProcessPoolExecutor pool({.max_workers = 2, .start_method = StartMethod::fork});
    auto a = pool.submit(square, i);
    auto b = pool.submit(square, i);
    if (i % 4 == 1) pool.kill_workers();
    if (i % 4 == 2) pool.shutdown({.wait = false});
    if (i % 4 != 1) CHECK(a.result() + b.result() == 2 * i * i);
    pool.shutdown();
  }
  for (int i = 0; i < 10; ++i) {
    ProcessPoolExecutor pool({.max_workers = 1, .start_method = StartMethod::spawn});
    CHECK(pool.submit(square, i).result() == i * i);
  }
  CHECK(open_descriptors() == before);
  CHECK_FALSE(has_children());
}

TEST_CASE("process pool: a worker has none of our close-on-exec descriptors, and no input") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const int kept = ::dup(ends[0]);
  for (const StartMethod method : both_methods) {
    ProcessPoolExecutor pool({.max_workers = 1, .start_method = method});
    const auto is_open = [](int fd) { return ::fcntl(fd, F_GETFD) != -1; };
    CHECK_FALSE(pool.submit(is_open, ends[1]).result());
    CHECK(pool.submit(is_open, kept).result());
    CHECK(pool.submit([] {
                char byte = 0;
                return ::read(0, &byte, 1) == 0;
              })
              .result());
    // One channel, and what is left open for programs.
    CHECK(pool.submit([] {
                int sockets = 0;
                for (int fd = 3; fd < 1000; ++fd) {
                  int type = 0;
                  socklen_t size = sizeof type;
                  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0) ++sockets;
                }
                return sockets;
              })
              .result() == 1);
  }
  ::close(kept);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("process pool: signals in a worker have their default action, or stay ignored") {
  const auto before_usr1 = std::signal(SIGUSR1, [](int) {});
  const auto before_usr2 = std::signal(SIGUSR2, SIG_IGN);
  sigset_t blocked;
  sigset_t before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  for (const StartMethod method : both_methods) {
    ProcessPoolExecutor pool({.max_workers = 1, .start_method = method});
    const auto action = [](int number) {
      struct sigaction now{};
      ::sigaction(number, nullptr, &now);
      return now.sa_handler == SIG_DFL ? 0 : now.sa_handler == SIG_IGN ? 1 : 2;
    };
    CHECK(pool.submit(action, SIGUSR1).result() == 0);
    CHECK(pool.submit(action, SIGUSR2).result() == 1);
    CHECK(pool.submit([] {
                sigset_t now;
                ::pthread_sigmask(SIG_SETMASK, nullptr, &now);
                return sigismember(&now, SIGTERM) + sigismember(&now, SIGINT);
              })
              .result() == 0);
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  std::signal(SIGUSR1, before_usr1);
  std::signal(SIGUSR2, before_usr2);
}

TEST_CASE("process pool: no worker outlives a program that is killed") {
  for (const StartMethod method : both_methods) {
    Gate gate;
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    // The program is a worker of another pool. It and its own worker have the end of a pipe.
    ::fcntl(ends[1], F_SETFD, 0);
    ProcessPoolExecutor outer({.max_workers = 1, .start_method = StartMethod::spawn});
    auto program = outer.submit(
        [](StartMethod inner_method, std::string inner_gate) {
          ProcessPoolExecutor inner({.max_workers = 1, .start_method = inner_method});
          inner.submit(exec_test::pass_gate, std::move(inner_gate)).result();
        },
        method, gate.arguments());
    const pid_t worker = gate.wait_until_reached();
    ::close(ends[1]);
    CHECK(::kill(worker, 0) == 0);
    outer.kill_workers();
    CHECK_THROWS_AS(program.result(), BrokenProcessPool);
    char byte = 0;
    CHECK(::read(ends[0], &byte, 1) == 0);  // the end: nobody has the other side any more
    ::close(ends[0]);
  }
}

TEST_CASE(
    "process pool: a worker that cannot be started is an error of the call, and not the end") {
  ProcessPoolExecutor pool({.max_workers = 1});
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  // The call's own descriptor is the last one.
  const int lowest = ::dup(0);
  ::close(lowest);
  const rlimit few{static_cast<rlim_t>(lowest) + 1, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  auto failed = pool.submit(square, 2);
  failed.wait();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  try {
    failed.result();
    FAIL("it throws");
  } catch (const brio::OSError& error) {
    CHECK(error.error_number() == EMFILE);
    CHECK(has(error.what(), "start a worker process failed"));
  }
  CHECK(pool.submit(square, 3).result() == 9);
}
