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

TEST_CASE("transport: connection_made, then reading starts, then the awaiter resumes") {
  Trace ev;
  run([&]() -> Coro<> {
    auto [peer, ours] = net::Socket::pair();
    (void)peer.send("waiting");
    auto p = std::make_shared<RecordingProtocol>(ev);
    // CPython 3.13 prints the same: made, then reading starts, then the waiter is completed, all
    // in one turn; the task follows in the next, behind what connection_made has queued.
    p->on_made = [&] { get_running_loop().call_soon([&] { ev("one turn after made"); }); };
    co_await create_connection(always(p), std::move(ours));
    ev("connected");
    co_await until([&] { return !p->received.empty(); });
    p->transport->close();
    co_await p->lost;
  });
  CHECK(ev.str() == "made\none turn after made\nconnected\ndata b'waiting'\nlost none\n");
}

TEST_CASE("transport: eof_received decides whether we may go on writing (scenario 702)" *
          counts_transfers()) {
  for (const bool keep : {true, false}) {
    CAPTURE(keep);
    Trace ev;
    run([&]() -> Coro<> {
      auto p = std::make_shared<RecordingProtocol>(ev);
      p->keep_open = keep;
      p->on_eof = [&] { ev("closing", p->transport->is_closing()); };
      auto [t, q, a] = co_await connect_pair(p);
      a.shutdown(SHUT_WR);
      co_await p->eof;
      co_await ticks(3);
      ev("closing", t->is_closing());
      t->write("late answer");
      ev("peer got", all_of(a));
      t->close();
      t->close();
      co_await p->lost;
      co_await ticks(3);
      ev("times", p->times_lost);
    });
    if (keep) {
      CHECK(ev.str() ==
            "made\neof\nclosing False\nclosing False\npeer got b'late answer'\nlost none\n"
            "times 1\n");
    } else {
      CHECK(ev.str() ==
            "made\neof\nclosing False\nlost none\nclosing True\npeer got b'<end>'\ntimes 1\n");
    }
  }
}

TEST_CASE("transport: connection_lost is never called from inside close (scenario 704)") {
  Trace ev;
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev);
    auto [t, q, a] = co_await connect_pair(p);
    t->close();
    t->close();
    t->abort();
    ev("closed");
    co_await ticks(1);
    ev("tick");
    co_await ticks(3);
  });
  CHECK(ev.str() == "made\nclosed\nlost none\ntick\n");
}

TEST_CASE("transport: pause_reading and resume_reading (scenario 705)" * counts_transfers()) {
  Trace ev;
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev);
    p->on_made = [&] {
      p->transport->pause_reading();
      ev("reading", p->transport->is_reading());
    };
    auto [t, q, a] = co_await connect_pair(p);
    (void)a.send("one");
    co_await ticks(5);
    t->pause_reading();
    ev("resume");
    t->resume_reading();
    t->resume_reading();
    ev("reading", t->is_reading());
    co_await until([&] { return p->received == "one"; });
    t->pause_reading();
    (void)a.send("two");
    (void)a.send("three");
    co_await ticks(5);
    ev("resume");
    t->resume_reading();
    co_await until([&] { return p->received == "onetwothree"; });
    t->close();
    ev("reading", t->is_reading());
    t->resume_reading();
    t->pause_reading();
    ev("reading", t->is_reading());
    co_await p->lost;
  });
  CHECK(ev.str() ==
        "made\nreading False\nresume\nreading True\ndata b'one'\nresume\ndata b'twothree'\n"
        "reading False\nreading False\nlost none\n");
}

TEST_CASE("transport: water marks are derived as asyncio does (scenario 706)") {
  Trace ev;
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev);
    auto [t, q, a] = co_await connect_pair(p);
    const auto show = [&] {
      const WriteBufferLimits limits = t->get_write_buffer_limits();
      ev(limits.low, limits.high);
    };
    show();
    for (const WriteBufferLimitsOptions options :
         {WriteBufferLimitsOptions{.high = 1000}, WriteBufferLimitsOptions{.low = 300},
          WriteBufferLimitsOptions{.high = 50, .low = 20}, WriteBufferLimitsOptions{.high = 0},
          WriteBufferLimitsOptions{}}) {
      t->set_write_buffer_limits(options);
      show();
    }
    for (const WriteBufferLimitsOptions options :
         {WriteBufferLimitsOptions{.high = 1, .low = 2}, WriteBufferLimitsOptions{.high = -1}}) {
      try {
        t->set_write_buffer_limits(options);
      } catch (const ValueError&) {
        ev("ValueError");
      }
    }
    t->close();
    co_await p->lost;
  });
  CHECK(ev.str() ==
        "made\n16384 65536\n250 1000\n300 1200\n20 50\n0 0\n16384 65536\nValueError\nValueError\n"
        "lost none\n");
}

TEST_CASE("transport: pause_writing above the high mark, resume_writing at the low (scenario 707)" *
          counts_transfers()) {
  Trace ev;
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev);
    bool resumed = false;
    p->on_pause = [&] { ev("above", p->transport->get_write_buffer_size() > 20000); };
    p->on_resume = [&] {
      ev("below", p->transport->get_write_buffer_size() <= 10000);
      resumed = true;
    };
    auto [t, q, a] = co_await connect_pair(p);
    t->set_write_buffer_limits({.high = 20000, .low = 10000});
    std::size_t sent = 0;
    while (t->get_write_buffer_size() < 100000) {
      t->write(std::string(5000, 'x'));
      sent += 5000;
    }
    ev("stop writing");
    co_await ticks(5);
    ev("resumed", resumed);
    std::size_t got = 0;
    while (got < sent) got += (co_await sock_recv(a, 4096)).size();
    ev("all read", got == sent, resumed);
    t->close();
    co_await p->lost;
  });
  CHECK(ev.str() ==
        "made\npause\nabove True\nstop writing\nresumed False\nresume\nbelow True\n"
        "all read True True\nlost none\n");
}

TEST_CASE("transport: what data_received throws is reported and ends it (scenario 710)") {
  Trace ev;
  run([&]() -> Coro<> {
    tests::trap(ev);
    auto p = std::make_shared<RecordingProtocol>(ev);
    p->on_data = [](std::string_view) { throw Boom("data"); };
    auto [t, q, a] = co_await connect_pair(p);
    (void)a.send("x");
    co_await p->lost;
    ev("closing", t->is_closing());
  });
  CHECK(ev.str() ==
        "made\ndata b'x'\n"
        "HANDLER Fatal error: protocol.data_received() call failed. Boom(data)\n"
        "lost Boom(data)\nclosing True\n");
}

TEST_CASE("transport: what eof_received throws is reported; an OSError is not") {
  for (const bool system_error : {false, true}) {
    CAPTURE(system_error);
    Trace ev;
    run([&]() -> Coro<> {
      tests::trap(ev);
      auto p = std::make_shared<RecordingProtocol>(ev);
      p->on_eof = [&] {
        if (system_error) throw OSError(EIO, "made up");
        throw Boom("eof");
      };
      auto [t, q, a] = co_await connect_pair(p);
      a.close();
      co_await p->lost;
    });
    if (system_error) {
      CHECK(ev.str() == "made\neof\nlost OSError\n");
    } else {
      CHECK(ev.str() ==
            "made\neof\nHANDLER Fatal error: protocol.eof_received() call failed. Boom(eof)\n"
            "lost Boom(eof)\n");
    }
  }
}

TEST_CASE("transport: what connection_made throws is reported, and the connection stands") {
  Trace ev;
  run([&]() -> Coro<> {
    tests::trap(ev);
    auto p = std::make_shared<RecordingProtocol>(ev);
    p->on_made = [] { throw Boom("made"); };
    auto [t, q, a] = co_await connect_pair(p);
    (void)a.send("x");
    co_await until([&] { return p->received == "x"; });
    t->close();
    co_await p->lost;
  });
  CHECK(ev.str().find("Boom(made)\ndata b'x'\nlost none\n") != std::string::npos);
}

TEST_CASE("transport: a new protocol hears everything from then on (scenario 711)") {
  Trace ev;
  run([&]() -> Coro<> {
    auto old = std::make_shared<RecordingProtocol>(ev, "old");
    auto [t, q, a] = co_await connect_pair(old);
    (void)a.send("1");
    co_await until([&] { return old->received == "1"; });
    auto fresh = std::make_shared<RecordingProtocol>(ev, "new");
    t->set_protocol(fresh);
    ev("current", t->get_protocol() == fresh);
    (void)a.send("2");
    co_await until([&] { return fresh->received == "2"; });
    a.close();
    co_await fresh->lost;
    ev("none", t->get_protocol() == nullptr, old->times_lost);
  });
  CHECK(ev.str() ==
        "old made\nold data b'1'\ncurrent True\nnew data b'2'\nnew eof\nnew lost none\n"
        "none True 0\n");
}

TEST_CASE("transport: a protocol may replace itself while it is called") {
  Trace ev;
  run([&]() -> Coro<> {
    auto old = std::make_shared<RecordingProtocol>(ev, "old");
    auto fresh = std::make_shared<RecordingProtocol>(ev, "new");
    auto [t, q, a] = co_await connect_pair(old);
    q.reset();
    RecordingProtocol* const watched = old.get();
    old->on_data = [&ev, &transport = t, fresh, watched](std::string_view) {
      transport->set_protocol(fresh);
      // Still alive, although the transport has let go of it.
      ev("inside", watched->received);
    };
    old.reset();
    (void)a.send("1");
    co_await until([&] { return t->get_protocol() == fresh; });
    (void)a.send("2");
    co_await until([&] { return fresh->received == "2"; });
    t->abort();
    co_await fresh->lost;
  });
  CHECK(ev.str() == "old made\nold data b'1'\ninside b'1'\nnew data b'2'\nnew lost none\n");
}

TEST_CASE("transport: close within connection_made, with data waiting (scenario 712)") {
  Trace ev;
  run([&]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    (void)a.send("waiting");
    auto p = std::make_shared<RecordingProtocol>(ev);
    p->on_made = [&] { p->transport->close(); };
    auto [t, q] = co_await create_connection(always(p), std::move(b));
    ev("returned", t->is_closing());
    co_await ticks(5);
  });
  CHECK(ev.str() == "made\nlost none\nreturned True\n");
}
