// Process: a child with streams.
#include "support.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/testing/run_test.hpp>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

using namespace brio::tests;
using namespace std::chrono_literals;
using brio::Coro;
using brio::create_subprocess_exec;
using brio::create_subprocess_shell;
using brio::os::Descriptor;
using brio::subprocess::DEVNULL;
using brio::subprocess::Environment;
using brio::subprocess::PIPE;
using brio::subprocess::STDOUT;

namespace {

// What a command prints.
Coro<std::string> output_of(std::string command, brio::SubprocessOptions options = {}) {
  options.stdout = PIPE;
  const auto process = co_await create_subprocess_shell(std::move(command), std::move(options));
  auto [output, errors] = co_await process.communicate();
  co_return *output;
}

std::string content_of(const Descriptor& file) {
  std::string text(1000, '\0');
  const ssize_t count = ::pread(file.fileno(), text.data(), text.size(), 0);
  text.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return text;
}

}  // namespace

TEST_CASE("communicate: input, output, errors, return code") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    const auto process = co_await create_subprocess_shell(
        "cat; echo oops >&2; exit 7", {.stdin = PIPE, .stdout = PIPE, .stderr = PIPE});
    CHECK(process.pid() > 0);
    CHECK(process.repr() == "<Process " + std::to_string(process.pid()) + ">");
    auto [out, err] = co_await process.communicate("some data");
    CHECK(out == "some data");
    CHECK(err == "oops\n");
    CHECK(process.returncode() == 7);
    const int again = co_await process.wait();
    CHECK(again == 7);

    // Nothing is piped: nothing comes, and the input is dropped.
    const auto plain = co_await create_subprocess_exec("true");
    auto [none, nothing] = co_await plain.communicate("dropped");
    CHECK(!none);
    CHECK(!nothing);
    CHECK_THROWS_AS((void)plain.stdin(), brio::RuntimeError);
    CHECK_THROWS_AS((void)plain.stdout(), brio::RuntimeError);
    CHECK_THROWS_AS((void)plain.stderr(), brio::RuntimeError);

    // Without input stdin is closed all the same.
    const auto cat = co_await create_subprocess_exec("cat", {}, {.stdin = PIPE, .stdout = PIPE});
    auto [empty, no_errors] = co_await cat.communicate();
    CHECK(empty == "");
    CHECK(cat.stdin().is_closing());
  });
}

TEST_CASE("communicate moves more than the pipes hold, both ways at once") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    std::string data;
    for (int i = 0; data.size() < 3'000'000; ++i) data += std::to_string(i) + ",";
    const auto process = co_await create_subprocess_shell(
        "tee /dev/stderr", {.stdin = PIPE, .stdout = PIPE, .stderr = PIPE});
    auto [out, err] = co_await process.communicate(data);
    CHECK(out == data);
    CHECK(err == data);
  });
}

TEST_CASE("a child that does not want its input is no error") {
  const NothingLeft nothing_left;
  const Logs logs;
  brio::run([]() -> Coro<> {
    brio::get_running_loop().set_debug(true);
    auto [gate, opener] = Descriptor::pipe();
    const auto process = co_await create_subprocess_shell(
        "read x <&3; exec 0<&-; echo done; exit 2",
        {.stdin = PIPE, .stdout = PIPE, .pass_fds = {{gate.fileno(), 3}}});
    const auto talk = brio::create_task(process.communicate(std::string(1'000'000, 'x')));
    co_await ticks(3);
    opener.close();
    auto [out, err] = co_await talk;
    CHECK(out == "done\n");
    CHECK(process.returncode() == 2);
    // The streams themselves do tell.
    auto [theirs, ours] = Descriptor::pipe();
    const auto other = co_await create_subprocess_shell(
        "read x <&3; exec 0<&-", {.stdin = PIPE, .pass_fds = {{theirs.fileno(), 3}}});
    other.stdin().write(std::string(1'000'000, 'x'));
    const auto draining = brio::create_task(other.stdin().drain());
    co_await ticks(2);
    CHECK(!draining.done());
    ours.close();
    theirs.close();
    const auto drained = co_await brio::as_outcome(draining);
    CHECK(drained.error_as<brio::BrokenPipeError>());
    const auto closed = co_await brio::as_outcome(other.stdin().wait_closed());
    CHECK(closed.error_as<brio::BrokenPipeError>());
    co_await other.wait();
  });
  CHECK(logs.contain("communicate: feed stdin (1000000 bytes)"));
  CHECK(logs.contain("communicate: stdin got "));
  CHECK(logs.contain("communicate: close stdin"));
  CHECK(logs.contain("communicate: read stdout"));
  CHECK(logs.contain("communicate: close stdout"));
}

TEST_CASE("a conversation over streams, and the limit of the reader") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    const auto process =
        co_await create_subprocess_exec("cat", {}, {.stdin = PIPE, .stdout = PIPE, .limit = 100});
    for (int i = 0; i < 3; ++i) {
      process.stdin().write("line\n");
      co_await process.stdin().drain();
      const std::string line = co_await process.stdout().readline();
      CHECK(line == "line\n");
    }
    process.stdin().write(std::string(1000, 'x') + "\nshort\n");
    const auto too_long = co_await brio::as_outcome(process.stdout().readline());
    CHECK(too_long.error_as<brio::ValueError>());
    process.stdin().close();
    co_await process.stdin().wait_closed();
    const int status = co_await process.wait();
    CHECK(status == 0);
    CHECK_THROWS_AS(
        co_await [](auto p) -> Coro<> { co_await p.stdin().drain(); }(process),
        brio::ConnectionResetError);
  });
}

TEST_CASE("an endless writer is held back, not buffered") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    const auto process =
        co_await create_subprocess_exec("yes", {}, {.stdout = PIPE, .limit = 1000});
    const auto pipe = process.transport()->get_pipe_transport(1);
    co_await until([&] { return !pipe->is_reading(); });
    const std::string some = co_await process.stdout().readexactly(100'000);
    CHECK(some.substr(0, 6) == "y\ny\ny\n");
    process.kill();
    const int status = co_await process.wait();
    CHECK(status == -SIGKILL);
    // What was written before is still there.
    const std::string rest = co_await process.stdout().read();
    CHECK(rest.size() % 2 == 0);
  });
}

TEST_CASE("signals, and return codes that tell of them") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    for (const int number : {SIGHUP, SIGTERM, SIGKILL, SIGABRT}) {
      const auto process = co_await create_subprocess_exec("sleep", {"1000"});
      CHECK(!process.returncode());
      process.send_signal(number);
      const int status = co_await process.wait();
      CHECK(status == -number);
      CHECK(process.returncode() == -number);
      CHECK_THROWS_AS(process.kill(), brio::ProcessLookupError);
    }
    const auto process = co_await create_subprocess_exec("sleep", {"1000"});
    CHECK_THROWS_AS(process.send_signal(12345), brio::OSError);
    process.terminate();
    const int status = co_await process.wait();
    CHECK(status == -SIGTERM);
  });
}

TEST_CASE("several tasks wait; a cancelled one changes nothing") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    const auto process = co_await create_subprocess_exec("cat", {}, {.stdin = PIPE});
    const auto first = brio::create_task(process.wait());
    const auto second = brio::create_task(process.wait());
    const auto third = brio::create_task(process.wait());
    co_await ticks(2);
    second.cancel();
    co_await ticks(2);
    CHECK(second.cancelled());
    process.stdin().close();
    auto [a, c] = co_await brio::gather(first, third);
    CHECK(a == 0);
    CHECK(c == 0);
  });
}

TEST_CASE("wait returns when the child has ended, though a grandchild holds its pipe") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    auto [theirs, ours] = Descriptor::pipe();
    const auto process = co_await create_subprocess_shell(
        "(read x <&3; echo late) & exit 6", {.stdout = PIPE, .pass_fds = {{theirs.fileno(), 3}}});
    theirs.close();
    const int status = co_await process.wait();
    CHECK(status == 6);
    ours.close();
    const std::string rest = co_await process.stdout().read();
    CHECK(rest == "late\n");
  });
}

TEST_CASE("communicate with a timeout loses nothing") {
  const NothingLeft nothing_left;
  brio::testing::run_test([]() -> Coro<> {
    auto [theirs, ours] = Descriptor::pipe();
    const auto process =
        co_await create_subprocess_shell("printf part; read x <&3; printf rest",
                                         {.stdout = PIPE, .pass_fds = {{theirs.fileno(), 3}}});
    co_await until([&] { return process.stdout().state()->buffer_.size() > 0; });
    const auto outcome = co_await brio::as_outcome(brio::wait_for(process.communicate(), 3600s));
    CHECK(outcome.error_as<brio::TimeoutError>());
    CHECK(!process.returncode());
    ours.close();
    theirs.close();
    auto [out, err] = co_await process.communicate();
    CHECK(out == "partrest");
    // Python's way to end one that takes too long: kill, and communicate again.
    const auto slow = co_await create_subprocess_exec("sleep", {"1000"}, {.stdout = PIPE});
    const auto late = co_await brio::as_outcome(brio::wait_for(slow.communicate(), 3600s));
    CHECK(late.error_as<brio::TimeoutError>());
    slow.kill();
    auto [nothing, no_errors] = co_await slow.communicate();
    CHECK(nothing == "");
    CHECK(slow.returncode() == -SIGKILL);
  });
}

TEST_CASE("where the standard streams go") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    const std::string both = co_await output_of("echo out; echo err >&2", {.stderr = STDOUT});
    CHECK(both == "out\nerr\n");
    const std::string empty = co_await output_of("cat", {.stdin = DEVNULL});
    CHECK(empty == "");

    const auto in = Descriptor::adopt(memfd_create("in", MFD_CLOEXEC));
    REQUIRE(::write(in.fileno(), "from a file", 11) == 11);
    REQUIRE(lseek(in.fileno(), 0, SEEK_SET) == 0);
    const auto out = Descriptor::adopt(memfd_create("out", MFD_CLOEXEC));
    const auto process = co_await create_subprocess_shell(
        "cat; echo ' and an error' >&2", {.stdin = in, .stdout = out.fileno(), .stderr = STDOUT});
    co_await process.wait();
    CHECK(content_of(out) == "from a file and an error\n");
    CHECK(fcntl(out.fileno(), F_GETFD) == FD_CLOEXEC);  // lent

    // Our stdout can be its stderr and the other way round.
    const auto crossed =
        co_await create_subprocess_shell("echo e >&2", {.stdout = DEVNULL, .stderr = out.fileno()});
    co_await crossed.wait();
    CHECK(content_of(out).ends_with("\ne\n"));
  });
}

TEST_CASE("directory, environment, executable, umask") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    const std::string where = co_await output_of("pwd", {.cwd = "/proc"});
    CHECK(where == "/proc\n");
    const std::string whole = co_await output_of(
        "/usr/bin/env | grep -v ^PWD= | grep -v ^_= | "
        "grep -v ^OLDPWD= | grep -v ^SHLVL=",
        {.env = {{"A", "1"}, {"B", "=2"}}});
    CHECK(whole == "A=1\nB==2\n");
    auto changed = Environment::current();
    CHECK(changed.at("PATH") == std::getenv("PATH"));
    changed["BRIO_TEST"] = "yes";
    const std::string value = co_await output_of("echo $BRIO_TEST", {.env = changed});
    CHECK(value == "yes\n");

    // The program is looked for in the PATH that the child gets.
    const auto found =
        co_await create_subprocess_exec("true", {}, {.env = {{"PATH", "/nowhere:/bin:/usr/bin"}}});
    co_await found.wait();
    const auto missing = co_await brio::as_outcome(
        create_subprocess_exec("true", {}, {.env = {{"PATH", "/nowhere"}}}));
    CHECK(missing.error_as<brio::FileNotFoundError>());
    // Relative to the directory that the child is in.
    const auto relative = co_await create_subprocess_exec("./true", {}, {.cwd = "/bin"});
    const int status = co_await relative.wait();
    CHECK(status == 0);

    const auto named = co_await create_subprocess_exec("a name", {"-c", "echo $0"},
                                                       {.stdout = PIPE, .executable = "/bin/sh"});
    auto [out, err] = co_await named.communicate();
    CHECK(out == "a name\n");
    const std::string shell = co_await output_of("echo $0", {.executable = "/bin/bash"});
    CHECK(shell == "/bin/bash\n");

    const std::string mask = co_await output_of("umask", {.umask = 0027});
    CHECK(mask == "0027\n");
  });
}

TEST_CASE("sessions and process groups") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    const auto session =
        co_await create_subprocess_exec("cat", {}, {.stdin = PIPE, .start_new_session = true});
    CHECK(getsid(session.pid()) == session.pid());
    CHECK(getpgid(session.pid()) == session.pid());
    session.stdin().close();
    co_await session.wait();

    const auto leader =
        co_await create_subprocess_shell("sleep 1000", {.stdin = PIPE, .process_group = 0});
    CHECK(getpgid(leader.pid()) == leader.pid());
    CHECK(getsid(leader.pid()) == getsid(0));
    const auto member =
        co_await create_subprocess_exec("sleep", {"1000"}, {.process_group = leader.pid()});
    CHECK(getpgid(member.pid()) == leader.pid());
    CHECK(kill(-leader.pid(), SIGTERM) == 0);  // reaches all of the group
    auto [a, b] = co_await brio::gather(leader.wait(), member.wait());
    CHECK(a == -SIGTERM);
    CHECK(b == -SIGTERM);
  });
}

TEST_CASE("a child has its own descriptors and no others") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    const auto open = Descriptor::adopt(dup(STDERR_FILENO));  // without close-on-exec
    REQUIRE(fcntl(open.fileno(), F_GETFD) == 0);
    const std::string number = std::to_string(open.fileno());
    const std::string test = "test -e /dev/fd/" + number + " && echo open || echo closed";
    const std::string closed = co_await output_of(test);
    CHECK(closed == "closed\n");
    const std::string inherited = co_await output_of(test, {.close_fds = false});
    CHECK(inherited == "open\n");
    const std::string passed = co_await output_of(test, {.pass_fds = {open.fileno()}});
    CHECK(passed == "open\n");
    // Its own directory listing is all that stands beside 0, 1 and 2.
    const std::string list = co_await output_of("ls /proc/self/fd | wc -w");
    CHECK(list == "4\n");
  });
}

TEST_CASE("descriptors under other numbers, swapped and in a ring") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    std::vector<Descriptor> files;
    for (const char* text : {"one ", "two ", "three "}) {
      files.push_back(Descriptor::adopt(memfd_create(text, MFD_CLOEXEC)));
      const std::string_view content(text);
      REQUIRE(::write(files.back().fileno(), text, content.size()) ==
              static_cast<ssize_t>(content.size()));
    }
    const auto cat = [](int a, int b, int c) {
      std::string command = "cat";
      for (const int fd : {a, b, c}) command += " /proc/self/fd/" + std::to_string(fd);
      return command;
    };
    const int a = files[0].fileno();
    const int b = files[1].fileno();
    const int c = files[2].fileno();
    const std::string ring =
        co_await output_of(cat(a, b, c), {.pass_fds = {{a, b}, {b, c}, {c, a}}});
    CHECK(ring == "three one two ");
    const std::string same = co_await output_of(cat(a, b, c), {.pass_fds = {a, b, c}});
    CHECK(same == "one two three ");
    const std::string far =
        co_await output_of(cat(50, 3, 200), {.pass_fds = {{a, 50}, {b, 3}, {c, 200}}});
    CHECK(far == "one two three ");
    const std::string twice =
        co_await output_of(cat(60, 61, c), {.pass_fds = {{a, 60}, {a, 61}, c}});
    CHECK(twice == "one one three ");
  });
}

TEST_CASE("signal dispositions and masks of the child") {
  const NothingLeft nothing_left;
  struct sigaction ignore{};
  struct sigaction before{};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, &before);
  brio::run([]() -> Coro<> {
    const std::string command = "kill -PIPE $$; echo ignored";
    const std::string restored = co_await output_of(command);
    CHECK(restored == "");
    const std::string inherited = co_await output_of(command, {.restore_signals = false});
    CHECK(inherited == "ignored\n");
    const std::string blocked = co_await output_of("grep SigBlk /proc/self/status");
    CHECK(blocked == "SigBlk:\t0000000000000000\n");
  });
  sigaction(SIGPIPE, &before, nullptr);
  // Ours are what they were.
  sigset_t mask;
  sigprocmask(SIG_SETMASK, nullptr, &mask);
  CHECK(!sigismember(&mask, SIGTERM));
}

TEST_CASE("a thousand in a row, and sixty at once") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    int failed = 0;
    for (int i = 0; i < 1000; ++i) {
      const auto process = co_await create_subprocess_exec("/bin/true");
      const int status = co_await process.wait();
      failed += status != 0;
    }
    CHECK(failed == 0);

    const auto echo = [](int number) -> Coro<bool> {
      const std::string text = std::to_string(number);
      const auto process =
          co_await create_subprocess_exec("cat", {}, {.stdin = PIPE, .stdout = PIPE});
      auto [out, err] = co_await process.communicate(text);
      co_return out == text&& process.returncode() == 0;
    };
    std::vector<brio::Task<bool>> tasks;
    for (int i = 0; i < 60; ++i) tasks.push_back(brio::create_task(echo, i));
    int good = 0;
    for (const auto& task : tasks) good += co_await task;
    CHECK(good == 60);
  });
}

TEST_CASE("a process outlives its handle, and not its loop") {
  const NothingLeft nothing_left;
  const Logs logs;
  int pid = 0;
  brio::run([&]() -> Coro<> {
    brio::get_running_loop().set_debug(true);
    {
      const auto process =
          co_await create_subprocess_exec("cat", {}, {.stdin = PIPE, .stdout = PIPE});
      pid = process.pid();
    }
    co_await ticks(5);
    CHECK(kill(pid, 0) == 0);
  });
  CHECK(kill(pid, 0) == -1);
  CHECK(logs.contain("unclosed transport <SubprocessTransport pid=" + std::to_string(pid)));
}
