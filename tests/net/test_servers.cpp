#include "support.hpp"

#include <brio/core/cancel_scope.hpp>
#include <brio/core/exception_group.hpp>
#include <brio/net/connector.hpp>

#include <filesystem>
#include <netinet/in.h>
#include <sys/resource.h>
#include <unistd.h>

using namespace brio;
using namespace std::chrono_literals;
using brio::tests::always;
using brio::tests::Boom;
using brio::tests::caught;
using brio::tests::counts_transfers;
using brio::tests::RecordingProtocol;
using brio::tests::ticks;
using brio::tests::Trace;
using brio::tests::until;

namespace {

int port_of(const std::shared_ptr<Server>& server) {
  return server->sockets()[0].getsockname().port();
}

auto silent_protocol() {
  return [] { return std::make_shared<Protocol>(); };
}

// A loopback port on which nobody listens.
int closed_port() {
  return net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0)).getsockname().port();
}

}  // namespace

TEST_CASE("server: serve_forever ends with its cancellation, clients and all") {
  Trace ev;
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev, "server");
    auto server = co_await create_server(always(p), "127.0.0.1", 0, {.start_serving = false});
    ev("serving", server->is_serving());
    const int port = port_of(server);
    auto forever = create_task(server->serve_forever());
    co_await ticks(1);
    ev("serving", server->is_serving());
    ev("second", (co_await as_outcome(server->serve_forever())).error());
    auto [r, w] = co_await open_connection("127.0.0.1", port);
    co_await until([&] { return p->transport != nullptr; });
    forever.cancel();
    ev((co_await as_outcome(AnyFuture(forever))).error());
    ev("serving", server->is_serving(), server->sockets().size());
    ev(co_await r.read());
    ev("again", (co_await as_outcome(server->serve_forever())).error());
  });
  CHECK(ev.str() ==
        "serving False\nserving True\nsecond RuntimeError\nserver made\nserver lost none\n"
        "CancelledError\nserving False 0\nb''\nagain RuntimeError\n");
}

TEST_CASE("server: close ends serve_forever with a cancellation") {
  Trace ev;
  run([&]() -> Coro<> {
    auto server = co_await create_server(silent_protocol(), "127.0.0.1", 0);
    auto forever = create_task(server->serve_forever());
    co_await ticks(1);
    server->close();
    server->close();
    ev((co_await as_outcome(AnyFuture(forever))).error());
    co_await server->wait_closed();
  });
  CHECK(ev.str() == "CancelledError\n");
}

TEST_CASE("server: close_clients and abort_clients reach their own clients only") {
  Trace ev;
  run([&]() -> Coro<> {
    auto ours = std::make_shared<RecordingProtocol>(ev, "ours");
    auto other = std::make_shared<RecordingProtocol>(ev, "other");
    auto first = co_await create_server(always(ours), "127.0.0.1", 0);
    auto second = co_await create_server(always(other), "127.0.0.1", 0);
    auto [r1, w1] = co_await open_connection("127.0.0.1", port_of(first));
    auto [r2, w2] = co_await open_connection("127.0.0.1", port_of(second));
    co_await until([&] { return ours->transport && other->transport; });
    first->close_clients();
    co_await ours->lost;
    ev("other closing", other->transport->is_closing());
    second->abort_clients();
    co_await other->lost;
    first->close();
    second->close();
    co_await first->wait_closed();
    co_await second->wait_closed();
  });
  CHECK(ev.str().find("ours lost none\nother closing False\nother lost none\n") !=
        std::string::npos);
}

TEST_CASE("server: wait_closed waits for close and for the clients, whichever comes last") {
  Trace ev;
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev, "p");
    auto server = co_await create_server(always(p), "127.0.0.1", 0);
    auto waiting = create_task(server->wait_closed());
    auto cancelled = create_task(server->wait_closed());
    co_await ticks(2);
    ev("open", waiting.done());
    cancelled.cancel();
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
    co_await until([&] { return p->transport != nullptr; });
    server->close();
    co_await ticks(2);
    ev("a client", waiting.done());
    w.close();
    co_await waiting;
    co_await server->wait_closed();
    ev("closed");
  });
  CHECK(ev.str() == "open False\np made\na client False\np eof\np lost none\nclosed\n");
}

TEST_CASE("server: several hosts, both families on one port, a host twice") {
  Trace ev;
  run([&]() -> Coro<> {
    auto server =
        co_await create_server(silent_protocol(), {"127.0.0.1", "127.0.0.2", "127.0.0.1"}, 0);
    ev("sockets", server->sockets().size());
    // With one port both addresses can be reached.
    const int port = port_of(server);
    server->close();
    auto again = co_await create_server(silent_protocol(), {"127.0.0.1", "127.0.0.2"}, port);
    for (const char* host : {"127.0.0.1", "127.0.0.2"}) {
      auto [r, w] = co_await open_connection(host, port);
      ev(w.get_extra_info<net::SocketAddress>("peername")->host().c_str());
      w.close();
    }
    again->close();
    auto any = co_await create_server(silent_protocol(), nullptr, 0, {.family = AF_INET});
    ev(any->sockets()[0].getsockname().host().c_str());
    any->close();
  });
  CHECK(ev.str() == "sockets 2\n127.0.0.1\n127.0.0.2\n0.0.0.0\n");
}

TEST_CASE("server: an address in use is named, and nothing stays bound") {
  Trace ev;
  std::string text;
  run([&]() -> Coro<> {
    net::Socket taken = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
    taken.listen();
    const int port = taken.getsockname().port();
    const auto outcome =
        co_await as_outcome(create_server(silent_protocol(), {"127.0.0.2", "127.0.0.1"}, port));
    text = describe(outcome.error());
    CHECK(text == "bind to 127.0.0.1:" + std::to_string(port) + " failed: Address already in use");
    // The first address is free again.
    auto server = co_await create_server(silent_protocol(), "127.0.0.2", port);
    server->close();
    ev((co_await as_outcome(create_server(silent_protocol(), "127.0.0.1", 70000))).error());
    ev((co_await as_outcome(
            create_server(silent_protocol(), "127.0.0.1", 0, {.ssl_handshake_timeout = 1s})))
           .error());
  });
  CHECK(ev.str() == "ValueError\nValueError\n");
}

TEST_CASE("server: reuse_port shares a port, a socket of one's own is served") {
  Trace ev;
  run([&]() -> Coro<> {
    auto first = co_await create_server(silent_protocol(), "127.0.0.1", 0, {.reuse_port = true});
    auto second = co_await create_server(silent_protocol(), "127.0.0.1", port_of(first),
                                         {.reuse_port = true});
    ev("same", port_of(first) == port_of(second));
    first->close();
    second->close();
    net::Socket bound = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
    const int port = bound.getsockname().port();
    auto third = co_await create_server(silent_protocol(), std::move(bound));
    auto [r, w] = co_await open_connection("127.0.0.1", port);
    ev("connected");
    third->close();
    auto [a, b] = net::Socket::pair(SOCK_DGRAM);
    ev((co_await as_outcome(create_server(silent_protocol(), std::move(a)))).error());
  });
  CHECK(ev.str() == "same True\nconnected\nValueError\n");
}

TEST_CASE("server: a factory that throws is reported, and the server goes on") {
  Trace ev;
  run([&]() -> Coro<> {
    tests::trap(ev);
    int calls = 0;
    auto factory = [&calls]() -> std::shared_ptr<Protocol> {
      if (++calls == 1) throw Boom("factory");
      return std::make_shared<Protocol>();
    };
    auto server = co_await create_server(factory, "127.0.0.1", 0);
    {
      auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
      ev(co_await r.read());
    }
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server));
    co_await until([&] { return calls == 2; });
    server->close();
  });
  CHECK(ev.str() ==
        "HANDLER Error on transport creation for incoming connection Boom(factory)\nb''\n");
}

TEST_CASE("server: out of descriptors it reports, waits, and recovers" *
          doctest::skip(BRIO_SANITIZER_NEEDS_DESCRIPTORS)) {
  Trace ev;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  run([&]() -> Coro<> {
    tests::trap(ev);
    auto p = std::make_shared<RecordingProtocol>(ev, "p");
    auto server = co_await create_server(always(p), "127.0.0.1", 0, {.start_serving = false});
    const net::SocketAddress address = server->sockets()[0].getsockname();
    net::Socket client(AF_INET);
    // No descriptor above the client's own: accept has none to give. io_uring looks at the limit
    // when it begins to accept, so it begins now.
    rlimit tight = before;
    tight.rlim_cur = static_cast<rlim_t>(client.fileno()) + 1;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    co_await server->start_serving();
    co_await sock_connect(client, address);
    co_await until([&] { return !ev.str().empty(); });
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    // After a second it tries again.
    co_await until([&] { return p->transport != nullptr; });
    server->close();
    p->transport->abort();
    co_await p->lost;
  });
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(ev.str() ==
        "HANDLER socket.accept() out of system resource OSError\np made\np lost none\n");
}

TEST_CASE("server: a stale Unix socket is replaced, a foreign one left alone on close") {
  Trace ev;
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("brio-servers-" + std::to_string(::getpid()));
  std::filesystem::create_directory(folder);
  const std::string path = folder / "s";
  run([&]() -> Coro<> {
    {
      net::Socket stale = net::bound_socket(net::SocketAddress::unix_path(path));
    }
    ev("stale", std::filesystem::exists(path));
    auto server = co_await create_unix_server(silent_protocol(), path);
    auto [r, w] = co_await open_unix_connection(path);
    // Somebody else takes the path.
    std::filesystem::remove(path);
    net::Socket other = net::bound_socket(net::SocketAddress::unix_path(path));
    server->close();
    ev("theirs", std::filesystem::exists(path));
    std::filesystem::remove(path);

    auto kept = co_await create_unix_server(silent_protocol(), path, {.cleanup_socket = false});
    kept->close();
    ev("kept", std::filesystem::exists(path));
    std::filesystem::remove(path);

    // A file that is no socket is not touched.
    std::filesystem::create_directory(path);
    ev((co_await as_outcome(create_unix_server(silent_protocol(), path))).error());
  });
  std::filesystem::remove_all(folder);
  CHECK(ev.str() == "stale True\ntheirs True\nkept True\nOSError\n");
}

TEST_CASE("server: connect_accepted_socket takes over what was accepted elsewhere") {
  Trace ev;
  run([&]() -> Coro<> {
    net::Socket listener = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
    listener.listen();
    net::Socket client(AF_INET);
    co_await sock_connect(client, listener.getsockname());
    auto [sock, peer] = co_await sock_accept(listener);
    auto p = std::make_shared<RecordingProtocol>(ev);
    auto [t, q] = co_await connect_accepted_socket(always(p), std::move(sock));
    t->write("hello");
    ev(co_await sock_recv(client, 10));
    t->close();
    co_await p->lost;
  });
  CHECK(ev.str() == "made\nb'hello'\nlost none\n");
}

// ---- connecting

TEST_CASE("connect: errors of several addresses are told together") {
  Trace ev;
  std::string text;
  const int port = closed_port();
  run([&]() -> Coro<> {
    const auto addresses = [port] {
      std::vector<net::AddrInfo> infos;
      for (const char* host : {"127.0.0.1", "127.0.0.2"}) {
        infos.push_back(
            *net::literal_addrinfo(host, static_cast<std::uint16_t>(port), {.type = SOCK_STREAM}));
      }
      return infos;
    };
    for (const std::optional<Duration> delay : {std::optional<Duration>(), {250ms}}) {
      auto outcome = co_await as_outcome(
          net::detail::connect_any({.addresses = addresses(), .happy_eyeballs_delay = delay}));
      ev(outcome.error());
      text = describe(outcome.error());
      CHECK(text == "connect to 127.0.0.1:" + std::to_string(port) +
                        ", 127.0.0.2:" + std::to_string(port) + " failed: Connection refused");
      outcome = co_await as_outcome(net::detail::connect_any(
          {.addresses = addresses(), .happy_eyeballs_delay = delay, .all_errors = true}));
      const auto group = outcome.error_as<ExceptionGroup>();
      ev("group", group->exceptions().size());
    }
    const auto none = co_await as_outcome(net::detail::connect_any({.addresses = {}}));
    ev(none.error());
  });
  CHECK(ev.str() == "ConnectionRefusedError\ngroup 2\nConnectionRefusedError\ngroup 2\nOSError\n");
}

TEST_CASE("connect: happy eyeballs goes on at once after a failure, and after the delay") {
  Trace ev;
  run([&]() -> Coro<> {
    net::Socket listener = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
    listener.listen();
    const std::uint16_t port = listener.getsockname().port();
    // Nobody listens on .2: refused at once, so the hour's delay does not matter.
    std::vector<net::AddrInfo> infos;
    for (const char* host : {"127.0.0.2", "127.0.0.1"}) {
      infos.push_back(*net::literal_addrinfo(host, port, {.type = SOCK_STREAM}));
    }
    net::Socket sock =
        co_await net::detail::connect_any({.addresses = infos, .happy_eyeballs_delay = 1h});
    ev(sock.getpeername().host().c_str());

    // A listener with a full queue lets the connect hang: the next is tried after the delay.
    net::Socket full = net::bound_socket(net::SocketAddress::ip("127.0.0.3", port));
    full.listen(0);
    std::vector<net::Socket> fillers;
    std::vector<Task<void>> filling;
    for (int i = 0; i < 4; ++i) {
      fillers.emplace_back(AF_INET);
      filling.push_back(create_task(sock_connect(fillers.back(), full.getsockname())));
    }
    co_await ticks(10);
    infos.clear();
    for (const char* host : {"127.0.0.3", "127.0.0.1"}) {
      infos.push_back(*net::literal_addrinfo(host, port, {.type = SOCK_STREAM}));
    }
    sock = co_await net::detail::connect_any({.addresses = infos, .happy_eyeballs_delay = 10ms});
    ev(sock.getpeername().host().c_str());
    for (auto& task : filling) {
      task.cancel();
      (void)co_await as_outcome(AnyFuture(task));
    }
  });
  CHECK(ev.str() == "127.0.0.1\n127.0.0.1\n");
}

namespace {

// Listens with a full queue on one address: a connect to it hangs.
class FullListener {
public:
  FullListener(const char* host, std::uint16_t port)
      : listener_(net::bound_socket(net::SocketAddress::ip(host, port))) {
    listener_.listen(0);
  }
  Coro<void> fill() {
    for (int i = 0; i < 4; ++i) {
      fillers_.emplace_back(AF_INET);
      filling_.push_back(create_task(sock_connect(fillers_.back(), listener_.getsockname())));
    }
    co_await ticks(10);
  }
  Coro<void> give_up() {
    for (auto& task : filling_) {
      task.cancel();
      (void)co_await as_outcome(AnyFuture(task));
    }
  }
  [[nodiscard]] net::AddrInfo info() const {
    const net::SocketAddress address = listener_.getsockname();
    return *net::literal_addrinfo(address.host(), address.port(), {.type = SOCK_STREAM});
  }

private:
  net::Socket listener_;
  std::vector<net::Socket> fillers_;
  std::vector<Task<void>> filling_;
};

Coro<std::string> peer_of(net::detail::ConnectPlan plan) {
  const net::Socket sock = co_await net::detail::connect_any(std::move(plan));
  co_return sock.getpeername().host();
}

}  // namespace

TEST_CASE("connect: happy eyeballs inside a scope that is cancelled ends") {
  Trace ev;
  run([&]() -> Coro<> {
    FullListener first("127.0.0.3", 0);
    co_await first.fill();
    FullListener second("127.0.0.4", first.info().address.port());
    co_await second.fill();
    const net::detail::ConnectPlan plan{.addresses = {first.info(), second.info()},
                                        .happy_eyeballs_delay = 1ms};
    const std::size_t others = all_tasks().size();
    const bool connected = co_await cancel_scope([&](CancelScope& scope) -> Coro<> {
      auto canceller = create_task([&]() -> Coro<> {
        while (all_tasks().size() < others + 3) co_await yield_now();  // both attempts are there
        scope.cancel();
      });
      (void)co_await peer_of(plan);
    });
    ev("connected", connected, all_tasks().size() - others);
    co_await first.give_up();
    co_await second.give_up();
  });
  CHECK(ev.str() == "connected False 0\n");
}

TEST_CASE("connect: a cancellation is not lost while happy eyeballs ends the losers") {
  const auto open_descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  for (int turns = 0; turns < 5; ++turns) {
    CAPTURE(turns);
    Trace ev;
    run([&]() -> Coro<> {
      FullListener full("127.0.0.3", 0);
      co_await full.fill();
      const std::uint16_t port = full.info().address.port();
      net::Socket open = net::bound_socket(net::SocketAddress::ip("127.0.0.1", port));
      open.listen();
      const net::detail::ConnectPlan plan{
          .addresses = {full.info(),
                        *net::literal_addrinfo("127.0.0.1", port, {.type = SOCK_STREAM})},
          .happy_eyeballs_delay = 1ms};
      co_await ticks(2);
      const auto before = open_descriptors();
      const std::size_t others = all_tasks().size();
      auto task = create_task(peer_of(plan));
      // Until both attempts are there and one of them has ended.
      while (all_tasks().size() < others + 3 && !task.done()) co_await yield_now();
      while (all_tasks().size() >= others + 3 && !task.done()) co_await yield_now();
      co_await ticks(turns);
      const bool asked = task.cancel();
      (void)co_await as_outcome(AnyFuture(task));
      ev(asked == task.cancelled(), all_tasks().size() - others, open_descriptors() - before == 0);
      co_await full.give_up();
    });
    CHECK(ev.str() == "True 0 True\n");
  }
}

TEST_CASE("connect: addresses are interleaved by family") {
  const auto infos = [](std::initializer_list<const char*> hosts) {
    std::vector<net::AddrInfo> made;
    for (const char* host : hosts) made.push_back(*net::literal_addrinfo(host, 1, {}));
    return made;
  };
  const auto order = [&](int count) {
    std::string shown;
    for (const auto& info : net::detail::interleave_addresses(
             infos({"::1", "::2", "::3", "1.0.0.1", "1.0.0.2"}), count)) {
      shown += info.address.host() + " ";
    }
    return shown;
  };
  CHECK(order(1) == "::1 1.0.0.1 ::2 1.0.0.2 ::3 ");
  CHECK(order(2) == "::1 ::2 1.0.0.1 ::3 1.0.0.2 ");
  CHECK(order(9) == "::1 ::2 ::3 1.0.0.1 1.0.0.2 ");
  CHECK(net::detail::interleave_addresses({}, 1).empty());
}

TEST_CASE("connect: our own address can be chosen, one of the wrong family is refused") {
  Trace ev;
  run([&]() -> Coro<> {
    auto server = co_await create_server(silent_protocol(), "127.0.0.1", 0);
    auto [r, w] = co_await open_connection("127.0.0.1", port_of(server),
                                           {.local_addr = std::pair("127.0.0.7", 0)});
    ev(w.get_extra_info<net::SocketAddress>("sockname")->host().c_str());
    const auto outcome = co_await as_outcome(open_connection(
        "127.0.0.1", port_of(server), {.local_addr = std::pair(std::string("::1"), 0)}));
    ev(outcome.error());
    server->close();
  });
  CHECK(ev.str() == "127.0.0.7\nOSError\n");
}

TEST_CASE("connect: cancelled at every suspension, no descriptor stays open") {
  const auto open_descriptors = [] {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
  };
  for (const bool eyeballs : {false, true}) {
    for (int suspension = 0; suspension < 6; ++suspension) {
      CAPTURE(eyeballs);
      CAPTURE(suspension);
      run([&]() -> Coro<> {
        auto server = co_await create_server(silent_protocol(), "127.0.0.1", 0);
        const int port = port_of(server);
        co_await ticks(2);
        const auto before = open_descriptors();
        ConnectionOptions options;
        if (eyeballs) options.happy_eyeballs_delay = 250ms;
        {
          auto task = create_task(create_connection(silent_protocol(), "127.0.0.1", port, options));
          co_await ticks(suspension);
          task.cancel();
          const auto outcome = co_await as_outcome(AnyFuture(task));
          if (outcome) task.result().first->close();
        }
        // Ours goes at once, the server's once it has seen the end.
        while (open_descriptors() != before) co_await sleep(std::chrono::microseconds(100));
        server->close();
        co_await server->wait_closed();
      });
    }
  }
}

TEST_CASE("connect: what the factory throws comes out, and the socket is closed") {
  Trace ev;
  run([&]() -> Coro<> {
    auto server = co_await create_server(silent_protocol(), "127.0.0.1", 0);
    const auto factory = []() -> std::shared_ptr<Protocol> { throw Boom("factory"); };
    ev((co_await as_outcome(create_connection(factory, "127.0.0.1", port_of(server)))).error());
    ev((co_await as_outcome(create_connection(silent_protocol(), "127.0.0.1", -1))).error());
    auto [a, b] = net::Socket::pair(SOCK_DGRAM);
    ev((co_await as_outcome(create_connection(silent_protocol(), std::move(a)))).error());
    server->close();
    co_await server->wait_closed();
  });
  CHECK(ev.str() == "Boom(factory)\nValueError\nValueError\n");
}

TEST_CASE("connect: an unknown name is a gaierror that names it") {
  std::string text;
  run([&]() -> Coro<> {
    const auto outcome = co_await as_outcome(
        create_connection(silent_protocol(), "no literal", 80, {.flags = 4 /* AI_NUMERICHOST */}));
    text = describe(outcome.error());
  });
  CHECK(text == "getaddrinfo for 'no literal' failed: Name or service not known");
}

TEST_CASE("server: a connection that the engine accepted ahead of close() is served" *
          counts_transfers()) {
  int served = 0;
  const bool ahead = new_event_loop()->engine().name() == std::string_view("io_uring");
  std::string answer;
  run([&]() -> Coro<> {
    auto server = co_await start_server(
        [&](StreamReader reader, StreamWriter writer) -> Coro<> {
          ++served;
          writer.write("you said " + co_await reader.read());
          co_await writer.drain();
          writer.close();
          co_await writer.wait_closed();
        },
        "127.0.0.1", 0);
    net::Socket client(AF_INET);
    (void)client.connect(server->sockets()[0].getsockname());
    CHECK(::send(client.fileno(), "hello", 5, MSG_NOSIGNAL) == 5);
    ::shutdown(client.fileno(), SHUT_WR);
    // The engine looks; the loop has not heard of it.
    struct Deaf final : Engine::Sink {
      void descriptor_ready(int, Interest) override {}
    } deaf;
    get_running_loop().engine().poll(Duration::zero(), deaf);
    server->close();
    co_await server->wait_closed();
    std::array<char, 64> buffer{};
    const auto count = ::recv(client.fileno(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count > 0) answer.assign(buffer.data(), static_cast<std::size_t>(count));
  });
  CHECK(served == (ahead ? 1 : 0));
  CHECK(answer == (ahead ? "you said hello" : ""));
}
