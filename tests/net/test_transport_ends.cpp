// The order of events of asyncio's selector transport, on socket pairs and TCP.
#include "support.hpp"

#include <brio/net/loop_state.hpp>

#include <fcntl.h>
#include <netinet/tcp.h>

using namespace brio;
using brio::tests::all_of;
using brio::tests::always;
using brio::tests::Boom;
using brio::tests::connect_pair;
using brio::tests::counts_transfers;
using brio::tests::RecordingProtocol;
using brio::tests::ticks;
using brio::tests::Trace;
using brio::tests::until;

TEST_CASE("transport: close sends what is buffered first; abort drops it") {
  for (const bool abort : {false, true}) {
    CAPTURE(abort);
    Trace ev;
    std::size_t got = 0;
    std::size_t sent = 0;
    run([&]() -> Coro<> {
      auto p = std::make_shared<RecordingProtocol>(ev);
      auto [t, q, a] = co_await connect_pair(p);
      t->set_write_buffer_limits({.high = 10'000'000});
      while (t->get_write_buffer_size() < 500000) {
        t->write(std::string(100000, 'x'));
        sent += 100000;
      }
      if (abort) {
        t->abort();
      } else {
        t->close();
      }
      ev("buffered", t->get_write_buffer_size() > 0);
      co_await ticks(3);
      ev("lost", p->times_lost);
      for (;;) {
        const std::string piece = co_await sock_recv(a, 65536);
        if (piece.empty()) break;
        got += piece.size();
      }
      co_await p->lost;
    });
    if (abort) {
      CHECK(got < sent);
      CHECK(ev.str() == "made\nbuffered False\nlost none\nlost 1\n");
    } else {
      CHECK(got == sent);
      CHECK(ev.str() == "made\nbuffered True\nlost 0\nlost none\n");
    }
  }
}

TEST_CASE("transport: write_eof comes after what is buffered, then writing is an error") {
  Trace ev;
  std::size_t got = 0;
  std::size_t sent = 0;
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev);
    auto [t, q, a] = co_await connect_pair(p);
    t->set_write_buffer_limits({.high = 10'000'000});
    while (t->get_write_buffer_size() == 0) {
      t->write(std::string(100000, 'x'));
      sent += 100000;
    }
    t->write_eof();
    t->write_eof();
    try {
      t->write("x");
    } catch (const RuntimeError& error) {
      ev(error.what());
    }
    try {
      t->writelines({"x"});
    } catch (const RuntimeError& error) {
      ev(error.what());
    }
    for (;;) {
      const std::string piece = co_await sock_recv(a, 65536);
      if (piece.empty()) break;
      got += piece.size();
    }
    // The other direction is still open.
    (void)a.send("answer");
    co_await until([&] { return p->received == "answer"; });
    t->close();
    co_await p->lost;
  });
  CHECK(got == sent);
  CHECK(ev.str() ==
        "made\nCannot call write() after write_eof()\n"
        "Cannot call writelines() after write_eof()\ndata b'answer'\nlost none\n");
}

TEST_CASE("transport: writes after close are dropped, and from the fifth on a warning is logged") {
  static int warnings = 0;
  warnings = 0;
  const LogHook before = set_log_hook([](const LogRecord& record) {
    if (record.level == LogLevel::warning) ++warnings;
  });
  Trace ev;
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev);
    auto [t, q, a] = co_await connect_pair(p);
    t->close();
    co_await p->lost;
    for (int i = 0; i < 4; ++i) t->write("late");
    ev("quiet", warnings);
    for (int i = 0; i < 3; ++i) t->writelines({"late", "later"});
    ev("warned", warnings);
    ev(all_of(a));
  });
  set_log_hook(before);
  CHECK(ev.str() == "made\nlost none\nquiet 0\nwarned 3\nb'<end>'\n");
}

TEST_CASE("transport: write, moved string and writelines keep their order") {
  Trace ev;
  std::string got;
  std::string expected;
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev);
    auto [t, q, a] = co_await connect_pair(p);
    for (int i = 0; i < 3000; ++i) {
      const std::string piece =
          std::to_string(i) + std::string(static_cast<std::size_t>(i % 700), '.');
      expected += piece;
      switch (i % 3) {
        case 0: t->write(std::string_view(piece)); break;
        case 1: t->write(std::string(piece)); break;
        default: {
          const std::string_view whole = piece;
          t->writelines({whole.substr(0, 2), "", whole.substr(2)});
        }
      }
    }
    t->close();
    for (;;) {
      const std::string piece = co_await sock_recv(a, 65536);
      if (piece.empty()) break;
      got += piece;
    }
  });
  CHECK((got == expected));
}

TEST_CASE("transport: a reset is told with its error, exactly once") {
  Trace ev;
  std::string text;
  std::string expected;
  run([&]() -> Coro<> {
    net::Socket listener = net::bound_socket(net::SocketAddress::ip("127.0.0.1", 0));
    listener.listen();
    const net::SocketAddress address = listener.getsockname();
    auto p = std::make_shared<RecordingProtocol>(ev);
    auto [t, q] = co_await create_connection(always(p), "127.0.0.1", address.port());
    auto [peer, from] = co_await sock_accept(listener);
    CHECK(t->get_extra_info<net::TransportSocket>("socket")->getsockopt(IPPROTO_TCP, TCP_NODELAY) !=
          0);
    CHECK(t->get_extra_info<net::SocketAddress>("sockname") == from);
    peer.setsockopt(SOL_SOCKET, SO_LINGER, linger{1, 0});
    peer.close();
    co_await p->lost;
    t->write("x");
    t->abort();
    co_await ticks(3);
    ev("times", p->times_lost);
    // Asked after the end, the facts are still there.
    CHECK(t->get_extra_info<net::SocketAddress>("sockname") == from);
    CHECK(t->get_extra_info<net::SocketAddress>("peername") == address);
  });
  CHECK(ev.str() == "made\nlost ConnectionResetError\ntimes 1\n");
}

TEST_CASE("transport: a BufferedProtocol provides the memory; an empty one is an error" *
          counts_transfers()) {
  class Buffered : public BufferedProtocol {
  public:
    explicit Buffered(Trace& trace) : ev(trace) {}
    std::span<char> get_buffer(std::ptrdiff_t hint) override {
      ev("get_buffer", static_cast<int>(hint));
      return {memory, size};
    }
    void buffer_updated(std::size_t count) override { ev("updated", std::string(memory, count)); }
    bool eof_received() override {
      ev("eof");
      return false;
    }
    void connection_lost(std::exception_ptr exc) override {
      ev("lost", exc);
      lost.set_result();
    }
    Trace& ev;
    char memory[3];
    std::size_t size = sizeof memory;
    Future<> lost = create_future();
  };
  Trace ev;
  run([&]() -> Coro<> {
    tests::trap(ev);
    auto p = std::make_shared<Buffered>(ev);
    auto [a, b] = net::Socket::pair();
    auto [t, q] = co_await create_connection([p] { return p; }, std::move(b));
    (void)a.send("abcde");
    a.close();
    co_await p->lost;

    auto empty = std::make_shared<Buffered>(ev);
    empty->size = 0;
    auto [c, d] = net::Socket::pair();
    co_await create_connection([empty] { return empty; }, std::move(d));
    (void)c.send("x");
    co_await empty->lost;
  });
  CHECK(ev.str() ==
        "get_buffer -1\nupdated b'abc'\nget_buffer -1\nupdated b'de'\nget_buffer -1\neof\n"
        "lost none\nget_buffer -1\n"
        "HANDLER Fatal error: protocol.get_buffer() call failed. RuntimeError\n"
        "lost RuntimeError\n");
}
