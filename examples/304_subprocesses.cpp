// Other programs as children: their output, a conversation, a deadline, what can go wrong.
#include <brio/brio.hpp>
#include <brio/os/subprocess.hpp>

#include <csignal>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;
using brio::subprocess::PIPE;

// Input in, output out, wait: communicate does all three at once, so that neither side blocks the
// other with a full pipe.
brio::Coro<> sort_words() {
  const auto sort =
      co_await brio::create_subprocess_exec("sort", {"-r"}, {.stdin = PIPE, .stdout = PIPE});
  auto [out, err] = co_await sort.communicate("one\ntwo\nthree\n");
  std::printf("%sexit status %d\n", out->c_str(), *sort.returncode());
}

// The ends of the pipes are streams.
brio::Coro<> converse() {
  const auto cat =
      co_await brio::create_subprocess_exec("cat", {}, {.stdin = PIPE, .stdout = PIPE});
  for (const char* line : {"ping\n", "pong\n"}) {
    cat.stdin().write(line);
    co_await cat.stdin().drain();
    const std::string answer = co_await cat.stdout().readline();
    std::printf("cat says %s", answer.c_str());
  }
  cat.stdin().close();  // the end of its input is the end of cat
  co_await cat.wait();
}

// A deadline ends the waiting, not the child: that is for us to do.
brio::Coro<> lose_patience() {
  const auto sleeper = co_await brio::create_subprocess_exec("sleep", {"1000"});
  const auto outcome = co_await brio::as_outcome(brio::wait_for(sleeper.wait(), 20ms));
  if (outcome.error_as<brio::TimeoutError>()) {
    sleeper.terminate();
    const int code = co_await sleeper.wait();
    std::printf("ended by signal %d\n", -code);
  }
}

brio::Coro<> amain() {
  co_await sort_words();
  co_await converse();
  co_await lose_patience();
  // A shell, with a directory and an environment of its own.
  const auto shell = co_await brio::create_subprocess_shell(
      "echo \"$GREETING from $PWD\"", {.stdout = PIPE, .cwd = "/", .env = {{"GREETING", "hello"}}});
  auto [out, err] = co_await shell.communicate();
  std::printf("%s", out->c_str());
  try {
    co_await brio::create_subprocess_exec("/no/such/program");
  } catch (const brio::FileNotFoundError& error) {
    std::printf("%s\n", error.what());
  }
}

int main() { brio::run(amain()); }
