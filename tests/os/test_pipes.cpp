// Pipe transports. The order of events was taken from CPython 3.13's unix_events.py
// (_UnixReadPipeTransport, _UnixWritePipeTransport) and its test_unix_events.py.
#include "support.hpp"

#include <brio/core/runner.hpp>
#include <brio/testing/injection.hpp>

#include <csignal>
#include <cstdlib>
#include <fcntl.h>
#include <pty.h>
#include <sys/mman.h>
#include <sys/stat.h>

using namespace brio::tests;
using brio::Coro;
using brio::Future;
using brio::Transport;
using brio::os::Descriptor;

namespace {

void put(const Descriptor& pipe, std::string_view data) {
  REQUIRE(::write(pipe.fileno(), data.data(), data.size()) == static_cast<ssize_t>(data.size()));
}

// What is there now.
std::string take(const Descriptor& pipe, std::size_t size = 1 << 20) {
  fcntl(pipe.fileno(), F_SETFL, O_NONBLOCK);
  std::string data(size, '\0');
  const ssize_t count = ::read(pipe.fileno(), data.data(), size);
  data.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return data;
}

// Fills the pipe from its writing end; how many bytes went in.
std::size_t fill(const std::shared_ptr<Transport>& writer) {
  std::size_t total = 0;
  while (writer->get_write_buffer_size() == 0) {
    writer->write(std::string(4096, 'f'));
    total += 4096;
  }
  return total;
}

struct Made {
  std::shared_ptr<Transport> transport;
  std::shared_ptr<RecordingProtocol> protocol;
  Descriptor other;
};

Coro<Made> reading(Trace& ev) {
  auto [r, w] = Descriptor::pipe();
  auto [transport, protocol] = co_await brio::connect_read_pipe(
      always(std::make_shared<RecordingProtocol>(ev)), std::move(r));
  co_return Made{transport, protocol, std::move(w)};
}

Coro<Made> writing(Trace& ev) {
  auto [r, w] = Descriptor::pipe();
  auto [transport, protocol] = co_await brio::connect_write_pipe(
      always(std::make_shared<RecordingProtocol>(ev)), std::move(w));
  co_return Made{transport, protocol, std::move(r)};
}

}  // namespace

TEST_CASE("a read pipe: made, data, eof, lost, and eof_received's answer means nothing") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto made = co_await reading(ev);
    ev("connected");
    made.protocol->keep_open = true;
    CHECK(made.transport->is_reading());
    CHECK(made.transport->get_extra_info<int>("pipe").has_value());
    put(made.other, "one");
    co_await until([&] { return made.protocol->received == "one"; });
    put(made.other, "two");
    made.other.close();
    co_await made.protocol->lost;
    CHECK(made.transport->is_closing());
    CHECK(!made.transport->get_extra_info<int>("pipe").has_value());
    CHECK(made.transport->get_protocol() == nullptr);
    co_await ticks(3);
  });
  CHECK(ev.str() == "made\nconnected\ndata b'one'\ndata b'two'\neof\nlost none\n");
}

TEST_CASE("a closed read pipe delivers nothing more, and is lost once") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto made = co_await reading(ev);
    put(made.other, "unread");
    made.transport->close();
    made.transport->close();
    made.transport->abort();
    ev("closed");
    co_await made.protocol->lost;
    co_await ticks(3);
    CHECK(made.protocol->times_lost == 1);
  });
  CHECK(ev.str() == "made\nclosed\nlost none\n");
}

TEST_CASE("closing in connection_made: nothing is watched any more") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    for (const bool read : {true, false}) {
      auto [r, w] = Descriptor::pipe();
      const auto protocol = std::make_shared<RecordingProtocol>(ev);
      protocol->on_made = [&, p = protocol.get()] { p->transport->close(); };
      put(w, "data");
      if (read) {
        co_await brio::connect_read_pipe(always(protocol), std::move(r));
      } else {
        co_await brio::connect_write_pipe(always(protocol), std::move(w));
      }
      co_await ticks(3);
      CHECK(protocol->times_lost == 1);
    }
  });
  CHECK(ev.str() == "made\nlost none\nmade\nlost none\n");
}

TEST_CASE("reading pauses and resumes, both harmless when repeated") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto made = co_await reading(ev);
    made.transport->pause_reading();
    made.transport->pause_reading();
    CHECK(!made.transport->is_reading());
    put(made.other, "kept");
    co_await ticks(5);
    CHECK(made.protocol->received.empty());
    made.transport->resume_reading();
    made.transport->resume_reading();
    co_await until([&] { return !made.protocol->received.empty(); });
    made.transport->pause_reading();
    made.transport->close();
    made.transport->resume_reading();
    CHECK(!made.transport->is_reading());
    co_await made.protocol->lost;
  });
  CHECK(ev.str() == "made\ndata b'kept'\nlost none\n");
}

TEST_CASE("what data_received throws is reported, and the pipe is read on") {
  // As in CPython: unlike a socket's, a pipe's transport does not end with it.
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    std::string reported;
    brio::get_running_loop().set_exception_handler(
        [&](brio::EventLoop&, const brio::ExceptionContext& context) {
          reported += brio::describe(context.exception);
        });
    auto made = co_await reading(ev);
    made.protocol->trace_data = false;
    made.protocol->on_data = [&](std::string_view data) {
      if (data == "bad") throw Boom("in data_received");
    };
    put(made.other, "bad");
    co_await until([&] { return !reported.empty(); });
    CHECK(reported == "in data_received");
    put(made.other, "good");
    co_await until([&] { return made.protocol->received == "badgood"; });
    made.transport->close();
    co_await made.protocol->lost;
  });
}

TEST_CASE("a write pipe: what is written arrives, the buffer first, then the end") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto made = co_await writing(ev);
    CHECK(made.transport->can_write_eof());
    made.transport->write("");
    made.transport->write("he");
    made.transport->writelines({"l", "", "lo"});
    CHECK(take(made.other) == "hello");
    const std::size_t total = fill(made.transport) + 6;
    made.transport->write("the end");
    made.transport->write_eof();
    CHECK(made.transport->is_closing());
    std::string got;
    while (got.size() < total + 1) {
      got += take(made.other, 5000);
      co_await brio::yield_now();
    }
    CHECK(got.ends_with("the end"));
    co_await made.protocol->lost;
    CHECK(take(made.other).empty());
  });
  CHECK(ev.str() == "made\nlost none\n");
}

TEST_CASE("write buffer limits: paused above high, resumed when drained") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto made = co_await writing(ev);
    CHECK(made.transport->get_write_buffer_limits() == brio::WriteBufferLimits{16384, 65536});
    made.transport->set_write_buffer_limits({.high = 10, .low = 5});
    CHECK_THROWS_AS(made.transport->set_write_buffer_limits({.high = 1, .low = 2}),
                    brio::ValueError);
    std::size_t total = fill(made.transport);
    made.transport->write("0123456789");
    total += 10;
    ev("written");
    std::string got;
    while (got.size() < total) {
      got += take(made.other);
      co_await brio::yield_now();
    }
    co_await ticks(2);
    CHECK(made.transport->get_write_buffer_size() == 0);
    made.transport->close();
    co_await made.protocol->lost;
  });
  CHECK(ev.str() == "made\npause\nwritten\nresume\nlost none\n");
}

TEST_CASE("the writer notices that its reader has gone, without writing") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto idle = co_await writing(ev);
    idle.other.close();
    co_await idle.protocol->lost;
    auto busy = co_await writing(ev);
    fill(busy.transport);
    busy.other.close();
    co_await busy.protocol->lost;
    CHECK(busy.transport->get_write_buffer_size() == 0);
  });
  CHECK(ev.str() == "made\nlost none\nmade\nlost BrokenPipeError\n");
}

TEST_CASE("a write into a broken pipe: no signal, no report, connection_lost with the error") {
  const NothingLeft nothing_left;
  const Logs logs;
  Trace ev;
  brio::run([&]() -> Coro<> {
    trap(ev);
    auto made = co_await writing(ev);
    made.other.close();
    made.transport->write("into the void");
    made.transport->write("more");
    CHECK(made.transport->is_closing());
    ev("written");
    co_await made.protocol->lost;
    for (int i = 0; i < 6; ++i) made.transport->write("late");
    CHECK(logs.contain("pipe closed by peer"));
  });
  CHECK(ev.str() == "made\nwritten\nlost BrokenPipeError\n");
}

TEST_CASE("abort drops what is buffered") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto made = co_await writing(ev);
    fill(made.transport);
    made.transport->close();  // would send the rest first
    CHECK(made.transport->get_write_buffer_size() > 0);
    made.transport->abort();
    made.transport->abort();
    CHECK(made.transport->get_write_buffer_size() == 0);
    ev("aborted");
    co_await made.protocol->lost;
    co_await ticks(2);
    CHECK(made.protocol->times_lost == 1);
  });
  CHECK(ev.str() == "made\naborted\nlost none\n");
}

TEST_CASE("a pipe has one direction") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto r = co_await reading(ev);
    CHECK_THROWS_AS(r.transport->write("x"), brio::RuntimeError);
    CHECK_THROWS_AS(r.transport->writelines({"x"}), brio::RuntimeError);
    CHECK_THROWS_AS(r.transport->write_eof(), brio::RuntimeError);
    CHECK_THROWS_AS(r.transport->set_write_buffer_limits(), brio::RuntimeError);
    CHECK(!r.transport->can_write_eof());
    auto w = co_await writing(ev);
    CHECK_THROWS_AS(w.transport->pause_reading(), brio::RuntimeError);
    CHECK_THROWS_AS(w.transport->resume_reading(), brio::RuntimeError);
    CHECK(!w.transport->is_reading());
    r.transport->close();
    w.transport->close();
    co_await r.protocol->lost;
    co_await w.protocol->lost;
  });
}

TEST_CASE("regular files are refused, and a factory's error closes the pipe") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    Trace ev;
    const auto protocol = always(std::make_shared<RecordingProtocol>(ev));
    auto file = Descriptor::adopt(memfd_create("file", MFD_CLOEXEC));
    co_await caught(
        ev,
        [](auto p, Descriptor f) -> Coro<> { co_await brio::connect_read_pipe(p, std::move(f)); }(
                                     protocol, Descriptor::dup(file.fileno())),
        "read");
    co_await caught(
        ev,
        [](auto p, Descriptor f) -> Coro<> { co_await brio::connect_write_pipe(p, std::move(f)); }(
                                     protocol, std::move(file)),
        "write");
    const auto failing = []() -> std::shared_ptr<RecordingProtocol> { throw Boom("no protocol"); };
    auto [r, w] = Descriptor::pipe();
    co_await caught(
        ev,
        [](auto p, Descriptor f) -> Coro<> { co_await brio::connect_read_pipe(p, std::move(f)); }(
                                     failing, std::move(r)),
        "factory");
    CHECK(ev.str() == "read ValueError\nwrite ValueError\nfactory Boom(no protocol)\n");
  });
}

TEST_CASE("FIFOs, sockets and terminals are pipes too") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    // A FIFO by its name.
    char directory[] = "/tmp/brio-pipes-XXXXXX";
    REQUIRE(mkdtemp(directory) != nullptr);
    const std::string path = std::string(directory) + "/fifo";
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    auto [rt, rp] = co_await brio::connect_read_pipe(
        always(std::make_shared<RecordingProtocol>(ev, "fifo")), Descriptor::open(path, O_RDONLY));
    auto [wt, wp] = co_await brio::connect_write_pipe(
        always(std::make_shared<RecordingProtocol>(ev, "out")), Descriptor::open(path, O_WRONLY));
    wt->write("through a fifo");
    wt->close();
    co_await rp->lost;
    co_await wp->lost;
    unlink(path.c_str());
    rmdir(directory);

    auto [ours, theirs] = brio::net::Socket::pair();
    auto [st, sp] = co_await brio::connect_write_pipe(
        always(std::make_shared<RecordingProtocol>(ev, "socket")), std::move(ours));
    st->write("through a socket");
    CHECK(theirs.recv(100) == "through a socket");
    theirs.close();
    co_await sp->lost;

    // The end of a terminal's other side is EIO: an error for connection_lost, but no report.
    trap(ev);
    int master = -1;
    int slave = -1;
    REQUIRE(openpty(&master, &slave, nullptr, nullptr, nullptr) == 0);
    auto terminal = Descriptor::adopt(slave);
    auto [tt, tp] = co_await brio::connect_read_pipe(
        always(std::make_shared<RecordingProtocol>(ev, "tty")), Descriptor::adopt(master));
    put(terminal, "through a tty");
    co_await until([&] { return !tp->received.empty(); });
    terminal.close();
    co_await tp->lost;

    auto [nt, np] =
        co_await brio::connect_write_pipe(always(std::make_shared<RecordingProtocol>(ev, "null")),
                                          Descriptor::open("/dev/null", O_WRONLY));
    nt->write("into nothing");
    CHECK(nt->get_write_buffer_size() == 0);
    nt->close();
    co_await np->lost;
  });
  // Which of the two ends of the FIFO hears first is the loop's order: the writer closed first.
  CHECK(ev.str() ==
        "fifo made\nout made\nout lost none\nfifo data b'through a fifo'\nfifo eof\n"
        "fifo lost none\nsocket made\nsocket lost none\ntty made\ntty data b'through a tty'\n"
        "tty lost OSError\nnull made\nnull lost none\n");
}

TEST_CASE("what cannot be watched ends with the error") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    trap(ev);
    auto [t, p] = co_await brio::connect_read_pipe(always(std::make_shared<RecordingProtocol>(ev)),
                                                   Descriptor::open("/dev/null", O_RDONLY));
    co_await p->lost;
  });
  const bool reported = ev.str() ==
                        "made\nHANDLER Cannot watch the pipe PermissionError\n"
                        "lost PermissionError\n";
  // An engine may be able to watch it after all; then it reads the end.
  const bool watched = ev.str() == "made\neof\nlost none\n";
  CHECK((reported || watched));
}

TEST_CASE("streams over pipes") {
  const NothingLeft nothing_left;
  brio::run([]() -> Coro<> {
    auto [r, w] = Descriptor::pipe();
    const brio::StreamReader reader(100);
    const auto protocol = std::make_shared<brio::StreamReaderProtocol>(reader);
    co_await brio::connect_read_pipe([=] { return protocol; }, std::move(r));
    const auto out = std::make_shared<brio::StreamReaderProtocol>(brio::StreamReader());
    auto [transport, made] = co_await brio::connect_write_pipe([=] { return out; }, std::move(w));
    const brio::StreamWriter writer(transport, out);

    const auto produce = [](brio::StreamWriter to) -> Coro<> {
      for (int i = 0; i < 50'000; ++i) {
        to.write(std::to_string(i) + "\n");
        co_await to.drain();
      }
      to.close();
      co_await to.wait_closed();
    };
    const auto task = brio::create_task(produce, writer);
    int lines = 0;
    bool in_order = true;
    while (auto line = co_await reader.next()) {
      in_order = in_order && *line == std::to_string(lines) + "\n";
      ++lines;
    }
    co_await task;
    CHECK(lines == 50'000);
    CHECK(in_order);
    CHECK(reader.at_eof());
  });
}

TEST_CASE("descriptions for logs, and the log of debug mode") {
  const NothingLeft nothing_left;
  const Logs logs;
  Trace ev;
  brio::run([&]() -> Coro<> {
    brio::get_running_loop().set_debug(true);
    auto r = co_await reading(ev);
    r.transport->pause_reading();
    r.transport->resume_reading();
    r.other.close();
    co_await r.protocol->lost;
  });
  CHECK(logs.contain("Read pipe connected: <ReadPipeTransport fd="));
  CHECK(logs.contain(" idle> pauses reading"));
  CHECK(logs.contain(" polling> resumes reading"));
  CHECK(logs.contain(" polling> was closed by peer"));
}

TEST_CASE("a loop that is closed over open pipes closes them, and says so in debug mode") {
  const NothingLeft nothing_left;
  const Logs logs;
  Trace ev;
  {
    auto loop = brio::new_event_loop();
    loop->set_debug(true);
    auto r = loop->run_until_complete(reading(ev));
    auto w = loop->run_until_complete(writing(ev));
    fill(w.transport);
    loop->close();
    CHECK(logs.contain("unclosed transport"));
    CHECK(r.transport->is_closing());
    r.transport->close();
    w.transport->abort();
    r = {};
    w = {};
  }
  CHECK(ev.str() == "made\nmade\n");
}

TEST_CASE("a cancelled connect closes its pipe, at whatever point") {
  using brio::testing::Victim;
  const NothingLeft nothing_left;
  Trace ev;  // protocols outlive a cancelled scenario
  for (const Victim victim : {Victim::main, Victim::every_task, Victim::scope}) {
    brio::testing::for_each_cancellation(
        [&ev]() -> Coro<> {
          auto r = co_await reading(ev);
          auto w = co_await writing(ev);
          r.transport->close();
          w.transport->close();
          co_await r.protocol->lost;
          co_await w.protocol->lost;
        },
        {.victim = victim});
  }
}
