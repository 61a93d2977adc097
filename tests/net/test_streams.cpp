#include "support.hpp"

#include <filesystem>
#include <unistd.h>

using namespace brio;
using brio::tests::caught;
using brio::tests::ticks;
using brio::tests::Trace;
using brio::tests::until;

namespace {
std::uint16_t port_of(const std::shared_ptr<Server>& server) {
  return server->sockets()[0].getsockname().port();
}
}  // namespace

TEST_CASE("streams: an echo, and both ends' addresses") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto echo = [](StreamReader r, StreamWriter w) -> Coro<> {
      while (auto line = co_await r.next()) {
        w.write(*line);
        co_await w.drain();
      }
      w.close();
    };
    auto server = co_await start_server(echo, "127.0.0.1", 0);
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
    const auto peer = w.get_extra_info<net::SocketAddress>("peername");
    ev("peer", peer->port() == port_of(server), peer->host() == "127.0.0.1");
    ev("name", w.get_extra_info<net::SocketAddress>("sockname")->host() == "127.0.0.1");
    ev("none", w.get_extra_info("no such thing").has_value());
    w.write("one\n");
    ev(co_await r.readline());
    w.writelines({"two\n", "three\n"});
    ev(co_await r.readline());
    ev(co_await r.readline());
    w.close();
    co_await w.wait_closed();
    server->close();
    co_await server->wait_closed();
    ev("end");
  });
  CHECK(ev.str() ==
        "peer True True\nname True\nnone False\nb'one\\n'\nb'two\\n'\nb'three\\n'\nend\n");
}

TEST_CASE("streams: half close (scenario 622)") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto handler = [&ev](StreamReader r, StreamWriter w) -> Coro<> {
      ev("server got", co_await r.read());
      co_await ticks(20);
      w.write(std::string(300000, 'z'));
      w.close();
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
    w.write("request");
    ev("can", w.can_write_eof());
    w.write_eof();
    ev("client got", (co_await r.read()).size(), r.at_eof());
    w.close();
    co_await w.wait_closed();
    server->close();
  });
  CHECK(ev.str() == "can True\nserver got b'request'\nclient got 300000 True\n");
}

TEST_CASE("streams: writer's close, twice, and drain afterwards (scenario 624)") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto handler = [](StreamReader r, StreamWriter w) -> Coro<> {
      (void)co_await r.read();
      w.close();
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
    ev(w.is_closing());
    w.close();
    ev(w.is_closing());
    co_await w.wait_closed();
    w.close();
    co_await w.wait_closed();
    w.write("ignored");
    co_await caught(ev, w.drain(), "drain");
    server->close();
  });
  CHECK(ev.str() == "False\nTrue\ndrain ConnectionResetError\n");
}

TEST_CASE("streams: the peer resets (scenario 625)") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto handler = [](StreamReader r, StreamWriter w) -> Coro<> {
      (void)co_await r.read(1);
      auto sock = *w.get_extra_info<net::TransportSocket>("socket");
      sock.setsockopt(SOL_SOCKET, SO_LINGER, linger{1, 0});
      w.transport()->abort();
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
    w.write("x");
    co_await caught(ev, r.read(100), "read");
    co_await caught(ev, w.drain(), "drain");
    w.close();
    co_await caught(ev, w.wait_closed(), "closed");
    server->close();
  });
  CHECK(ev.str() ==
        "read ConnectionResetError\ndrain ConnectionResetError\nclosed ConnectionResetError\n");
}

TEST_CASE(
    "streams: a closed server refuses, lets the old client go on, waits for it (scenario 627)") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto handler = [](StreamReader r, StreamWriter w) -> Coro<> {
      while (auto line = co_await r.next()) w.write(*line);
      w.close();
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    const int port = port_of(server);
    auto [r, w] = co_await open_connection("127.0.0.1", port);
    w.write("hello\n");
    ev(co_await r.readline());
    server->close();
    auto t = create_task(server->wait_closed());
    co_await ticks(5);
    ev("waiting", t.done(), "sockets", server->sockets().size());
    const auto refused = co_await as_outcome(open_connection("127.0.0.1", port));
    ev("new", refused.error());
    w.write("still\n");
    ev(co_await r.readline());
    w.close();
    co_await t;
    ev("closed");
  });
  CHECK(ev.str() ==
        "b'hello\\n'\nwaiting False sockets 0\nnew ConnectionRefusedError\nb'still\\n'\nclosed\n");
}

TEST_CASE("streams: wait_closed waits for what was accepted in the turn of the close") {
  for (int turns = 0; turns < 8; ++turns) {
    int started = 0;
    int finished = 0;
    run([&]() -> Coro<> {
      const auto handler = [&](StreamReader, StreamWriter w) -> Coro<> {
        ++started;
        co_await ticks(3);
        w.close();
        co_await w.wait_closed();
        ++finished;
      };
      auto server = co_await start_server(handler, "127.0.0.1", 0);
      net::Socket client(AF_INET);
      (void)client.connect(server->sockets()[0].getsockname());
      co_await ticks(turns);
      server->close();
      co_await server->wait_closed();
      const int by_then = started;
      co_await ticks(20);
      CHECK(started == by_then);
      CHECK(finished == started);
    });
  }
}

TEST_CASE("streams: over a Unix socket, whose path goes with the server (scenario 630)") {
  Trace ev;
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("brio-net-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = folder / "s";
  run([&]() -> Coro<> {
    const auto handler = [](StreamReader r, StreamWriter w) -> Coro<> {
      std::string line = co_await r.readline();
      for (char& c : line) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
      w.write(line);
      w.close();
    };
    auto server = co_await start_unix_server(handler, path);
    ev("path", std::filesystem::exists(path));
    auto [r, w] = co_await open_unix_connection(path);
    w.write("hello\n");
    ev(co_await r.read());
    w.close();
    co_await w.wait_closed();
    server->close();
    co_await server->wait_closed();
    ev("path", std::filesystem::exists(path));
    const auto none = co_await as_outcome(open_unix_connection(path));
    ev("no server", none.error());
  });
  std::filesystem::remove_all(folder);
  CHECK(ev.str() == "path True\nb'HELLO\\n'\npath False\nno server FileNotFoundError\n");
}

TEST_CASE("streams: over an abstract Unix socket") {
  Trace ev;
  const std::string name = std::string("\0brio-streams-", 14) + std::to_string(::getpid());
  run([&]() -> Coro<> {
    const auto handler = [](StreamReader, StreamWriter w) { w.write("hello"), w.close(); };
    auto server = co_await start_unix_server(handler, name);
    auto [r, w] = co_await open_unix_connection(name);
    ev(co_await r.read());
    server->close();
  });
  CHECK(ev.str() == "b'hello'\n");
}

TEST_CASE("streams: a plain function serves as well as a coroutine") {
  Trace ev;
  run([&]() -> Coro<> {
    auto server = co_await start_server(
        [](StreamReader, StreamWriter w) {
          w.write("plain");
          w.close();
        },
        "127.0.0.1", 0);
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
    ev(co_await r.read());
    server->close();
  });
  CHECK(ev.str() == "b'plain'\n");
}

TEST_CASE("streams: a handler's error is reported and closes; a cancelled one closes quietly") {
  Trace ev;
  run([&]() -> Coro<> {
    tests::trap(ev);
    Task<void> running;
    const auto handler = [&](StreamReader r, StreamWriter) -> Coro<> {
      const std::string word = co_await r.readline();
      if (word == "throw\n") throw tests::Boom("handler");
      current_task().cancel();
      co_await ticks(1);
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    for (const char* word : {"throw\n", "cancel\n"}) {
      auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
      w.write(word);
      ev(co_await r.read());
    }
    server->close();
    co_await server->wait_closed();
  });
  CHECK(ev.str() == "HANDLER Unhandled exception in client_connected_cb Boom(handler)\nb''\nb''\n");
}

TEST_CASE("streams: a writer that is dropped unclosed closes its connection") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto handler = [](StreamReader r, StreamWriter) -> Coro<> { (void)co_await r.read(1); };
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
    w.write("x");
    ev(co_await r.read());
    server->close();
    co_await server->wait_closed();
  });
  CHECK(ev.str() == "b''\n");
}

TEST_CASE("streams: a connection is closed with the last of its writers") {
  std::string got;
  run([&]() -> Coro<> {
    auto [ours, peer] = net::Socket::pair();
    auto [reader, writer] = co_await open_connection(std::move(ours));
    std::optional<StreamWriter> first = writer;
    std::optional<StreamWriter> second = std::move(writer);
    first.reset();
    co_await ticks(3);
    CHECK(!second->is_closing());
    second->write("still here");
    second.reset();
    co_await until([&socket = peer, &got] {
      got += tests::all_of(socket);
      return got.ends_with("<end>");
    });
  });
  CHECK(got == "still here<end>");
}

TEST_CASE("streams: a handler's closure lives until its tasks have ended") {
  run([]() -> Coro<> {
    auto held = std::make_shared<int>();
    const std::weak_ptr<int> watch = held;
    const Future<> go_on = create_future();
    const Future<> closed = create_future();
    auto server = co_await start_server(
        [held = std::move(held), go_on, closed](StreamReader, StreamWriter w) -> Coro<> {
          {
            const StreamWriter gone = std::move(w);
            gone.close();
            co_await gone.wait_closed();
          }
          closed.set_result();
          co_await go_on;
          ++*held;
        },
        "127.0.0.1", 0);
    auto [reader, writer] = co_await open_connection("127.0.0.1", port_of(server));
    co_await closed;
    server->close();
    co_await server->wait_closed();
    server.reset();
    co_await ticks(3);
    CHECK(!watch.expired());
    go_on.set_result();
    co_await ticks(3);
    CHECK(watch.expired());
    writer.close();
    co_await writer.wait_closed();
  });
}

TEST_CASE("streams: drain waits for a slow reader, several tasks at once") {
  Trace ev;
  run([&]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    auto [r, w] = co_await open_connection(std::move(a));
    w.write(std::string(1 << 20, 'x'));
    auto first = create_task(w.drain());
    auto second = create_task(w.drain());
    co_await ticks(3);
    ev(first.done(), second.done());
    second.cancel();
    const auto cancelled = co_await as_outcome(second);
    ev(cancelled.cancelled());
    std::size_t got = 0;
    while (got < 1 << 20) got += (co_await sock_recv(b, 1 << 16)).size();
    co_await first;
    co_await w.drain();
    ev("drained", w.transport()->get_write_buffer_size());
    w.close();
    co_await w.wait_closed();
  });
  CHECK(ev.str() == "False False\nTrue\ndrained 0\n");
}

TEST_CASE("streams: one connection per handler's context (scenario 914)") {
  Trace ev;
  ContextVar<std::string> var("var", "unset");
  run([&]() -> Coro<> {
    const auto handler = [&var](StreamReader, StreamWriter w) -> Coro<> {
      const std::string seen = var.get();
      var.set("changed by handler");
      w.write(seen);
      w.close();
      co_return;
    };
    var.set("server made here");
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    var.set("later");
    for (int i = 0; i < 2; ++i) {
      auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
      ev(co_await r.read());
      w.close();
    }
    ev(var.get());
    server->close();
  });
  CHECK(ev.str() == "b'server made here'\nb'server made here'\nb'later'\n");
}

TEST_CASE("streams: the loop may end with connections and servers open") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto handler = [](StreamReader r, StreamWriter w) -> Coro<> {
      w.write("hello");
      (void)co_await r.read();
    };
    auto server = co_await start_server(handler, "127.0.0.1", 0);
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
    ev(co_await r.readexactly(5));
  });
  CHECK(ev.str() == "b'hello'\n");
}
