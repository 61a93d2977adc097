// Transports and what they belong to: contexts, the loop's memory, the loop's end.
#include <brio/net/loop_state.hpp>
#include <fcntl.h>

#include "support.hpp"

using namespace brio;
using brio::tests::always;
using brio::tests::connect_pair;
using brio::tests::RecordingProtocol;
using brio::tests::Trace;
using brio::tests::until;

TEST_CASE("transport: callbacks run in the context in which the connection was made") {
  Trace ev;
  ContextVar<std::string> var("var", "unset");
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev);
    p->trace_data = false;
    p->on_made = [&] { ev("made in", var.get()); };
    p->on_data = [&](std::string_view) { ev("data in", var.get()); };
    p->on_eof = [&] { ev("eof in", var.get()); };
    var.set("here");
    auto [t, q, a] = co_await connect_pair(p);
    var.set("elsewhere");
    (void)a.send("x");
    co_await until([&] { return !p->received.empty(); });
    // Paused and resumed from another context, it still is the connection's.
    t->pause_reading();
    t->resume_reading();
    a.close();
    co_await p->lost;
  });
  CHECK(ev.str() == "made\nmade in b'here'\ndata in b'here'\neof\neof in b'here'\nlost none\n");
}

TEST_CASE("transport: the loop lends its read buffer, and lends it again when it is back") {
  run([&]() -> Coro<> {
    EventLoop& loop = get_running_loop();
    char* first = nullptr;
    {
      const net::detail::LoopState::Loan loan(loop);
      first = loan.data();
      const net::detail::LoopState::Loan second(loop);
      CHECK(second.data() != first);
    }
    const net::detail::LoopState::Loan again(loop);
    CHECK((again.data() == first));
    co_return;
  });
}

TEST_CASE("transport: what data_received was lent survives another read inside the callback") {
  // An eager task inside the callback reads another socket at once; the lent view must not change.
  std::string seen;
  run([&]() -> Coro<> {
    Trace ev;
    auto [c, d] = net::Socket::pair();
    (void)c.send("other bytes");
    auto p = std::make_shared<RecordingProtocol>(ev);
    p->on_data = [&](std::string_view data) {
      get_running_loop().create_task(sock_recv(d, 100), {.eager_start = true});
      seen = data;
    };
    auto [t, q, a] = co_await connect_pair(p);
    (void)a.send("lent");
    co_await until([&] { return !seen.empty(); });
    t->close();
    co_await p->lost;
  });
  CHECK(seen == "lent");
}

TEST_CASE("transport: an unclosed one goes with the loop, its descriptor too") {
  int fd = -1;
  Trace ev;
  std::weak_ptr<RecordingProtocol> protocol;
  net::Socket peer;  // outlives the loop, so that the connection does not end by itself
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev);
    protocol = p;
    // A cycle, as most protocols make one.
    auto [t, q, a] = co_await connect_pair(p);
    peer = std::move(a);
    fd = t->get_extra_info<net::TransportSocket>("socket")->fileno();
    CHECK(::fcntl(fd, F_GETFD) != -1);
  });
  CHECK(::fcntl(fd, F_GETFD) == -1);
  CHECK(protocol.expired());
  CHECK(ev.str() == "made\n");
}

TEST_CASE("transport: everything a handle can be asked after the loop is closed") {
  std::shared_ptr<Transport> kept;
  Trace ev;
  net::Socket peer;
  run([&]() -> Coro<> {
    auto p = std::make_shared<RecordingProtocol>(ev);
    auto [t, q, a] = co_await connect_pair(p);
    peer = std::move(a);
    kept = t;
  });
  kept->write("x");
  kept->writelines({"x"});
  kept->pause_reading();
  kept->resume_reading();
  kept->write_eof();
  kept->close();
  kept->abort();
  CHECK(kept->is_closing());
  CHECK(kept->get_protocol() == nullptr);
  CHECK_FALSE(kept->get_extra_info("sockname").has_value());
}
