// What the loop and the transports rely on, of every engine.
#include "support.hpp"

#include <brio/core/loop.hpp>
#include <brio/engine/epoll.hpp>
#include <brio/engine/io_uring.hpp>
#include <brio/engine/loops.hpp>

#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <sys/wait.h>
#include <thread>

using namespace brio;
using namespace brio::tests;

namespace {

// The engine that BRIO_LOOP names, and no other in its place.
std::unique_ptr<Engine> make() {
  auto engine = detail::make_default_engine();
  const char* const wanted = std::getenv("BRIO_LOOP");
  if (wanted && engine->name() != std::string_view(wanted))
    MESSAGE("SKIPPED: there is no ", wanted, " here, ", engine->name(),
            " is tested again: ", engine::io_uring_missing());
  return engine;
}

Fd listening(int backlog = 16) {
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  REQUIRE(::listen(fd, backlog) == 0);
  return fd;
}

Fd connected(int listener) {
  sockaddr_in address{};
  socklen_t length = sizeof address;
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&address), length) == 0);
  return fd;
}

void turn_quietly(EventLoop& loop) {
  for (int i = 0; i < 3; ++i) {
    (void)loop.until_due();
    loop.run_once();
  }
}

}  // namespace

TEST_CASE("engine: a watched descriptor is reported as long as it is ready") {
  const auto engine = make();
  auto [a, b] = stream_pair();
  CHECK(!engine->watching());
  engine->watch(a, Interest::read);
  CHECK(engine->watching());
  CHECK(poll(*engine).empty());
  put(b, "x");
  const Events read{{a, Interest::read}};
  CHECK(wait_for_events(*engine) == read);
  CHECK(wait_for_events(*engine) == read);
  engine->watch(a, Interest::both);
  CHECK(wait_for_events(*engine) == Events{{a, Interest::both}});
  engine->watch(a, Interest::write);
  CHECK(wait_for_events(*engine) == Events{{a, Interest::write}});
  engine->watch(a, Interest::none);
  CHECK(poll(*engine).empty());
  CHECK(!engine->watching());
}

TEST_CASE("engine: a hang-up is news for both directions") {
  const auto engine = make();
  auto [a, b] = stream_pair();
  engine->watch(a, Interest::both);
  b.close();
  CHECK(wait_for_events(*engine) == Events{{a, Interest::both}});
}

TEST_CASE("engine: what cannot be watched is refused with the system's reason") {
  const auto engine = make();
  const Fd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  CHECK_THROWS_AS(engine->watch(file, Interest::read), PermissionError);
  auto [a, b] = stream_pair();
  const int number = a;
  a.close();
  CHECK_THROWS_AS(engine->watch(number, Interest::read), OSError);
  CHECK(!engine->watching());
}

TEST_CASE("engine: a descriptor that was closed and opened anew is watched anew") {
  const auto engine = make();
  auto [a, b] = stream_pair();
  const int number = a;
  engine->watch(number, Interest::read);
  CHECK(poll(*engine).empty());
  a.close();
  auto [c, d] = stream_pair();
  REQUIRE(c == number);
  engine->watch(number, Interest::none);
  engine->watch(number, Interest::read);
  CHECK(poll(*engine).empty());
  put(d, "x");
  CHECK(wait_for_events(*engine) == Events{{number, Interest::read}});
}

TEST_CASE("engine: a wait ends with its timeout, and with a wake from anywhere") {
  const auto engine = make();
  const TimePoint begun = engine->now();
  CHECK(poll(*engine, std::chrono::milliseconds(3)).empty());
  CHECK(engine->now() - begun >= std::chrono::milliseconds(3));
  engine->wake();
  CHECK(poll(*engine, std::chrono::hours(1)).empty());
  std::thread other([&] { engine->wake(); });
  CHECK(poll(*engine, Duration(-1)).empty());
  other.join();
}

TEST_CASE("engine: more changes in one iteration than a queue has places") {
  const auto engine = make();
  std::vector<std::pair<Fd, Fd>> pairs;
  for (int i = 0; i < 400; ++i) pairs.push_back(stream_pair());
  for (int round = 0; round < 3; ++round) {
    for (auto& [a, b] : pairs) engine->watch(a, Interest::both);
    std::size_t reported = 0;
    while (reported < pairs.size()) reported += wait_for_events(*engine).size();
    for (auto& [a, b] : pairs) engine->watch(a, Interest::none);
  }
  CHECK(poll(*engine).empty());
  CHECK(!engine->watching());
}

TEST_CASE("engine: an adopted stream gives what came, then its end") {
  const auto engine = make();
  auto [a, b] = stream_pair();
  engine->adopt(a, Purpose::stream);
  engine->watch(a, Interest::read);
  CHECK(poll(*engine).empty());
  CHECK(take(*engine, a) == "(nothing)");
  put(b, "hello");
  CHECK(wait_for_events(*engine) == Events{{a, Interest::read}});
  CHECK(take(*engine, a, 2) == "he");
  // What was left is news again.
  CHECK(wait_for_events(*engine) == Events{{a, Interest::read}});
  CHECK(take(*engine, a) == "llo");
  CHECK(take(*engine, a) == "(nothing)");
  put(b, "bye");
  b.close();
  CHECK(take_all(*engine, a, 3) == "bye");
  CHECK(wait_for_events(*engine) == Events{{a, Interest::read}});
  CHECK(take(*engine, a) == "(end)");
  CHECK(take(*engine, a) == "(end)");
  engine->watch(a, Interest::none);
  engine->forget(a);
  CHECK(poll(*engine).empty());
}

TEST_CASE("engine: what comes while nobody wants it is there for the next read") {
  const auto engine = make();
  auto [a, b] = stream_pair();
  engine->adopt(a, Purpose::stream);
  std::string sent;
  std::string got;
  for (int round = 0; round < 50; ++round) {
    const std::string piece = std::to_string(round) + ",";
    engine->watch(a, Interest::read);
    if (round % 2 == 0) (void)poll(*engine);  // receiving has begun, or not even that
    put(b, piece);
    sent += piece;
    if (round % 3 == 0) (void)wait_for_events(*engine);  // it has come, and is not taken
    engine->watch(a, Interest::none);
    CHECK(poll(*engine).empty());
    if (round % 5 != 4) continue;
    engine->watch(a, Interest::read);
    while (got.size() < sent.size()) {
      (void)wait_for_events(*engine);
      const std::string more = take(*engine, a);
      if (more != "(nothing)") got += more;
    }
    CHECK(got == sent);
    engine->watch(a, Interest::none);
  }
}

TEST_CASE("engine: a broken connection is an error once, then the end") {
  const auto engine = make();
  const Fd listener = listening();
  Fd client = connected(listener);
  const Fd server(::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  engine->adopt(server, Purpose::stream);
  engine->watch(server, Interest::read);
  CHECK(poll(*engine).empty());
  const linger abort{1, 0};
  REQUIRE(::setsockopt(client, SOL_SOCKET, SO_LINGER, &abort, sizeof abort) == 0);
  client.close();
  (void)wait_for_events(*engine);
  CHECK(take(*engine, server) == "(errno " + std::to_string(ECONNRESET) + ")");
  CHECK(take(*engine, server) == "(end)");
}

TEST_CASE("engine: after forget() a close is a close, whatever was under way") {
  const auto engine = make();
  for (const bool submitted : {false, true}) {
    auto [a, b] = stream_pair();
    engine->adopt(a, Purpose::stream);
    engine->watch(a, Interest::both);
    if (submitted) (void)poll(*engine);
    engine->watch(a, Interest::none);
    engine->forget(a);
    a.close();
    CHECK(is_closed(b));
    CHECK(poll(*engine).empty());
    CHECK(!engine->watching());
  }
}

TEST_CASE("engine: an adopted listener gives connections with their addresses") {
  const auto engine = make();
  const Fd listener = listening();
  engine->adopt(listener, Purpose::listener);
  engine->watch(listener, Interest::read);
  CHECK(poll(*engine).empty());
  std::vector<Fd> clients;
  for (int i = 0; i < 5; ++i) clients.push_back(connected(listener));
  std::vector<Fd> accepted;
  while (accepted.size() < clients.size()) {
    CHECK(wait_for_events(*engine) == Events{{listener, Interest::read}});
    while (true) {
      sockaddr_in peer{};
      socklen_t length = sizeof peer;
      const int fd = engine->accept(listener, reinterpret_cast<sockaddr*>(&peer), &length);
      if (fd == -EAGAIN) break;
      const Fd& client = clients[accepted.size()];
      accepted.emplace_back(fd);
      sockaddr_in own{};
      socklen_t own_length = sizeof own;
      REQUIRE(::getsockname(client, reinterpret_cast<sockaddr*>(&own), &own_length) == 0);
      CHECK(length == sizeof peer);
      CHECK(own.sin_port == peer.sin_port);
      CHECK((::fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
      CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    }
  }
  CHECK(poll(*engine).empty());
}

TEST_CASE("engine: connections of a listener that is given up are not left open") {
  const auto engine = make();
  Fd listener = listening();
  engine->adopt(listener, Purpose::listener);
  engine->watch(listener, Interest::read);
  CHECK(poll(*engine).empty());
  const Fd client = connected(listener);
  (void)wait_for_events(*engine);
  const Fd late = connected(listener);
  engine->watch(listener, Interest::none);
  engine->forget(listener);
  listener.close();
  CHECK(poll(*engine).empty());
  for (const int fd : {static_cast<int>(client), static_cast<int>(late)}) {
    char byte = 0;
    CHECK(::recv(fd, &byte, 1, 0) <= 0);  // the end, or a reset
  }
}

TEST_CASE("engine: send takes what fits, says EAGAIN when nothing does, and never signals") {
  const auto engine = make();
  auto [a, b] = stream_pair();
  const std::string big(1 << 20, 'x');
  const std::array<iovec, 2> parts{iovec{const_cast<char*>(big.data()), 10},
                                   iovec{const_cast<char*>(big.data()), big.size()}};
  const Transfer some = engine->send(a, parts.data(), 2);
  CHECK(some.error == 0);
  CHECK(some.count > 10);
  CHECK(some.count < big.size());
  Transfer more = some;
  while (more.error == 0) more = engine->send(a, parts.data(), 1);
  CHECK(more.error == EAGAIN);
  b.close();
  CHECK(engine->send(a, parts.data(), 1).error == EPIPE);
}

TEST_CASE("engine: it can be watched from outside") {
  const auto engine = make();
  auto [a, b] = stream_pair();
  engine->watch(a, Interest::read);
  engine->rest();
  const auto outside = std::make_unique<engine::EpollEngine>();
  REQUIRE(engine->descriptor() >= 0);
  outside->watch(engine->descriptor(), Interest::read);
  CHECK(poll(*outside).empty());
  put(b, "x");
  CHECK(wait_for_events(*outside) == Events{{engine->descriptor(), Interest::read}});
  CHECK(poll(*engine) == Events{{a, Interest::read}});
}

TEST_CASE("a loop inside another one: I/O, timers and other threads bring it to life") {
  const auto loop = new_event_loop(make());
  auto [a, b] = stream_pair();
  engine::EpollEngine outside;
  outside.watch(loop->engine().descriptor(), Interest::read);
  // What a host does: waits as long as it may, then lets the guest run.
  const auto turn = [&] {
    const auto due = loop->until_due();
    (void)poll(outside, due.value_or(Duration(-1)));
    loop->run_once();
  };
  std::vector<std::string> trace;
  loop->add_reader(a, [&] {
    trace.emplace_back("readable");
    loop->remove_reader(a);
  });
  put(b, "x");
  while (trace.empty()) turn();
  loop->call_later(std::chrono::milliseconds(2), [&] { trace.emplace_back("timer"); });
  while (trace.size() < 2) turn();
  std::thread([&] {
    loop->call_soon_threadsafe([&] { trace.emplace_back("posted before"); });
  }).join();
  while (trace.size() < 3) turn();
  (void)loop->until_due();
  std::thread([&] {
    loop->call_soon_threadsafe([&] { trace.emplace_back("posted meanwhile"); });
  }).join();
  CHECK(wait_for_events(outside).size() == 1);  // a wait may be interrupted
  while (trace.size() < 4) turn();
  CHECK(trace ==
        std::vector<std::string>{"readable", "timer", "posted before", "posted meanwhile"});
  // And then it is quiet: the host may sleep.
  turn_quietly(*loop);
  CHECK(poll(outside).empty());
}

TEST_CASE("loops: by asyncio's names, by policy, by BRIO_LOOP") {
  CHECK(SelectorEventLoop()->engine().name() == std::string_view("epoll"));
  const std::string proactor = engine::io_uring_missing().empty() ? "io_uring" : "epoll";
  CHECK(ProactorEventLoop()->engine().name() == proactor);
  CHECK(SelectorEventLoopPolicy().new_engine()->name() == std::string_view("epoll"));
  CHECK(ProactorEventLoopPolicy().new_engine()->name() == proactor);

  const char* const value = std::getenv("BRIO_LOOP");
  const std::string before = value ? value : "";
  const auto with = [](const char* name) {
    ::setenv("BRIO_LOOP", name, 1);
    return std::string(detail::make_default_engine()->name());
  };
  CHECK(with("epoll") == "epoll");
  CHECK(with("io_uring") == proactor);
  CHECK_THROWS_WITH_AS(with("kqueue"), "BRIO_LOOP is \"kqueue\"; it may be epoll or io_uring",
                       ValueError);
  if (value)
    ::setenv("BRIO_LOOP", before.c_str(), 1);
  else
    ::unsetenv("BRIO_LOOP");
}

TEST_CASE("no connection is lost when a listener stops, whoever has accepted it") {
  const auto engine = make();
  const Fd listener = listening();
  engine->adopt(listener, Purpose::listener);
  engine->watch(listener, Interest::read);
  (void)poll(*engine);
  std::vector<Fd> clients;
  clients.push_back(connected(listener));
  clients.push_back(connected(listener));
  (void)poll(*engine);
  clients.push_back(connected(listener));  // not accepted by anybody
  engine->watch(listener, Interest::none);
  std::vector<Fd> accepted;
  sockaddr_storage peer;
  socklen_t peer_length = sizeof peer;
  const auto rest = [&] {
    peer_length = sizeof peer;
    return engine->accept_rest(listener, reinterpret_cast<sockaddr*>(&peer), &peer_length);
  };
  for (int fd = rest(); fd >= 0; fd = rest()) accepted.emplace_back(fd);
  CHECK(rest() == -EAGAIN);
  const std::size_t ahead = accepted.size();
  engine->forget(listener);
  while (true) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) break;
    accepted.emplace_back(fd);
  }
  CHECK(accepted.size() == clients.size());
  CHECK((ahead > 0) == (engine->name() == std::string_view("io_uring")));
}

TEST_CASE("of two who share a listener one stops, and the other misses no connection") {
  for (const bool first_stops : {true, false}) {
    const Fd listener = listening();
    std::unique_ptr<Engine> both[2];
    for (auto& engine : both) {
      engine = make();
      engine->adopt(listener, Purpose::listener);
      engine->watch(listener, Interest::read);
      (void)poll(*engine);
    }
    const Fd client = connected(listener);  // wakes one of them
    int accepted = 0;
    sockaddr_storage peer;
    socklen_t length = sizeof peer;
    const auto take = [&](int fd) {
      if (fd < 0) return;
      ::close(fd);
      ++accepted;
    };
    Engine& leaving = *both[first_stops ? 0 : 1];
    leaving.watch(listener, Interest::none);
    take(leaving.accept_rest(listener, reinterpret_cast<sockaddr*>(&peer), &length));
    leaving.forget(listener);
    Engine& staying = *both[first_stops ? 1 : 0];
    (void)poll(staying);
    length = sizeof peer;
    take(staying.accept(listener, reinterpret_cast<sockaddr*>(&peer), &length));
    staying.forget(listener);
    CHECK(accepted == 1);
  }
}

#if !defined(__SANITIZE_THREAD__)
// Descriptors of io_uring rings in this process.
static int open_rings() {
  int rings = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry, gone) == "anon_inode:[io_uring]") ++rings;
  }
  return rings;
}

TEST_CASE("an await in a forked child of a task says what is wrong") {
  const auto loop = new_event_loop(make());
  pid_t child = -1;
  try {
    loop->run_until_complete([](pid_t& pid) -> Coro<> {
      pid = ::fork();
      if (pid != 0) co_return;
      try {
        co_await sleep(std::chrono::milliseconds(1));
      } catch (const RuntimeError& error) {
        ::_exit(std::string_view(error.what()).starts_with("await in a forked child") ? 0 : 1);
      }
      ::_exit(2);
    }(child));
  } catch (...) {
    if (child == 0) ::_exit(3);
    throw;
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(status == 0);
  loop->close();
}

TEST_CASE("a forked child cannot run its parent's loop, and does it no harm") {
  auto [a, b] = stream_pair();
  const auto loop = new_event_loop(make());
  int calls = 0;
  bool in_child = false;
  std::string failure;
  loop->add_reader(a, [&] {
    ++calls;
    loop->stop();
  });
  loop->call_soon([&] {
    in_child = ::fork() == 0;
    if (!in_child) return;
    // It may have a loop of its own, also here.
    const auto own = new_event_loop(make());
    bool ran = false;
    own->call_soon([&] {
      ran = true;
      own->stop();
    });
    own->run_forever();
    if (!ran) ::_exit(2);
    own->close();
    // The parent's ring would live on in its requests, and hold the parent's files.
    if (open_rings() != 0) ::_exit(5);
  });
  put(b, "x");
  try {
    loop->run_forever();
  } catch (const RuntimeError& error) {
    failure = error.what();
  }
  if (in_child) {
    const bool told = failure.starts_with("this event loop belongs to the parent process");
    try {
      loop->run_forever();
      ::_exit(3);
    } catch (const RuntimeError&) {
      loop->remove_reader(a);
      loop->close();
      ::_exit(told ? 0 : 4);
    }
  }
  int status = 0;
  REQUIRE(::wait(&status) > 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(failure.empty());
  CHECK(calls == 1);
  loop->run_forever();  // the reader is still there
  CHECK(calls == 2);
}
#endif
