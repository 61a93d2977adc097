// One loop uses one processor. More of them: in threads, and in processes that outlive a crash.
#include <brio/brio.hpp>
#include <brio/net/streams.hpp>
#include <brio/os/worker_processes.hpp>
#include <brio/os/workers.hpp>

#include <cctype>
#include <csignal>
#include <cstdio>
#include <string>

using namespace std::chrono_literals;

// One line in, the same in capitals out. One word is too much for this server.
brio::Coro<> shout(brio::StreamReader reader, brio::StreamWriter writer) {
  std::string line = co_await reader.readline();
  if (line == "crash\n") std::raise(SIGKILL);
  for (char& c : line) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  writer.write(line);
  co_await writer.drain();
  writer.close();
}

// What a worker does: all accept from the same socket, until they are told to stop.
brio::Coro<> serve(brio::Worker& worker, const brio::net::Socket& sock) {
  auto server = co_await brio::start_server(shout, sock.dup());
  worker.ready();
  co_await worker.stopped();
  server->close();
  co_await server->wait_closed();
}

brio::Coro<> ask(int port, std::string line) {
  auto [reader, writer] = co_await brio::open_connection("127.0.0.1", port);
  std::printf("  %s", line.c_str());
  writer.write(line);
  const auto answer = co_await brio::as_outcome(reader.readline());
  const bool none = !answer || answer.value().empty();
  std::printf("  -> %s", none ? "nothing\n" : answer.value().c_str());
  writer.close();
}

int main() {
  auto sock = brio::net::bound_socket(brio::net::SocketAddress::ip("127.0.0.1", 0));
  sock.listen(100);
  const int port = sock.getsockname().port();

  std::printf("threads\n");
  brio::run_workers(3, [&](brio::Worker& worker) -> brio::Coro<> {
    if (worker.index() < 2) {
      co_await serve(worker, sock);
    } else {  // the third is their client
      co_await ask(port, "hello\n");
      worker.stop_all();  // SIGINT and SIGTERM do the same
    }
  });

  std::printf("processes\n");
  brio::run_worker_processes(3, [&](brio::Worker& worker) -> brio::Coro<> {
    if (worker.index() < 2) {
      co_await serve(worker, sock);
    } else {
      co_await ask(port, "hello\n");
      co_await ask(port, "crash\n");  // takes one process down; the log says which
      co_await ask(port, "hello\n");  // the other is there, and soon a new one
      worker.stop_all();
    }
  });
  std::printf("all have stopped\n");
}
