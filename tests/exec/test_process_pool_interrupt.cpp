// Ctrl-C: the terminal sends SIGINT to the program and to its workers.
#include "process_helpers.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/runner.hpp>
#include <brio/core/taskgroup.hpp>

#include <doctest/doctest.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

using brio::Coro;
using brio::ProcessPoolExecutor;
using brio::StartMethod;
using exec_test::both_methods;
using exec_test::Gate;

namespace {

// What the program does when the signal comes.
enum class At { one_call, a_gather, a_group, nothing, the_end };

Coro<int> call(ProcessPoolExecutor& pool, std::string gate) {
  co_return co_await brio::run_in_executor(&pool, exec_test::pass_gate, gate);
}

Coro<> amain(At at, StartMethod method, std::string gate) {
  ProcessPoolExecutor pool({.max_workers = 2, .start_method = method});
  switch (at) {
    case At::one_call: co_await call(pool, gate); break;
    case At::a_gather:
      co_await brio::gather(call(pool, gate), call(pool, gate), call(pool, gate));
      break;
    case At::a_group:
      co_await brio::task_group([&](brio::TaskGroup& group) -> Coro<> {
        for (int i = 0; i < 3; ++i) group.create_task(call(pool, gate));
        co_return;
      });
      break;
    case At::nothing:
      co_await brio::run_in_executor(&pool, [] {});
      exec_test::reach_gate(gate);
      co_await brio::create_future();
      break;
    case At::the_end:
      // Nobody awaits it: the pool's destructor waits, and no loop runs.
      (void)pool.submit(exec_test::pass_gate, gate);
      break;
  }
}

// A whole program, in a process group of its own. What leaves run() ends it as it would main().
void program(int at, StartMethod method, const std::string& gate,
             const std::string& said) noexcept {
  ::setpgid(0, 0);
  const int file = ::open(said.c_str(), O_WRONLY | O_APPEND);
  ::dup2(file, STDOUT_FILENO);
  ::dup2(file, STDERR_FILENO);
  brio::run(amain(static_cast<At>(at), method, gate));
}

struct Ended {
  std::string how;
  std::string said;
};

// Runs the program as a worker of a pool of ours, which reports its end, and presses Ctrl-C when
// `calls` of its calls are in the gate.
Ended interrupted(At at, StartMethod method, int calls) {
  Gate gate;
  const std::string said = gate.arguments() + "/said";
  ::close(::open(said.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  // The program and its workers have an end of this pipe.
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  ::fcntl(ends[1], F_SETFD, 0);
  ProcessPoolExecutor pool({.max_workers = 1, .start_method = StartMethod::spawn});
  auto end = pool.submit(program, static_cast<int>(at), method, gate.arguments(), said);
  pid_t pid = 0;
  for (int i = 0; i < calls; ++i) pid = gate.wait_until_reached();
  ::close(ends[1]);
  ::killpg(::getpgid(pid), SIGINT);
  char byte = 0;
  CHECK(::read(ends[0], &byte, 1) == 0);  // nobody is left
  ::close(ends[0]);
  Ended ended;
  try {
    end.result();
    ended.how = "returned";
  } catch (const brio::concurrent::BrokenProcessPool& error) {
    ended.how = error.what();
  }
  std::ifstream file(said);
  ended.said.assign(std::istreambuf_iterator<char>(file), {});
  ::unlink(said.c_str());
  return ended;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

// Its last line, and no word of a worker before it.
bool only_says_interrupt(const std::string& text) {
  return text.ends_with("KeyboardInterrupt\n") && !has(text, "worker") && !has(text, "Broken") &&
         !has(text, "WARNING") && !has(text, "ERROR");
}

}  // namespace

TEST_CASE("process pool: Ctrl-C ends the program with 130 and its workers without a word") {
  for (const StartMethod method : both_methods) {
    for (const auto& [at, calls] :
         {std::pair(At::one_call, 1), std::pair(At::a_gather, 2), std::pair(At::a_group, 2),
          std::pair(At::nothing, 1), std::pair(At::the_end, 1)}) {
      CAPTURE(static_cast<int>(at));
      const Ended ended = interrupted(at, method, calls);
      CHECK_MESSAGE(has(ended.how, "exited with status 130"), ended.how);
      CHECK_MESSAGE(only_says_interrupt(ended.said), ended.said);
    }
  }
}
