// Ten thousand connections: what an idle one costs, and that all of them are served.
#include "load.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/task.hpp>
#include <brio/net/streams.hpp>
#include <brio/os/subprocess.hpp>
#include <brio/sync/event.hpp>

#include <cstdio>
#include <utility>
#include <vector>

namespace brio::load {

namespace {

struct Clients {
  std::size_t connected = 0;
  std::size_t lost = 0;
  Event changed;
};

class Echo : public Protocol {
public:
  explicit Echo(Clients& clients) : clients_(&clients) {}
  void connection_made(std::shared_ptr<Transport> transport) override {
    transport_ = std::move(transport);
    ++clients_->connected;
  }
  void data_received(std::string_view data) override { transport_->write(data); }
  void connection_lost(std::exception_ptr) override {
    transport_ = nullptr;
    ++clients_->lost;
    clients_->changed.set();
  }

private:
  std::shared_ptr<Transport> transport_;
  Clients* clients_;
};

Coro<> wait_until_lost(Clients& clients, std::size_t count) {
  while (clients.lost < count) {
    clients.changed.clear();
    co_await clients.changed.wait();
  }
}

struct Connection {
  StreamReader reader;
  StreamWriter writer;
};

Coro<> exchange(Connection& connection, std::string text) {
  connection.writer.write(text);
  co_await connection.writer.drain();
  const std::string answer = co_await connection.reader.readexactly(text.size());
  require(answer == text, "a connection answered " + answer + " to " + text);
}

}  // namespace

// The clients, in a process of their own: connects, says "ready"; with each line of standard input
// every connection exchanges a message once more; ends with the input.
Coro<> hold(Arguments arguments) {
  const auto count = arguments.number("--count", 0);
  const auto port = static_cast<int>(arguments.number("--port", 0));
  std::vector<Connection> open;
  open.reserve(count);
  // As many at a time as the server's queue holds.
  while (open.size() < count) {
    std::vector<Coro<std::pair<StreamReader, StreamWriter>>> some;
    for (std::size_t i = open.size(); i < count && some.size() < 200; ++i)
      some.push_back(open_connection("127.0.0.1", port, {.limit = 1024}));
    for (auto& [reader, writer] : co_await gather(std::move(some)))
      open.push_back({std::move(reader), std::move(writer)});
  }
  for (std::string line = "first"; !line.empty();) {
    for (Connection& connection : open) co_await exchange(connection, line);
    std::puts("ready");
    std::fflush(stdout);
    char buffer[64];
    line = std::fgets(buffer, sizeof buffer, stdin) ? buffer : "";
  }
  for (const Connection& connection : open) connection.writer.close();
  for (const Connection& connection : open) co_await connection.writer.wait_closed();
}

Coro<> connections(Arguments arguments) {
  const auto count = arguments.number("--count", 10'000);
  const std::string kind = arguments.text("--server", "callbacks");
  EventLoop& loop = get_running_loop();
  Clients clients;
  const ServerOptions options{.backlog = 4096};
  std::shared_ptr<Server> server;
  if (kind == "callbacks") {
    server = co_await create_server([&clients] { return std::make_shared<Echo>(clients); },
                                    "127.0.0.1", 0, options);
  } else {
    server = co_await start_server(
        [&clients](StreamReader reader, StreamWriter writer) -> Coro<> {
          ++clients.connected;
          while (true) {
            const std::string data = co_await reader.read(65536);
            if (data.empty()) break;
            writer.write(data);
            co_await writer.drain();
          }
          writer.close();
          co_await writer.wait_closed();
          ++clients.lost;
          clients.changed.set();
        },
        "127.0.0.1", 0, options);
  }
  const int port = server->sockets()[0].getsockname().port();
  // What the first one brings along (the loop's buffers, say) is not the others'.
  Connection one = [](auto pair) -> Connection {
    return {std::move(pair.first), std::move(pair.second)};
  }(co_await open_connection("127.0.0.1", port));
  co_await exchange(one, "one");
  // Named, for g++ 14 ends with an error of its own over the list as an argument.
  std::vector<std::string> command{"hold", "--port", std::to_string(port), "--count",
                                   std::to_string(count)};
  const auto child =
      co_await create_subprocess_exec("/proc/self/exe", std::move(command),
                                      {.stdin = subprocess::PIPE, .stdout = subprocess::PIPE});
  const Holdings before = holdings(loop);
  const std::string first = co_await child.stdout().readline();
  require(first == "ready\n", "the clients did not connect");
  require(clients.connected == count + 1, "not every connection arrived");
  const Holdings idle = holdings(loop);
  child.stdin().write("again\n");
  const std::string second = co_await child.stdout().readline();
  require(second == "ready\n", "the clients were not all served again");
  child.stdin().close();
  const int status = co_await child.wait();
  require(status == 0, "the clients ended with " + std::to_string(status));
  co_await wait_until_lost(clients, count);
  co_await exchange(one, "still there");
  one.writer.close();
  co_await wait_until_lost(clients, count + 1);
  const Holdings after = holdings(loop);
  server->close();
  co_await server->wait_closed();

  const std::size_t heap = (idle.heap - before.heap) / count;
  const std::size_t resident = (idle.resident - before.resident) / count;
  std::printf("%llu connections, %s, %s: %zu bytes of heap and %zu resident for each\n",
              static_cast<unsigned long long>(count), kind.c_str(), loop.engine().name(), heap,
              resident);
  require(after.descriptors <= before.descriptors, "descriptors were left open");
  const auto budget = arguments.number("--budget", 1024);
  require(heap < budget, "an idle connection costs " + std::to_string(heap) + " bytes");
}

}  // namespace brio::load
