// Streams over an engine that splits, delays and reorders.
#include "support.hpp"

#include <brio/core/taskgroup.hpp>
#include <brio/testing/faulty_engine.hpp>

using namespace brio;
using brio::testing::FaultOptions;
using brio::testing::FaultyEngine;

namespace {

std::string numbers(int from, int count) {
  std::string text;
  for (int i = from; i < from + count; ++i) text += std::to_string(i) + "\n";
  return text;
}

Coro<> echo_lines(StreamReader reader, StreamWriter writer) {
  while (auto line = co_await reader.next()) {
    writer.write(*line);
    co_await writer.drain();
  }
  writer.close();
}

Coro<std::string> ask(int port, std::string text) {
  auto [reader, writer] = co_await open_connection("127.0.0.1", port);
  writer.write(text);
  writer.write_eof();
  std::string answer = co_await reader.read();
  writer.close();
  co_await writer.wait_closed();
  co_return answer;
}

}  // namespace

TEST_CASE("faults: ten clients at once get every byte back, in its place") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    auto engine = std::make_unique<FaultyEngine>(FaultOptions{.seed = seed});
    FaultyEngine& faulty = *engine;
    const auto loop = new_event_loop(std::move(engine));
    int right = 0;
    loop->run_until_complete([&]() -> Coro<> {
      const auto server = co_await start_server(echo_lines, "127.0.0.1", 0);
      const int port = server->sockets()[0].getsockname().port();
      co_await task_group([&](TaskGroup& group) -> Coro<> {
        for (int i = 0; i < 10; ++i) {
          group.create_task([&right, port, i]() -> Coro<> {
            const std::string text = numbers(i * 1000, 300);
            const std::string answer = co_await ask(port, text);
            right += answer == text ? 1 : 0;
          });
        }
        co_return;
      });
      server->close();
      co_await server->wait_closed();
    }());
    CHECK(right == 10);
    CHECK(faulty.faults() > 100);
  }
}

TEST_CASE("faults: a policy gives each loop a seed of its own") {
  const auto before = get_event_loop_policy();
  set_event_loop_policy(std::make_shared<brio::testing::FaultyPolicy>());
  const auto one = new_event_loop();
  const auto other = new_event_loop();
  set_event_loop_policy(before);
  CHECK(one->engine().name() == std::string_view("faulty"));
  CHECK(other->engine().name() == std::string_view("faulty"));
}

TEST_CASE("faults: a run is repeated by its seed") {
  const auto run_with = [](std::uint64_t seed) {
    FaultyEngine engine({.seed = seed});
    std::string pattern;
    auto [a, b] = net::Socket::pair();
    for (int i = 0; i < 200; ++i) {
      const iovec part{const_cast<char*>("0123456789"), 10};
      const Transfer sent = engine.send(a.fileno(), &part, 1);
      pattern += sent.error != 0 ? "-" : std::to_string(sent.count) + ",";
    }
    return pattern;
  };
  CHECK(run_with(1) == run_with(1));
  CHECK(run_with(1) != run_with(2));
  CHECK_THROWS_AS(FaultyEngine({.piece = 0}), ValueError);
}
