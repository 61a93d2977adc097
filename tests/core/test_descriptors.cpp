// add_reader, add_writer and their removers.
#include <brio/brio.hpp>

#include <doctest/doctest.h>

#include <array>
#include <fcntl.h>
#include <stdexcept>
#include <string>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

using brio::Coro;
using Lines = std::vector<std::string>;

namespace {

struct Pair {
  std::array<int, 2> fd{-1, -1};
  Pair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd.data()) == 0); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    for (const int one : fd)
      if (one >= 0) ::close(one);
  }
  void send() const { REQUIRE(::write(fd[1], "x", 1) == 1); }
};

// One iteration that does not wait.
void turn(brio::EventLoop& loop) {
  loop.stop();
  loop.run_forever();
}

}  // namespace

TEST_CASE("a reader is called while there is something to read, until it is removed") {
  const auto loop = brio::new_event_loop();
  const Pair pair;
  int calls = 0;
  CHECK(!loop->remove_reader(pair.fd[0]));
  loop->add_reader(pair.fd[0], [&] { ++calls; });
  turn(*loop);
  CHECK(calls == 0);
  pair.send();
  turn(*loop);
  turn(*loop);
  CHECK(calls == 2);  // level-triggered
  CHECK(loop->remove_reader(pair.fd[0]));
  CHECK(!loop->remove_reader(pair.fd[0]));
  turn(*loop);
  CHECK(calls == 2);
}

TEST_CASE("reader before writer, each removed without touching the other") {
  const auto loop = brio::new_event_loop();
  const Pair pair;
  Lines trace;
  pair.send();
  loop->add_writer(pair.fd[0], [&] { trace.emplace_back("writable"); });
  loop->add_reader(pair.fd[0], [&] { trace.emplace_back("readable"); });
  turn(*loop);
  CHECK(trace == Lines{"readable", "writable"});
  CHECK(loop->remove_reader(pair.fd[0]));
  turn(*loop);
  CHECK(trace == Lines{"readable", "writable", "writable"});
  CHECK(loop->remove_writer(pair.fd[0]));
  CHECK(!loop->remove_writer(pair.fd[0]));
  turn(*loop);
  CHECK(trace.size() == 3);
}

TEST_CASE("a second reader replaces the first, whose handle is cancelled") {
  const auto loop = brio::new_event_loop();
  const Pair pair;
  Lines trace;
  pair.send();
  const brio::Handle first = loop->add_reader(pair.fd[0], [&] { trace.emplace_back("first"); });
  const brio::Handle second = loop->add_reader(pair.fd[0], [&] { trace.emplace_back("second"); });
  CHECK(first.cancelled());
  CHECK(!second.cancelled());
  turn(*loop);
  CHECK(trace == Lines{"second"});
  loop->remove_reader(pair.fd[0]);
  CHECK(second.cancelled());
}

TEST_CASE("an event already collected for a reader that is removed does not fire") {
  const auto loop = brio::new_event_loop();
  const Pair one;
  const Pair two;
  Lines trace;
  one.send();
  two.send();
  // Whichever comes first removes both.
  for (const Pair* pair : {&one, &two})
    loop->add_reader(pair->fd[0], [&, pair] {
      trace.emplace_back(pair == &one ? "one" : "two");
      CHECK(loop->remove_reader(one.fd[0]));
      CHECK(loop->remove_reader(two.fd[0]));
    });
  turn(*loop);
  CHECK(trace.size() == 1);
  turn(*loop);
  CHECK(trace.size() == 1);
}

TEST_CASE("a reader may replace itself, and its callable lives until it returns") {
  const auto loop = brio::new_event_loop();
  const Pair pair;
  Lines trace;
  pair.send();
  loop->add_reader(pair.fd[0], [&, name = std::string("a name too long for the small buffer")] {
    loop->add_reader(pair.fd[0], [&] { trace.emplace_back("new"); });
    trace.push_back(name);
  });
  turn(*loop);
  turn(*loop);
  CHECK(trace == Lines{"a name too long for the small buffer", "new"});
}

TEST_CASE("an error in a reader is reported and it stays") {
  const auto loop = brio::new_event_loop();
  const Pair pair;
  int reports = 0;
  loop->set_exception_handler([&](brio::EventLoop&, const brio::ExceptionContext&) { ++reports; });
  pair.send();
  loop->add_reader(pair.fd[0], [] { throw std::runtime_error("reader"); });
  turn(*loop);
  turn(*loop);
  CHECK(reports == 2);
}

TEST_CASE("descriptors that cannot be watched are refused, and leave nothing behind") {
  const auto loop = brio::new_event_loop();
  CHECK_THROWS_WITH_AS(loop->add_reader(-1, [] {}), "Invalid file descriptor: -1",
                       brio::ValueError);
  int closed = -1;
  {
    const Pair pair;
    closed = pair.fd[0];
  }
  CHECK_THROWS_AS(loop->add_reader(closed, [] {}), brio::OSError);
  CHECK(!loop->remove_reader(closed));
  const int file = ::open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  CHECK_THROWS_AS(loop->add_reader(file, [] {}), brio::PermissionError);  // EPERM, as in Python
  CHECK(!loop->remove_reader(file));
  ::close(file);
  turn(*loop);
}

TEST_CASE("a reader wakes a loop that sleeps, and a peer that hangs up is an event") {
  const auto loop = brio::new_event_loop();
  Pair pair;
  loop->add_reader(pair.fd[0], [&] { loop->stop(); });
  loop->call_soon([&] { ::close(std::exchange(pair.fd[1], -1)); });
  loop->run_forever();
  loop->add_writer(pair.fd[0], [&] { loop->stop(); });
  loop->remove_reader(pair.fd[0]);
  loop->run_forever();
  loop->remove_writer(pair.fd[0]);
}

TEST_CASE("a descriptor closed while watched, whose number comes back, does no harm") {
  const auto loop = brio::new_event_loop();
  int number = -1;
  {
    const Pair pair;
    number = pair.fd[0];
    loop->add_reader(number, [] {});
    CHECK(loop->remove_reader(number));
  }
  const Pair again;
  int calls = 0;
  again.send();
  loop->add_reader(again.fd[0], [&] { ++calls; });
  turn(*loop);
  CHECK(calls == 1);
  loop->remove_reader(again.fd[0]);
}

TEST_CASE("a reader over an earlier one hears of the file that has the number by now") {
  const auto loop = brio::new_event_loop();
  Pair pair;
  int calls = 0;
  loop->add_reader(pair.fd[0], [] { FAIL("the reader was replaced"); });
  turn(*loop);
  const int number = pair.fd[0];
  REQUIRE(::close(number) == 0);  // behind the loop's back
  REQUIRE(::close(pair.fd[1]) == 0);
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.fd.data()) == 0);
  REQUIRE(pair.fd[0] == number);
  loop->add_reader(number, [&] { ++calls; });
  pair.send();
  turn(*loop);
  turn(*loop);
  CHECK(calls >= 1);
}

TEST_CASE("a forgotten descriptor has neither reader nor writer, and can be watched anew") {
  const auto loop = brio::new_event_loop();
  const Pair pair;
  int calls = 0;
  const auto handle = loop->add_reader(pair.fd[0], [] { FAIL("forgotten"); });
  loop->add_writer(pair.fd[0], [] { FAIL("forgotten"); });
  loop->forget(pair.fd[0]);
  loop->forget(-1);
  loop->forget(1'000'000);
  CHECK(handle.cancelled());
  CHECK(!loop->remove_reader(pair.fd[0]));
  pair.send();
  turn(*loop);
  loop->add_reader(pair.fd[0], [&] { ++calls; });
  turn(*loop);
  turn(*loop);
  CHECK(calls >= 1);
}
