// Streams: a server and its client in one program. Bytes in, bytes out, and how a connection ends.
#include <brio/brio.hpp>

#include <cstdio>
#include <string>

// What the server does for each client: a task of its own. next() ends when the client has ended
// its side and all of its lines are read.
brio::Coro<> echo(brio::StreamReader reader, brio::StreamWriter writer) {
  while (auto line = co_await reader.next()) {
    writer.write(*line);      // never waits: what the kernel does not take is kept for later
    co_await writer.drain();  // waits while too much is kept: a slow client slows us down
  }
  writer.write("goodbye");
  std::puts("server: the client has said all");
  writer.close();  // sends what is kept, then ends
  co_await writer.wait_closed();
}

// A connection is a pair of two handles.
brio::Coro<> talk(int port) {
  auto [reader, writer] = co_await brio::open_connection("127.0.0.1", port);
  writer.write("hello\n");
  co_await writer.drain();
  const std::string line = co_await reader.readline();  // with its "\n"
  std::printf("line: %s", line.c_str());

  // TCP knows no messages: how long one is, or how it ends, is for the reader to say.
  writer.writelines({"key=value;", "4bytes", "\n"});
  const std::string key = co_await reader.readuntil("=");
  const std::string value = co_await reader.readuntil({";", "\n"});  // whichever comes first
  const std::string six = co_await reader.readexactly(6);
  (void)co_await reader.readline();
  std::printf("key '%s' value '%s' six '%s'\n", key.c_str(), value.c_str(), six.c_str());

  // Half-close: we have said all and still listen.
  writer.write_eof();
  const std::string last = co_await reader.read();  // up to the end
  std::printf("last: %s, %s\n", last.c_str(), reader.at_eof() ? "at the end" : "more to come");
  try {
    (void)co_await reader.readexactly(1);
  } catch (const brio::IncompleteReadError& error) {
    std::printf("%s\n", error.what());
  }
  writer.close();
  co_await writer.wait_closed();
}

// The limit bounds what a peer can make us keep: a longer line is an error and no memory.
brio::Coro<> keep_short(int port) {
  auto [reader, writer] = co_await brio::open_connection("127.0.0.1", port, {.limit = 8});
  writer.write("a line that is too long\nshort\n");
  const auto line = co_await brio::as_outcome(reader.readuntil("\n"));
  if (const auto error = line.error_as<brio::LimitOverrunError>()) {
    std::printf("%s\n", error->what());
    (void)co_await reader.readexactly(error->consumed());  // nothing is lost: skip it, or give up
    (void)co_await reader.readuntil("\n");
  } else {
    line.raise();
  }
  const std::string next = co_await reader.readuntil("\n");
  std::printf("then: %s", next.c_str());
  writer.close();
  co_await writer.wait_closed();
}

brio::Coro<> amain() {
  // Port 0: the kernel chooses a free one.
  const auto server = co_await brio::start_server(echo, "127.0.0.1", 0);
  const int port = server->sockets()[0].getsockname().port();
  co_await talk(port);
  co_await keep_short(port);
  server->close();                 // no new clients
  co_await server->wait_closed();  // those that stand are served to their end
  try {
    (void)co_await brio::open_connection("127.0.0.1", port);
  } catch (const brio::ConnectionRefusedError&) {
    std::puts("closed");
  }
}

int main() { brio::run(amain()); }
