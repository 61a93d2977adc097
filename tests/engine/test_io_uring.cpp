// What is io_uring's own: buffers, threads, and going without it.
#include "support.hpp"

#include <brio/core/logging.hpp>
#include <brio/core/loop.hpp>
#include <brio/engine/io_uring.hpp>
#include <brio/engine/loops.hpp>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <thread>

using namespace brio;
using namespace brio::tests;
using engine::UringEngine;
using engine::UringOptions;

namespace {

bool missing() {
  const std::string& reason = engine::io_uring_missing();
  if (!reason.empty()) MESSAGE("SKIPPED: no io_uring here: ", reason);
  return !reason.empty();
}

std::string numbers(std::size_t size) {
  std::string text;
  for (int i = 0; text.size() < size; ++i) text += std::to_string(i) + ",";
  return text;
}

}  // namespace

TEST_CASE("io_uring: a small message is lent as it lies, several are put together") {
  if (missing()) return;
  UringEngine engine({.buffers = 8, .buffer_size = 16});
  auto [a, b] = stream_pair();
  engine.adopt(a, Purpose::stream);
  engine.watch(a, Interest::read);
  (void)poll(engine);
  std::string scratch(100, '\0');
  put(b, "small");
  (void)wait_for_events(engine);
  Transfer got = engine.receive(a, scratch);
  CHECK(std::string(got.data, got.count) == "small");
  CHECK(got.data != scratch.data());
  const std::string large = numbers(50);
  put(b, large);
  (void)wait_for_events(engine);
  got = engine.receive(a, scratch);
  CHECK(std::string(got.data, got.count) == large);
  CHECK(got.data == scratch.data());
}

TEST_CASE("io_uring: streams that outrun the buffers wait for them, and lose nothing") {
  if (missing()) return;
  UringEngine engine({.buffers = 4, .buffer_size = 16});
  std::vector<std::pair<Fd, Fd>> pairs;
  const std::string text = numbers(3000);
  for (int i = 0; i < 10; ++i) {
    auto& [a, b] = pairs.emplace_back(stream_pair());
    put(b, text);
    engine.adopt(a, Purpose::stream);
    engine.watch(a, Interest::read);
  }
  std::vector<std::string> got(1024);
  std::size_t total = 0;
  while (total < text.size() * pairs.size()) {
    for (const auto& [fd, interest] : wait_for_events(engine)) {
      const std::string piece = take(engine, fd);
      REQUIRE(piece != "(end)");
      if (piece == "(nothing)") continue;
      got[static_cast<std::size_t>(fd)] += piece;
      total += piece.size();
    }
  }
  for (auto& [a, b] : pairs) CHECK(got[static_cast<std::size_t>(static_cast<int>(a))] == text);
  CHECK(engine.counts().out_of_buffers > 0);
}

TEST_CASE("io_uring: a stream nobody reads holds no buffer") {
  if (missing()) return;
  UringEngine engine({.buffers = 2, .buffer_size = 16});
  auto [a, b] = stream_pair();
  auto [c, d] = stream_pair();
  engine.adopt(a, Purpose::stream);
  engine.adopt(c, Purpose::stream);
  engine.watch(a, Interest::read);
  (void)poll(engine);
  put(b, numbers(30));
  (void)wait_for_events(engine);  // both buffers are full now
  engine.watch(a, Interest::none);
  engine.watch(c, Interest::read);
  put(d, "hello");
  CHECK(take_all(engine, c, 5) == "hello");
  engine.watch(a, Interest::read);
  CHECK(take_all(engine, a, numbers(30).size()) == numbers(30));
}

TEST_CASE("io_uring: a stream in bulk is read no further than its reader goes") {
  if (missing()) return;
  UringEngine engine;
  auto [a, b] = stream_pair();
  const int large = 8 << 20;
  (void)::setsockopt(b, SOL_SOCKET, SO_SNDBUFFORCE, &large, sizeof large);
  engine.adopt(a, Purpose::stream);
  engine.watch(a, Interest::read);
  (void)poll(engine);
  const std::string text = numbers(40 << 20);
  std::size_t sent = 0;
  std::size_t most_ahead = 0;
  std::string got;
  const auto pump = [&] {
    while (sent < text.size()) {
      const ssize_t count =
          ::send(b, text.data() + sent, text.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count <= 0) break;
      sent += static_cast<std::size_t>(count);
    }
  };
  // A reader that pauses after each read, as a stream with a full buffer does.
  while (got.size() < text.size()) {
    pump();
    (void)wait_for_events(engine);
    const std::string piece = take(engine, a);
    if (piece != "(nothing)") got += piece;
    engine.watch(a, Interest::none);
    pump();
    (void)poll(engine);
    most_ahead = std::max(most_ahead, sent - got.size());
    engine.watch(a, Interest::read);
  }
  CHECK(got == text);
  // What is neither read nor in the socket's own buffer is what the engine has taken ahead.
  CHECK(most_ahead < (32 << 20));
  // When it is calm again, messages come by themselves again.
  const auto ping = [&] {
    put(b, "ping");
    (void)wait_for_events(engine);
    CHECK(take(engine, a) == "ping");
  };
  for (int i = 0; i < 20; ++i) ping();
  (void)poll(engine);
  const std::size_t submitted = engine.counts().submitted;
  for (int i = 0; i < 10; ++i) ping();
  CHECK(engine.counts().submitted == submitted);
}

TEST_CASE("io_uring: nothing stays under way for descriptors that are not wanted") {
  if (missing()) return;
  UringEngine engine;
  {
    std::vector<std::pair<Fd, Fd>> pairs;
    for (int i = 0; i < 50; ++i) {
      auto& [a, b] = pairs.emplace_back(stream_pair());
      if (i % 2 == 0) engine.adopt(a, Purpose::stream);
      engine.watch(a, Interest::read);
    }
    (void)poll(engine);
    CHECK(engine.counts().in_flight >= 50);
    for (auto& [a, b] : pairs) {
      engine.watch(a, Interest::none);
      engine.forget(a);
    }
  }
  (void)poll(engine);
  (void)poll(engine);
  CHECK(engine.counts().in_flight == 0);
}

TEST_CASE("io_uring: an iteration in which nothing happens makes no system call") {
  if (missing()) return;
  UringEngine engine;
  auto [a, b] = stream_pair();
  engine.adopt(a, Purpose::stream);
  engine.watch(a, Interest::read);
  (void)poll(engine);
  const std::size_t before = engine.counts().enters;
  for (int i = 0; i < 100; ++i) CHECK(poll(engine).empty());
  CHECK(engine.counts().enters == before);
  // And a message costs one: the receive under way goes on by itself.
  const std::size_t submitted = engine.counts().submitted;
  for (int i = 0; i < 10; ++i) {
    put(b, "ping");
    CHECK(poll(engine) == Events{{a, Interest::read}});
    CHECK(take(engine, a) == "ping");
  }
  CHECK(engine.counts().enters == before + 10);
  CHECK(engine.counts().submitted == submitted);
}

TEST_CASE("io_uring: toggling an interest within an iteration costs nothing") {
  if (missing()) return;
  UringEngine engine;
  auto [a, b] = stream_pair();
  engine.adopt(a, Purpose::stream);
  engine.watch(a, Interest::read);
  (void)poll(engine);
  const std::size_t submitted = engine.counts().submitted;
  engine.watch(a, Interest::both);
  engine.watch(a, Interest::read);
  (void)poll(engine);
  CHECK(engine.counts().submitted == submitted);
}

TEST_CASE("io_uring: a loop that goes on in another thread takes everything with it") {
  if (missing()) return;
  auto engine = std::make_unique<UringEngine>();
  auto [a, b] = stream_pair();
  auto [c, d] = stream_pair();
  engine->adopt(a, Purpose::stream);
  engine->watch(a, Interest::read);
  engine->watch(c, Interest::read);
  (void)poll(*engine);
  put(b, "one ");
  (void)wait_for_events(*engine);  // it has come, and is not taken
  put(b, "two ");
  engine->rest();
  put(b, "three ");
  std::string got;
  bool plain = false;
  std::thread([&] {
    (void)poll(*engine);
    put(b, "four");
    put(d, "x");
    while (got.size() < 18 || !plain) {
      for (const auto& [fd, interest] : wait_for_events(*engine)) {
        if (fd == c) {
          plain = true;
          engine->watch(c, Interest::none);
        } else if (const std::string piece = take(*engine, a); piece != "(nothing)") {
          got += piece;
        }
      }
    }
  }).join();
  CHECK(got == "one two three four");
  put(b, "five");  // and back
  CHECK(take_all(*engine, a, 4) == "five");
}

TEST_CASE("io_uring: connections accepted while the engine closes are closed as well") {
  if (missing()) return;
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;  // the system chooses an abstract name
  socklen_t length = sizeof(sa_family_t);
  REQUIRE(::bind(listener, reinterpret_cast<sockaddr*>(&address), length) == 0);
  REQUIRE(::listen(listener, 16) == 0);
  length = sizeof address;
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) == 0);
  const Fd client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  UringEngine engine;
  engine.adopt(listener, Purpose::listener);
  engine.watch(listener, Interest::read);
  (void)poll(engine);
  REQUIRE(::connect(client, reinterpret_cast<sockaddr*>(&address), length) == 0);
  auto [a, b] = stream_pair();
  engine.watch(a, Interest::read);
  engine.rest();  // enters the kernel, which accepts; nobody has looked at it yet
  engine.close();
  CHECK(is_closed(client));
}

TEST_CASE("io_uring: closing the engine lets go of every file at once") {
  if (missing()) return;
  auto [a, b] = stream_pair();
  auto [c, d] = stream_pair();
  UringEngine engine;
  engine.adopt(a, Purpose::stream);
  engine.watch(a, Interest::read);
  engine.watch(c, Interest::both);
  (void)poll(engine);
  engine.close();
  a.close();
  c.close();
  CHECK(is_closed(b));
  CHECK(is_closed(d));
  engine.wake();  // stays safe
  engine.close();
}

#if !defined(__SANITIZE_THREAD__)
// A container's way to forbid it: io_uring_setup fails with EPERM.
TEST_CASE("io_uring: where it is forbidden, epoll is used, and debug mode says so once") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    sock_fprog program{4, rules};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
      ::_exit(77);
    ::setenv("BRIO_LOOP", "io_uring", 1);
    static int said = 0;
    set_log_hook([](const LogRecord& record) {
      if (record.message.find("io_uring cannot be used") != std::string_view::npos) ++said;
    });
    bool epoll = true;
    try {
      const UringEngine engine;
      ::_exit(2);
    } catch (const OSError&) {
      // As it should.
    }
    for (int i = 0; i < 3; ++i) {
      const auto loop = new_event_loop();
      epoll = epoll && loop->engine().name() == std::string_view("epoll");
    }
    ::_exit(epoll && said == 1 ? 0 : 3);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    MESSAGE("SKIPPED: no seccomp filter can be set here");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}
#endif
