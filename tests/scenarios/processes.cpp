// 80x: subprocesses.
#include "scenario.hpp"

#include <brio/os/subprocess.hpp>

#include <cstdlib>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using subprocess::PIPE;

namespace {
std::optional<Bytes> bytes_or_none(std::optional<std::string> text) {
  if (!text) return std::nullopt;
  return bytes(*text);
}
}  // namespace

namespace s802 {
Coro<> main() {
  const auto p = co_await create_subprocess_exec("cat", {}, {.stdin = PIPE, .stdout = PIPE});
  for (int i = 0; i < 3; ++i) {
    p.stdin().write("line " + std::to_string(i) + "\n");
    co_await p.stdin().drain();
    const std::string line = co_await p.stdout().readline();
    ev(bytes(line), p.returncode());
  }
  p.stdin().close();
  co_await p.stdin().wait_closed();
  const std::string rest = co_await p.stdout().read();
  const int first = co_await p.wait();
  const int second = co_await p.wait();
  ev(bytes(rest), first, second, p.returncode());
}
}  // namespace s802
SCENARIO(802_process_conversation) {
  real_time();
  go(s802::main);
}

namespace s804 {
Coro<> main() {
  const auto p = co_await create_subprocess_shell("sleep 0.3; exit 3");
  std::vector<Task<int>> ts;
  for (int i = 0; i < 3; ++i) ts.push_back(create_task(p.wait()));
  co_await ticks(3);
  ts[1].cancel();
  co_await wait(ts);
  ev(st(ts[0]), st(ts[1]), st(ts[2]), p.returncode());
}
}  // namespace s804
SCENARIO(804_process_wait_many) {
  real_time();
  go(s804::main);
}

namespace s807 {
Coro<> main() {
  co_await caught(no_value(create_subprocess_exec("/no/such/program")), "missing");
  const auto p = co_await create_subprocess_shell(
      R"(echo "$PWD $X")",
      {.stdout = PIPE, .cwd = "/", .env = {{"X", "set"}, {"PATH", std::getenv("PATH")}}});
  auto [out, err] = co_await p.communicate();
  ev(std::pair(bytes_or_none(std::move(out)), bytes_or_none(std::move(err))));
  co_await caught(no_value(create_subprocess_exec("true", {}, {.text = true})), "text");
}
}  // namespace s807
SCENARIO(807_process_cannot_start) {
  real_time();
  go(s807::main);
}
