// The loop's operations on plain sockets.
#include "support.hpp"

#include <brio/net/streams.hpp>

#include <fcntl.h>

using namespace brio;
using brio::tests::caught;
using brio::tests::counts_transfers;
using brio::tests::ticks;
using brio::tests::Trace;

TEST_CASE("sock: a cancelled receive loses nothing, data at hand needs no turn (scenario 716)") {
  Trace ev;
  run([&]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    auto t = create_task(sock_recv(b, 10));
    co_await ticks(3);
    t.cancel();
    ev("got", (co_await as_outcome(AnyFuture(t))).error());
    (void)a.send("later");
    get_running_loop().call_soon([&] { ev("queued"); });
    ev(co_await sock_recv(b, 10));
    co_await ticks(1);
    t = create_task(sock_recv(b, 10));
    co_await ticks(3);
    t.cancel();
    auto u = create_task(sock_recv(b, 10));
    co_await ticks(2);
    (void)a.send("more");
    ev("got value", co_await u);
  });
  CHECK(ev.str() == "got CancelledError\nb'later'\nqueued\ngot value b'more'\n");
}

TEST_CASE("sock: data and cancellation in one turn: the cancellation wins, the data stays") {
  Trace ev;
  run([&]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    auto t = create_task(sock_recv(b, 10));
    co_await ticks(3);
    (void)a.send("kept");
    // The poll of the next turn finds the data; this cancels the task in the same turn.
    get_running_loop().call_soon([&] { t.cancel(); });
    ev((co_await as_outcome(AnyFuture(t))).error());
    ev(co_await sock_recv(b, 10));
  });
  CHECK(ev.str() == "CancelledError\nb'kept'\n");
}

// As many as CPython 3.13 counts: the poll that finds the data comes after our first turn, the task
// is woken behind our second and has run when we look after the third.
TEST_CASE("sock: from the peer's send to the end of sock_recv" * counts_transfers()) {
  Trace ev;
  run([&]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    auto t = create_task(sock_recv(b, 10));
    co_await ticks(3);
    (void)a.send("x");
    int turns = 0;
    while (!t.done()) {
      co_await ticks(1);
      ++turns;
    }
    ev("turns", turns);
  });
  CHECK(ev.str() == "turns 3\n");
}

TEST_CASE("sock: accept, connect, sendall and recv_into over TCP") {
  Trace ev;
  run([&]() -> Coro<> {
    net::Socket listener = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
    listener.listen();
    auto accepting = create_task(sock_accept(listener));
    co_await ticks(2);
    net::Socket client(AF_INET);
    co_await sock_connect(client, "127.0.0.1", listener.getsockname().port());
    auto [server, peer] = co_await std::move(accepting);
    ev("peer", peer == client.getsockname(), server.getblocking());
    const std::string big(3'000'000, 'x');
    auto sending = create_task(sock_sendall(client, big));
    std::size_t got = 0;
    std::string memory(100'000, '\0');
    while (got < big.size()) got += co_await sock_recv_into(server, memory);
    co_await sending;
    ev("all", got);
    client.close();
    ev(co_await sock_recv(server, 10));
    ev("end", co_await sock_recv_into(server, memory));
  });
  CHECK(ev.str() == "peer True False\nall 3000000\nb''\nend 0\n");
}

TEST_CASE("sock: errors name the operation and the address") {
  std::string text;
  Trace ev;
  run([&]() -> Coro<> {
    net::Socket taken = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
    const net::SocketAddress nobody = taken.getsockname();  // bound, but nobody listens
    net::Socket client(AF_INET);
    const auto refused = co_await as_outcome(sock_connect(client, nobody));
    ev(refused.error());
    text = describe(refused.error());
    CHECK(text == "connect to " + nobody.to_string() + " failed: Connection refused");
    net::Socket unconnected(AF_INET);
    ev((co_await as_outcome(sock_sendall(unconnected, "x"))).error());
    ev((co_await as_outcome(sock_accept(unconnected))).error());
    ev((co_await as_outcome(sock_recv(net::TransportSocket(-1), 10))).error());
  });
  CHECK(ev.str() == "ConnectionRefusedError\nBrokenPipeError\nOSError\nOSError\n");
}

TEST_CASE("sock: a Unix listener with a full queue is an error, not a false success") {
  Trace ev;
  run([&]() -> Coro<> {
    const auto name = net::SocketAddress::abstract("brio-full-" + std::to_string(::getpid()));
    net::Socket listener = net::bound_socket(name);
    listener.listen(0);
    std::vector<net::Socket> clients;
    std::exception_ptr error;
    while (!error && clients.size() < 10) {
      clients.emplace_back(AF_UNIX);
      error = (co_await as_outcome(sock_connect(clients.back(), name))).error();
    }
    ev(error);
  });
  CHECK(ev.str() == "BlockingIOError\n");
}

TEST_CASE("sock: datagrams with sendto and recvfrom") {
  Trace ev;
  run([&]() -> Coro<> {
    net::Socket a = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0), SOCK_DGRAM);
    net::Socket b = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0), SOCK_DGRAM);
    auto receiving = create_task(sock_recvfrom(b, 100));
    co_await ticks(2);
    ev("sent", co_await sock_sendto(a, "hello", b.getsockname()));
    const auto [data, from] = co_await receiving;
    ev(data, from == a.getsockname());
    ev("sent", co_await sock_sendto(b, "", a.getsockname()));
    char memory[10];
    const auto [count, back] = co_await sock_recvfrom_into(a, memory);
    ev("empty", count, back == b.getsockname());
  });
  CHECK(ev.str() == "sent 5\nb'hello' True\nsent 0\nempty 0 True\n");
}

TEST_CASE("sock: a blocking socket is refused in debug mode, a transport's always") {
  Trace ev;
  run(
      [&]() -> Coro<> {
        auto [a, b] = net::Socket::pair();
        a.setblocking(true);
        ev((co_await as_outcome(sock_recv(a, 10))).error());
        const int fd = b.fileno();
        auto [r, w] = co_await open_connection(std::move(b));
        ev((co_await as_outcome(sock_recv(net::TransportSocket(fd), 10))).error());
        w.close();
        co_await w.wait_closed();
      },
      {.debug = true});
  CHECK(ev.str() == "ValueError\nRuntimeError\n");
}

TEST_CASE("sock: a cancelled accept leaves the connection for the next one") {
  Trace ev;
  run([&]() -> Coro<> {
    net::Socket listener = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
    listener.listen();
    auto accepting = create_task(sock_accept(listener));
    co_await ticks(2);
    net::Socket client(AF_INET);
    client.setblocking(true);
    CHECK(client.connect(listener.getsockname()));
    accepting.cancel();
    ev((co_await as_outcome(AnyFuture(accepting))).cancelled());
    const auto [server, peer] = co_await sock_accept(listener);
    ev(peer == client.getsockname());
  });
  CHECK(ev.str() == "True\nTrue\n");
}

TEST_CASE("sock: a datagram that is longer than the loop's buffer comes whole") {
  run([]() -> Coro<> {
    auto [a, b] = net::Socket::pair(SOCK_DGRAM);
    a.setsockopt(SOL_SOCKET, SO_SNDBUF, 1'000'000);
    const std::string sent(400'000, 'x');
    REQUIRE(a.send(sent) == sent.size());
    const std::string got = co_await sock_recv(b, 1'000'000);
    CHECK(got == sent);
    REQUIRE(a.send(sent) == sent.size());
    const auto [again, from] = co_await sock_recvfrom(b, 1'000'000);
    CHECK(again == sent);
  });
}

TEST_CASE(
    "sock: who waits for a socket that is closed hears of it, and has no part in the next one") {
  run([]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    const int number = b.fileno();
    auto reading = create_task(sock_recv(b, 10));
    auto reading_too = create_task(sock_recv(b, 10));
    auto filling = create_task(sock_sendall(b, std::string(4'000'000, 'x')));
    co_await ticks(3);
    b.close();
    auto [c, d] = net::Socket::pair();
    REQUIRE(std::min(c.fileno(), d.fileno()) == number);
    net::Socket& other = c.fileno() == number ? d : c;
    net::Socket& same = c.fileno() == number ? c : d;
    (void)other.send("private");
    for (const AnyFuture& task : {AnyFuture(reading), AnyFuture(reading_too), AnyFuture(filling)}) {
      const auto outcome = co_await as_outcome(task);
      CHECK(brio::describe(outcome.error()).find("which was closed") != std::string::npos);
    }
    const std::string got = co_await sock_recv(same, 10);
    CHECK(got == "private");
    // Its peer sees the end, whatever the kernel still did with it.
    std::string rest;
    do {
      rest = co_await sock_recv(a, 1'000'000);
    } while (!rest.empty());
  });
}

TEST_CASE("sock: readers of a closed socket go uncalled, and the number's next user is served") {
  run([]() -> Coro<> {
    bool called = false;
    auto [old, peer] = net::Socket::pair();
    const int number = old.fileno();
    get_running_loop().add_reader(number, [&] { called = true; });
    co_await ticks(2);
    old.close();
    net::Socket listener = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
    REQUIRE(listener.fileno() == number);
    const int port = listener.getsockname().port();
    listener.listen();
    auto server = co_await start_server(
        [](StreamReader, StreamWriter writer) -> Coro<> {
          writer.write("hello");
          writer.close();
          co_return;
        },
        std::move(listener));
    auto [reader, writer] = co_await open_connection("127.0.0.1", port);
    const std::string got = co_await reader.read();
    CHECK(got == "hello");
    CHECK(!called);
    writer.close();
    server->close();
  });
}

TEST_CASE("sock: several tasks that receive from one socket are all served") {
  run([]() -> Coro<> {
    auto [a, b] = net::Socket::pair(SOCK_DGRAM);
    auto first = create_task(sock_recv(b, 10));
    auto second = create_task(sock_recv(b, 10));
    auto third = create_task(sock_recv(b, 10));
    co_await ticks(2);
    second.cancel();
    (void)a.send("1");
    (void)a.send("3");
    const std::string one = co_await first;
    const std::string three = co_await third;
    CHECK(one == "1");
    CHECK(three == "3");
  });
}

TEST_CASE("sock: a descriptor that the loop is told to forget ends its waits, too") {
  run([]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    auto old = create_task(sock_recv(b, 10));
    co_await ticks(3);
    const int number = b.detach();
    get_running_loop().forget(number);
    ::close(number);
    auto [c, d] = net::Socket::pair();
    net::Socket& same = c.fileno() == number ? c : d;
    net::Socket& other = c.fileno() == number ? d : c;
    REQUIRE(same.fileno() == number);
    auto fresh = create_task(sock_recv(same, 10));
    co_await ticks(3);
    (void)other.send("new");
    const std::string got = co_await fresh;
    CHECK(got == "new");
    const auto outcome = co_await as_outcome(AnyFuture(old));
    CHECK(outcome.error_as<OSError>()->error_number() == EBADF);
  });
}

TEST_CASE("sock: closing after a wait that was given up really closes") {
  run([]() -> Coro<> {
    net::Socket listener = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
    listener.listen();
    const net::SocketAddress address = listener.getsockname();
    auto accepting = create_task(sock_accept(listener));
    co_await ticks(3);
    accepting.cancel();
    (void)co_await as_outcome(AnyFuture(accepting));
    listener.close();
    net::Socket again = net::bound_socket(address);
    CHECK(again.getsockname() == address);

    auto [a, b] = net::Socket::pair();
    auto reading = create_task(sock_recv(b, 10));
    co_await ticks(3);
    reading.cancel();
    (void)co_await as_outcome(AnyFuture(reading));
    b.close();
    CHECK(a.recv(10).empty());  // it would block if the other end were open still
  });
}
