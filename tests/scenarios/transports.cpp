// 70x, 71x: transports and protocols.
#include "scenario.hpp"

#include <brio/net/connection.hpp>
#include <brio/net/sock.hpp>

#include <map>

namespace s702 {
class P : public Protocol {
public:
  explicit P(bool keep) : keep_(keep) {}
  void connection_made(std::shared_ptr<Transport> t) override { t_ = t; }
  bool eof_received() override {
    ev("eof", t_->is_closing());
    return keep_;
  }
  void connection_lost(std::exception_ptr exc) override {
    ev("lost", nm(exc));
    t_ = nullptr;  // each holds the other
  }

private:
  bool keep_;
  std::shared_ptr<Transport> t_;
};
Coro<> main() {
  for (const bool keep : {true, false}) {
    auto [a, b] = pair();
    const auto [t, p] =
        co_await create_connection([keep] { return std::make_shared<P>(keep); }, std::move(b));
    a.shutdown(SHUT_WR);
    co_await sleep(U);
    ev("closing", t->is_closing());
    t->write("late answer");
    co_await sleep(U);
    try {
      ev("peer got", bytes(a.recv(100)));
    } catch (const OSError& e) {
      ev("peer got", nm(e));
    }
    t->close();
    co_await sleep(U);
    a.close();
  }
}
}  // namespace s702
SCENARIO(702_eof_keeps_open) { go(s702::main); }

namespace s704 {
class P : public Protocol {
public:
  void connection_lost(std::exception_ptr exc) override { ev("lost", nm(exc)); }
};
Coro<> main() {
  auto [a, b] = pair();
  const auto [t, p] = co_await create_connection(std::make_shared<P>, std::move(b));
  t->close();
  t->close();
  t->abort();
  ev("closed");
  co_await ticks(1);
  ev("tick");
  co_await sleep(U);
}
}  // namespace s704
SCENARIO(704_lost_is_deferred) { go(s704::main); }

namespace s705 {
class P : public Protocol {
public:
  void connection_made(std::shared_ptr<Transport> t) override {
    t->pause_reading();
    ev("made, reading", t->is_reading());
  }
  void data_received(std::string_view data) override { ev("data", bytes(data)); }
};
Coro<> main() {
  auto [a, b] = pair();
  const auto [t, p] = co_await create_connection(std::make_shared<P>, std::move(b));
  a.send("one");
  co_await sleep(U);
  t->pause_reading();
  ev("resume");
  t->resume_reading();
  t->resume_reading();
  ev("reading", t->is_reading());
  co_await sleep(U);
  t->pause_reading();
  a.send("two");
  a.send("three");
  co_await sleep(U);
  ev("resume");
  t->resume_reading();
  co_await sleep(U);
  t->close();
  ev("reading", t->is_reading());
  co_await sleep(U);
}
}  // namespace s705
SCENARIO(705_pause_reading) { go(s705::main); }

namespace s706 {
Coro<> main() {
  auto [a, b] = pair();
  const auto [t, p] = co_await create_connection(std::make_shared<Protocol>, std::move(b));
  const auto show = [](const Transport& transport) {
    const WriteBufferLimits limits = transport.get_write_buffer_limits();
    ev(std::pair(limits.low, limits.high));
  };
  show(*t);
  for (const WriteBufferLimitsOptions& kw : std::initializer_list<WriteBufferLimitsOptions>{
           {.high = 1000}, {.low = 300}, {.high = 50, .low = 20}, {.high = 0}, {}}) {
    t->set_write_buffer_limits(kw);
    show(*t);
  }
  for (const WriteBufferLimitsOptions& kw :
       std::initializer_list<WriteBufferLimitsOptions>{{.high = 1, .low = 2}, {.high = -1}}) {
    try {
      t->set_write_buffer_limits(kw);
    } catch (const ValueError& e) {
      ev(nm(e));
    }
  }
  t->close();
  co_await ticks(2);
}
}  // namespace s706
SCENARIO(706_water_marks) { go(s706::main); }

namespace s707 {
class P : public Protocol {
public:
  void connection_made(std::shared_ptr<Transport> t) override { t_ = t; }
  void connection_lost(std::exception_ptr) override { t_ = nullptr; }
  void pause_writing() override { ev("pause", t_->get_write_buffer_size() > 20000); }
  void resume_writing() override {
    ev("resume", t_->get_write_buffer_size() <= 10000);
    resumed.set();
  }
  Event resumed;

private:
  std::shared_ptr<Transport> t_;
};
Coro<> main() {
  auto [a, b] = pair();
  const auto p = std::make_shared<P>();
  const auto [t, same] = co_await create_connection([p] { return p; }, std::move(b));
  t->set_write_buffer_limits({.high = 20000, .low = 10000});
  std::size_t sent = 0;
  while (t->get_write_buffer_size() < 100000) {
    t->write(std::string(5000, 'x'));
    sent += 5000;
  }
  ev("stop writing");
  co_await sleep(U);
  ev("resumed", p->resumed.is_set());
  std::size_t n = 0;
  while (n < sent) n += (co_await sock_recv(a, 4096)).size();
  ev("all read", n == sent, p->resumed.is_set());
  t->close();
  co_await sleep(U);
}
}  // namespace s707
SCENARIO(707_pause_writing) { go(s707::main); }

namespace s710 {
class P : public Protocol {
public:
  explicit P(Event& gone) : gone_(gone) {}
  void data_received(std::string_view) override { throw Boom("data"); }
  void connection_lost(std::exception_ptr exc) override {
    ev("lost", nm(exc));
    gone_.set();
  }

private:
  Event& gone_;
};
Coro<> main() {
  Event gone;
  trap();
  auto [a, b] = pair();
  const auto [t, p] =
      co_await create_connection([&gone] { return std::make_shared<P>(gone); }, std::move(b));
  a.send("x");
  co_await gone.wait();
  ev("closing", t->is_closing());
}
}  // namespace s710
SCENARIO(710_data_callback_throws) { go(s710::main); }

namespace s711 {
class P : public Protocol {
public:
  explicit P(std::string name) : name_(std::move(name)) {}
  void connection_made(std::shared_ptr<Transport>) override { ev(name_, "made"); }
  void data_received(std::string_view data) override { ev(name_, bytes(data)); }
  void connection_lost(std::exception_ptr) override { ev(name_, "lost"); }

private:
  std::string name_;
};
Coro<> main() {
  auto [a, b] = pair();
  const auto [t, p] =
      co_await create_connection([] { return std::make_shared<P>("old"); }, std::move(b));
  a.send("1");
  co_await sleep(U);
  const auto fresh = std::make_shared<P>("new");
  t->set_protocol(fresh);
  ev("current", t->get_protocol() == fresh);
  a.send("2");
  co_await sleep(U);
  a.close();
  co_await sleep(U);
}
}  // namespace s711
SCENARIO(711_switch_protocol) { go(s711::main); }

namespace s712 {
class P : public Protocol {
public:
  void connection_made(std::shared_ptr<Transport> t) override {
    ev("made");
    t->close();
  }
  void data_received(std::string_view) override { ev("data"); }
  void connection_lost(std::exception_ptr exc) override { ev("lost", nm(exc)); }
};
Coro<> main() {
  auto [a, b] = pair();
  a.send("waiting");
  const auto [t, p] = co_await create_connection(std::make_shared<P>, std::move(b));
  ev("returned", t->is_closing());
  co_await sleep(U);
}
}  // namespace s712
SCENARIO(712_close_in_connection_made) { go(s712::main); }

namespace s716 {
Coro<> main() {
  EventLoop& loop = get_running_loop();
  const auto ends = pair();
  const Sock& a = ends.first;
  const Sock& b = ends.second;
  auto t = create_task(bytes_of(sock_recv(b, 10)));
  co_await sleep(U);
  t.cancel();
  co_await caught(t);
  a.send("later");
  loop.call_soon([] { ev("queued"); });
  ev(bytes(co_await sock_recv(b, 10)));
  co_await ticks(1);
  t = create_task(bytes_of(sock_recv(b, 10)));
  co_await sleep(U);
  t.cancel();
  const auto u = create_task(bytes_of(sock_recv(b, 10)));
  co_await ticks(2);
  a.send("more");
  co_await caught(u);
}
}  // namespace s716
SCENARIO(716_sock_recv_cancel) { go(s716::main); }
