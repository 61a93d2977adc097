// What a SubprocessProtocol is told, and when. Every expected order was printed by CPython 3.13.0
// for the same commands (base_subprocess.py decides it).
#include "support.hpp"

#include <csignal>

using namespace brio::tests;
using brio::Coro;
using brio::os::Descriptor;
using brio::subprocess::DEVNULL;
using brio::subprocess::INHERIT;

namespace {

class Recorder : public brio::SubprocessProtocol {
public:
  explicit Recorder(Trace& trace) : ev(trace) {}

  void connection_made(std::shared_ptr<brio::SubprocessTransport> t) override {
    transport = std::move(t);
    ev("made");
  }
  void pipe_data_received(int fd, std::string_view data) override {
    ev("data", fd, std::string(data));
    received += data;
  }
  void pipe_connection_lost(int fd, std::exception_ptr exc) override {
    ev("lost", fd, exc);
    lost_pipes += std::to_string(fd);
  }
  void process_exited() override {
    ev("exited", *transport->get_returncode());
    exited = true;
    if (on_exited) on_exited();
  }
  void connection_lost(std::exception_ptr exc) override {
    ev("connection_lost", exc);
    done.set_result();
  }
  void pause_writing() override { ev("pause"); }
  void resume_writing() override { ev("resume"); }

  // Until the pipe of `fd` is lost.
  Coro<> lost(int fd) {
    return until([this, fd] { return lost_pipes.find(std::to_string(fd)) != std::string::npos; });
  }

  Trace& ev;
  std::shared_ptr<brio::SubprocessTransport> transport;
  std::string received;
  std::string lost_pipes;
  bool exited = false;
  std::function<void()> on_exited;
  brio::Future<> done = brio::create_future();
};

void put(const Descriptor& pipe, std::string_view data) {
  REQUIRE(::write(pipe.fileno(), data.data(), data.size()) == static_cast<ssize_t>(data.size()));
}

}  // namespace

TEST_CASE("a child that closes one pipe after the other, and then ends") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto [theirs, ours] = Descriptor::pipe();
    auto [transport, protocol] = co_await brio::subprocess_shell(
        always(std::make_shared<Recorder>(ev)),
        "read x; echo out $x; exec 1>&-; read y; exec 0<&-; read z <&3; exit 3",
        {.stderr = DEVNULL, .pass_fds = {{theirs.fileno(), 3}}});
    ev("returned");
    const auto input = transport->get_pipe_transport(0);
    input->write("x\n");
    co_await protocol->lost(1);
    input->write("y\n");
    co_await protocol->lost(0);
    put(ours, "z\n");
    co_await protocol->done;
  });
  CHECK(ev.str() ==
        "made\nreturned\ndata 1 b'out x\\n'\nlost 1 none\nlost 0 none\nexited 3\n"
        "connection_lost none\n");
}

TEST_CASE("closing the transport kills the child, and its end is still told") {
  const NothingLeft nothing_left;
  const Logs logs;
  Trace ev;
  brio::run([&]() -> Coro<> {
    brio::get_running_loop().set_debug(true);
    auto [transport, protocol] =
        co_await brio::subprocess_exec(always(std::make_shared<Recorder>(ev)), "cat");
    ev("returned");
    transport->close();
    CHECK(transport->is_closing());
    transport->abort();
    ev("closed");
    co_await protocol->done;
    CHECK(transport->get_returncode() == -SIGKILL);
    CHECK(transport->get_protocol() == nullptr);
  });
  CHECK(ev.str() ==
        "made\nreturned\nclosed\nlost 0 none\nlost 1 none\nlost 2 none\nexited -9\n"
        "connection_lost none\n");
  CHECK(logs.contain("Close running child process: kill <SubprocessTransport closed pid="));
}

TEST_CASE("a child without pipes") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto [transport, protocol] =
        co_await brio::subprocess_shell(always(std::make_shared<Recorder>(ev)), "exit 4",
                                        {.stdin = INHERIT, .stdout = INHERIT, .stderr = INHERIT});
    CHECK(transport->get_pipe_transport(0) == nullptr);
    CHECK(transport->get_pipe_transport(1) == nullptr);
    CHECK(transport->get_pipe_transport(-1) == nullptr);
    CHECK(transport->get_pipe_transport(7) == nullptr);
    co_await protocol->done;
  });
  CHECK(ev.str() == "made\nexited 4\nconnection_lost none\n");
}

TEST_CASE("connection_lost waits for a pipe that a grandchild holds") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto [theirs, ours] = Descriptor::pipe();
    auto [transport, protocol] = co_await brio::subprocess_shell(
        always(std::make_shared<Recorder>(ev)), "read x <&3 & exit 5",
        {.stdin = DEVNULL, .stderr = DEVNULL, .pass_fds = {{theirs.fileno(), 3}}});
    theirs.close();
    co_await until([&p = *protocol] { return p.exited; });
    ev("let go");
    ours.close();
    co_await protocol->done;
  });
  CHECK(ev.str() == "made\nexited 5\nlet go\nlost 1 none\nconnection_lost none\n");
}

TEST_CASE("a kill with input on its way") {
  const NothingLeft nothing_left;
  Trace ev;
  brio::run([&]() -> Coro<> {
    auto [transport, protocol] = co_await brio::subprocess_shell(
        always(std::make_shared<Recorder>(ev)), "exec 1>&- 2>&-; read x; sleep 1000",
        {.stdout = DEVNULL, .stderr = DEVNULL});
    transport->get_pipe_transport(0)->write(std::string(1'000'000, 'v'));
    transport->kill();
    co_await protocol->done;
    CHECK(transport->get_returncode() == -SIGKILL);
  });
  // The kernel says which it tells first: the end of the child, or that of its stdin.
  const std::string trace = ev.str();
  CHECK(trace.starts_with("made\npause\n"));
  CHECK(trace.find("lost 0 BrokenPipeError\n") != std::string::npos);
  CHECK(trace.find("exited -9\n") != std::string::npos);
  CHECK(trace.ends_with("connection_lost none\n"));
}

TEST_CASE("what comes before connection_made waits for it") {
  const NothingLeft nothing_left;
  for (int i = 0; i < 20; ++i) {
    Trace ev;
    brio::run([&]() -> Coro<> {
      auto [transport, protocol] =
          co_await brio::subprocess_shell(always(std::make_shared<Recorder>(ev)), "echo now",
                                          {.stdin = DEVNULL, .stderr = DEVNULL});
      co_await protocol->done;
      CHECK(protocol->received == "now\n");
    });
    CHECK(ev.str().starts_with("made\n"));
    CHECK(ev.str().ends_with("connection_lost none\n"));
  }
}

TEST_CASE("the transport: pid, return code, signals, descriptions") {
  const NothingLeft nothing_left;
  const Logs logs;
  Trace ev;
  brio::run([&]() -> Coro<> {
    brio::get_running_loop().set_debug(true);
    auto [transport, protocol] = co_await brio::subprocess_exec(
        always(std::make_shared<Recorder>(ev)), "cat", {}, {.stderr = brio::subprocess::STDOUT});
    const int pid = transport->get_pid();
    CHECK(kill(pid, 0) == 0);
    CHECK(transport->get_extra_info<int>("subprocess") == pid);
    CHECK(&transport->get_loop() == &brio::get_running_loop());
    CHECK(!transport->get_returncode());
    const std::string start = "<SubprocessTransport pid=" + std::to_string(pid) + " running";
    CHECK(transport->repr().starts_with(start + " stdin=<WritePipeTransport fd="));
    CHECK(transport->repr().find(" stdout=<ReadPipeTransport fd=") != std::string::npos);
    CHECK(logs.contain("execute program 'cat' stdin=<pipe> stdout=stderr=<pipe>"));
    CHECK(logs.contain("process 'cat' created: pid " + std::to_string(pid)));
    CHECK(logs.contain("execute program 'cat': " + start));
    // It has ended, and we have been told: nothing happens.
    protocol->on_exited = [&t = *transport] {
      t.send_signal(SIGTERM);
      t.kill();
    };
    transport->terminate();
    co_await protocol->done;
    CHECK(transport->get_returncode() == -SIGTERM);
    CHECK(logs.contain("running stdin"));
    CHECK(logs.contain(" exited with return code -15"));
    CHECK_THROWS_AS(transport->send_signal(SIGTERM), brio::ProcessLookupError);
    CHECK_THROWS_AS(transport->terminate(), brio::ProcessLookupError);
    CHECK_THROWS_AS(transport->kill(), brio::ProcessLookupError);
    transport->close();  // harmless
  });
}

TEST_CASE("a protocol can be replaced") {
  const NothingLeft nothing_left;
  Trace first;
  Trace second;
  brio::run([&]() -> Coro<> {
    auto [transport, protocol] = co_await brio::subprocess_exec(
        always(std::make_shared<Recorder>(first)), "cat", {}, {.stderr = DEVNULL});
    const auto other = std::make_shared<Recorder>(second);
    other->transport = transport;
    transport->set_protocol(other);
    CHECK(transport->get_protocol() == other);
    CHECK_THROWS_AS(transport->set_protocol(nullptr), brio::TypeError);
    transport->get_pipe_transport(0)->write("hello");
    transport->get_pipe_transport(0)->write_eof();
    co_await other->done;
  });
  CHECK(first.str() == "made\n");
  CHECK(second.str().find("data 1 b'hello'\n") != std::string::npos);
}

TEST_CASE("an error in a protocol goes to the exception handler, and the rest is told") {
  const NothingLeft nothing_left;
  class Failing : public Recorder {
  public:
    using Recorder::Recorder;
    void process_exited() override {
      Recorder::process_exited();
      throw Boom("in process_exited");
    }
  };
  Trace ev;
  brio::run([&]() -> Coro<> {
    std::string reported;
    brio::get_running_loop().set_exception_handler(
        [&](brio::EventLoop&, const brio::ExceptionContext& context) {
          reported += brio::describe(context.exception);
        });
    auto [transport, protocol] =
        co_await brio::subprocess_exec(always(std::make_shared<Failing>(ev)), "true", {},
                                       {.stdin = INHERIT, .stdout = INHERIT, .stderr = INHERIT});
    co_await protocol->done;
    CHECK(reported == "in process_exited");
  });
  CHECK(ev.str() == "made\nexited 0\nconnection_lost none\n");
}
