// Rounds of everything that a server meets, each of which must leave nothing behind.
#include "load.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/outcome.hpp>
#include <brio/core/sleep.hpp>
#include <brio/core/task.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/net/datagram.hpp>
#include <brio/net/streams.hpp>
#include <brio/os/subprocess.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>

namespace brio::load {

namespace {

using Random = std::mt19937;

// What a client does with its connection; a server must outlive all of it.
Coro<> visit(int port, Random& random) {
  auto [reader, writer] = co_await open_connection("127.0.0.1", port);
  switch (random() % 6) {
    case 0: break;  // comes and goes
    case 1: {       // a conversation
      for (int i = 0; i < 5; ++i) {
        const std::string said = std::string(1 + random() % 2000, 'x') + "\n";
        writer.write(said);
        co_await writer.drain();
        require(co_await reader.readline() == said, "a line came back wrong");
      }
      break;
    }
    case 2:  // resets with data on the way
      writer.write(std::string(100'000, 'y') + "\n");
      writer.transport()->abort();
      break;
    case 3:  // gives up in the middle of a read
      (void)co_await as_outcome(wait_for(reader.readline(), std::chrono::milliseconds(1)));
      break;
    case 4:  // says that it has nothing more to say, and hears the rest
      writer.write("last words\n");
      writer.write_eof();
      require(co_await reader.read() == "last words\n", "the last words came back wrong");
      break;
    case 5: {  // much, and slowly read
      const std::string much(300'000, 'z');
      writer.write(much + "\n");
      writer.write_eof();
      std::size_t got = 0;
      while (true) {
        const std::string piece = co_await reader.read(50'000);
        if (piece.empty()) break;
        got += piece.size();
        co_await sleep(std::chrono::microseconds(100));
      }
      require(got == much.size() + 1, "the flood came back short");
      break;
    }
  }
  writer.close();
  (void)co_await as_outcome(writer.wait_closed());
}

Coro<> serve(StreamReader reader, StreamWriter writer) {
  // A peer that resets is everyday.
  (void)co_await as_outcome([](StreamReader in, StreamWriter out) -> Coro<> {
    while (true) {
      const std::string line = co_await in.readuntil("\n");
      out.write(line);
      co_await out.drain();
    }
  }(reader, writer));
  writer.close();
  (void)co_await as_outcome(writer.wait_closed());
}

Coro<> round(Random& random) {
  const auto server = co_await start_server(serve, "127.0.0.1", 0, {.limit = 1 << 20});
  const int port = server->sockets()[0].getsockname().port();
  for (int i = 0; i < 4; ++i) {
    std::vector<Coro<>> visits;
    for (int j = 0; j < 25; ++j) visits.push_back(visit(port, random));
    co_await gather(std::move(visits));
  }
  const auto child = co_await create_subprocess_exec(
      "/bin/cat", {}, {.stdin = subprocess::PIPE, .stdout = subprocess::PIPE});
  const auto [out, err] = co_await child.communicate("to the cat");
  require(out == "to the cat", "the cat answered otherwise");
  server->close();
  co_await server->wait_closed();
  co_await sleep(std::chrono::milliseconds(1));  // the last closings
}

}  // namespace

Coro<> soak(Arguments arguments) {
  const std::chrono::seconds enough(arguments.number("--seconds", 180));
  const std::uint64_t rounds = arguments.number("--rounds", 0);  // instead of a time
  EventLoop& loop = get_running_loop();
  Random random(static_cast<unsigned>(arguments.number("--seed", 1)));
  const auto from = std::chrono::steady_clock::now();
  // The first rounds fill pools, caches and tables.
  for (int i = 0; i < 10; ++i) co_await round(random);
  const Holdings first = holdings(loop);
  std::uint64_t done = 0;
  while (rounds != 0 ? done < rounds : std::chrono::steady_clock::now() - from < enough) {
    co_await round(random);
    ++done;
  }
  const Holdings last = holdings(loop);
  std::printf(
      "%llu rounds, %s: heap %+.1f KiB, resident %+.1f KiB, descriptors %+td, requests in the "
      "ring %+td\n",
      static_cast<unsigned long long>(done), loop.engine().name(),
      (static_cast<double>(last.heap) - static_cast<double>(first.heap)) / 1024,
      (static_cast<double>(last.resident) - static_cast<double>(first.resident)) / 1024,
      static_cast<std::ptrdiff_t>(last.descriptors - first.descriptors),
      static_cast<std::ptrdiff_t>(last.in_flight - first.in_flight));
  require(last.descriptors <= first.descriptors, "descriptors were left open");
  require(last.in_flight <= first.in_flight, "requests were left in the ring");
  // Buffers of connections differ by what they met; a leak of 100 bytes a round does not hide.
  require(last.heap < first.heap + 512 * 1024, "the heap grows");
}

}  // namespace brio::load
