// What can go wrong with a child, and that nothing is left of it: no zombie, no descriptor.
#include "support.hpp"

#include <brio/os/child.hpp>
#include <brio/testing/injection.hpp>
#include <brio/testing/run_test.hpp>

#include <csignal>
#include <fcntl.h>
#include <sys/resource.h>
#include <utility>

using namespace brio::tests;
using brio::Coro;
using brio::create_subprocess_exec;
using brio::create_subprocess_shell;
using brio::os::Descriptor;
using brio::subprocess::DEVNULL;
using brio::subprocess::PIPE;
using brio::subprocess::STDOUT;
using brio::testing::Victim;

namespace {

// The error with which a start ends, and its text.
struct Failure {
  std::string type;
  std::string text;
};

Coro<Failure> failure_of(std::string program, brio::SubprocessOptions options = {},
                         std::vector<std::string> arguments = {}) {
  const auto outcome = co_await brio::as_outcome(
      create_subprocess_exec(std::move(program), std::move(arguments), std::move(options)));
  co_return Failure{Trace::text(outcome.error()), brio::describe(outcome.error())};
}

// Without pidfd while it lives.
class NoPidfd {
public:
  NoPidfd() { brio::os::detail::Child::allow_pidfd(false); }
  NoPidfd(const NoPidfd&) = delete;
  NoPidfd& operator=(const NoPidfd&) = delete;
  ~NoPidfd() { brio::os::detail::Child::allow_pidfd(true); }
};

Coro<> communicate_once() {
  const auto process =
      co_await create_subprocess_exec("cat", {}, {.stdin = PIPE, .stdout = PIPE, .stderr = PIPE});
  auto [out, err] = co_await process.communicate("hello");
  CHECK(out == "hello");
}

}  // namespace

TEST_CASE("a program that cannot be started: the error names it") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    const brio::SubprocessOptions pipes{.stdin = PIPE, .stdout = PIPE, .stderr = PIPE};
    auto failure = co_await failure_of("/no/such/program", pipes);
    CHECK(failure.type == "FileNotFoundError");
    CHECK(failure.text == "exec of '/no/such/program' failed: No such file or directory");
    failure = co_await failure_of("no-such-program", pipes);
    CHECK(failure.type == "FileNotFoundError");
    CHECK(failure.text == "exec of 'no-such-program' failed: No such file or directory");
    failure = co_await failure_of("/etc/passwd", pipes);
    CHECK(failure.type == "PermissionError");
    CHECK(failure.text == "exec of '/etc/passwd' failed: Permission denied");
    failure = co_await failure_of("/etc/passwd/x", pipes);
    // As CPython: a path through a file counts as not found.
    CHECK(failure.type == "FileNotFoundError");
    failure = co_await failure_of("true", {.executable = "/no/such/executable"});
    CHECK(failure.text == "exec of '/no/such/executable' failed: No such file or directory");

    failure = co_await failure_of("true", {.cwd = "/no/such/directory"});
    CHECK(failure.type == "FileNotFoundError");
    CHECK(failure.text == "chdir to '/no/such/directory' failed: No such file or directory");
    failure = co_await failure_of("true", {.cwd = "/etc/passwd"});
    CHECK(failure.type == "NotADirectoryError");

    failure = co_await failure_of("true", {.stdin = 9999});
    CHECK(failure.text == "passing descriptor 9999 to 'true' failed: Bad file descriptor");
    failure = co_await failure_of("true", {.pass_fds = {9998}});
    CHECK(failure.text == "passing descriptor 9998 to 'true' failed: Bad file descriptor");
    failure = co_await failure_of("true", {.process_group = 1});
    CHECK(failure.type == "PermissionError");
    CHECK(failure.text == "setpgid for 'true' failed: Operation not permitted");
    CHECK(no_children());

    const auto file = Descriptor::adopt(
        ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0700));  // a program in no known format
    REQUIRE(::write(file.fileno(), "what?", 5) == 5);
    const std::string path = "/proc/self/fd/" + std::to_string(file.fileno());
    failure = co_await failure_of(path, {.pass_fds = {file.fileno()}});
    CHECK(failure.type == "OSError");
  });
}

TEST_CASE("options that make no sense are refused before anything is started") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    const std::vector<brio::SubprocessOptions> bad{
        {.text = true},
        {.stdin = STDOUT},
        {.stdout = STDOUT},
        {.stderr = -5},
        {.pass_fds = {-1}},
        {.pass_fds = {{3, -1}}},
        {.pass_fds = {{3, 7}, {4, 7}}},
        {.stdout = PIPE, .pass_fds = {{5, 1}}},
        {.env = {{"A=B", "c"}}},
        {.env = {{"", "c"}}},
        {.env = {{"A", std::string("b\0c", 3)}}},
        {.cwd = std::string("/tmp\0x", 6)},
        {.executable = std::string("a\0b", 3)},
        {.limit = 0, .env = {}},
    };
    for (std::size_t i = 0; i + 1 < bad.size(); ++i) {
      CAPTURE(i);
      const Failure failure = co_await failure_of("true", bad[i]);
      CHECK(failure.type == "ValueError");
      CHECK(no_children());
    }
    const Failure failure = co_await failure_of("true", {}, {std::string("a\0b", 3)});
    CHECK(failure.type == "ValueError");
  });
}

TEST_CASE("a child that somebody else has reaped ends with 255 and a warning") {
  const NothingLeft nothing_left;
  for (const bool pidfd : {true, false}) {
    const Logs logs;
    std::optional<NoPidfd> without;
    if (!pidfd) without.emplace();
    brio::run([]() -> Coro<> {
      const auto process = co_await create_subprocess_exec("cat", {}, {.stdin = PIPE});
      kill(process.pid(), SIGTERM);
      while (waitpid(process.pid(), nullptr, 0) < 0 && errno == EINTR) {
      }
      const int status = co_await process.wait();
      CHECK(status == 255);
      CHECK(process.returncode() == 255);
    });
    CHECK(logs.contain("exit status already read: will report returncode 255"));
  }
}

TEST_CASE("children that the system reaps by itself end with 255 too") {
  const NothingLeft nothing_left;
  const Logs logs;
  struct sigaction ignore{};
  struct sigaction before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGCHLD, &ignore, &before);
  brio::run([]() -> Coro<> {
    const auto process =
        co_await create_subprocess_exec("cat", {}, {.stdin = PIPE, .stdout = PIPE});
    auto [out, err] = co_await process.communicate("through");
    CHECK(out == "through");
    CHECK(process.returncode() == 255);
    const Failure failure = co_await failure_of("/no/such/program");
    CHECK(failure.type == "FileNotFoundError");
  });
  sigaction(SIGCHLD, &before, nullptr);
}

TEST_CASE("tasks that start eagerly change nothing") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    brio::get_running_loop().set_task_factory(brio::eager_task_factory);
    for (int i = 0; i < 5; ++i) co_await communicate_once();
  });
}

TEST_CASE("without pidfd a thread waits") {
  const NothingLeft nothing_left;
  const NoPidfd no_pidfd;
  brio::run([]() -> Coro<> {
    for (int i = 0; i < 20; ++i) co_await communicate_once();
    const auto process = co_await create_subprocess_exec("sleep", {"1000"});
    const auto first = brio::create_task(process.wait());
    const auto second = brio::create_task(process.wait());
    co_await ticks(3);
    process.terminate();
    const int a = co_await first;
    const int b = co_await second;
    CHECK(a == -SIGTERM);
    CHECK(b == -SIGTERM);
    const auto missing = co_await failure_of("/no/such/program");
    CHECK(missing.type == "FileNotFoundError");
  });
  // The loop goes first.
  brio::run([]() -> Coro<> { (void)co_await create_subprocess_exec("sleep", {"1000"}); });
}

TEST_CASE("a loop that is closed over children kills and reaps them") {
  const NothingLeft nothing_left;
  const Logs logs;
  std::vector<brio::subprocess::Process> kept;
  {
    auto loop = brio::new_event_loop();
    loop->set_debug(true);
    loop->run_until_complete([](auto& processes) -> Coro<> {
      for (int i = 0; i < 3; ++i) {
        processes.push_back(co_await create_subprocess_exec(
            "cat", {}, {.stdin = PIPE, .stdout = PIPE, .stderr = PIPE}));
      }
      // One that has ended, and the loop has not heard of it.
      processes.push_back(co_await create_subprocess_exec("true"));
      siginfo_t info{};
      waitid(P_PID, static_cast<id_t>(processes.back().pid()), &info, WEXITED | WNOWAIT);
    }(kept));
    loop->close();
  }
  CHECK(no_children());
  CHECK(logs.contain("unclosed transport <SubprocessTransport pid="));
  // The handles that are left do no harm.
  CHECK(!kept.front().returncode());
  for (const auto& process : kept) {
    CHECK_THROWS_AS(process.kill(), brio::ProcessLookupError);
    process.transport()->close();
  }
}

TEST_CASE("a loop that is closed while a child is being started") {
  const NothingLeft nothing_left;
  for (int turns = 0; turns < 12; ++turns) {
    auto loop = brio::new_event_loop();
    loop->set_exception_handler([](brio::EventLoop&, const brio::ExceptionContext&) {});
    auto task = loop->create_task(communicate_once());
    for (int i = 0; i < turns; ++i) loop->run_once();
    loop->close();
    CHECK(no_children());
  }
}

TEST_CASE("few descriptors: an error or a child, and nothing lost") {
  const NothingLeft nothing_left;
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  brio::run([&]() -> Coro<> {
    co_await communicate_once();  // whatever is made once is made now
    const int next = dup(STDERR_FILENO);
    ::close(next);
    int started = 0;
    int refused = 0;
    for (int spare = 0; spare < 16; ++spare) {
      rlimit few = before;
      few.rlim_cur = static_cast<rlim_t>(next + spare);
      setrlimit(RLIMIT_NOFILE, &few);
      const auto outcome = co_await brio::as_outcome(communicate_once());
      setrlimit(RLIMIT_NOFILE, &before);
      if (outcome) {
        ++started;
      } else {
        ++refused;
        CHECK(outcome.error_as<brio::OSError>());
      }
      CHECK(no_children());
    }
    CHECK(started > 0);
    CHECK(refused > 0);
    co_await communicate_once();
  });
}

TEST_CASE("cancellation at every point of a start, a communicate and a wait") {
  const NothingLeft nothing_left;
  for (const Victim victim : {Victim::main, Victim::every_task, Victim::scope}) {
    CAPTURE(static_cast<int>(victim));
    brio::testing::for_each_cancellation(
        []() -> Coro<> {
          const auto process = co_await create_subprocess_exec(
              "cat", {}, {.stdin = PIPE, .stdout = PIPE, .stderr = PIPE});
          (void)co_await process.communicate("some input");
          (void)co_await process.wait();
        },
        [](const auto& run) {
          INFO(run.describe());
          CHECK(no_children());  // the loop is closed
        },
        // gather leaves its tasks alone when one of them is cancelled, or when a cancelled scope
        // does not let it begin to wait.
        {.victim = victim, .leftovers_allowed = victim != Victim::main});
  }
}

TEST_CASE("cancelled while it waits, and ended as one should") {
  const NothingLeft nothing_left;
  for (const bool pidfd : {true, false}) {
    std::optional<NoPidfd> without;
    if (!pidfd) without.emplace();
    bool finished = false;
    brio::testing::for_each_cancellation(
        [&]() -> Coro<> {
          finished = false;
          const auto process = co_await create_subprocess_exec("sleep", {"1000"}, {.stdout = PIPE});
          brio::get_running_loop().call_soon([p = process] { p.kill(); });
          const auto outcome = co_await brio::as_outcome(process.communicate());
          // A second cancellation does not come: what follows runs to its end.
          const int status = co_await process.wait();
          CHECK(status == -SIGKILL);
          CHECK(no_children());
          finished = true;
          outcome.raise();
        },
        [&](const auto& run) {
          INFO(run.describe());
          CHECK(no_children());
        });
    CHECK(finished);
  }
}

TEST_CASE("a start that is cancelled has ended its child when it ends") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    for (int turns = 0; turns < 15; ++turns) {
      auto task = brio::create_task(
          create_subprocess_exec("cat", {}, {.stdin = PIPE, .stdout = PIPE, .stderr = DEVNULL}));
      co_await ticks(turns);
      task.cancel();
      auto outcome = co_await brio::as_outcome(task);
      if (outcome) {
        outcome.value().kill();
        co_await outcome.value().wait();
      } else {
        CHECK(outcome.cancelled());
      }
      CHECK(no_children());
    }
  });
}

TEST_CASE("a sandbox without close_range gets its descriptors closed all the same") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    // Whoever runs under the sandbox lists what it sees; it is a child of its own, because a
    // filter cannot be taken off again.
    const auto process = co_await create_subprocess_exec(
        "/proc/self/exe", {"--test-case=in a sandbox without close_range", "--no-skip"},
        {.stdout = PIPE, .stderr = STDOUT});
    auto [out, err] = co_await process.communicate();
    INFO(*out);
    CHECK(process.returncode() == 0);
    CHECK(out->find("1 passed") != std::string::npos);
  });
}
