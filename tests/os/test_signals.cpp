#include <brio/brio.hpp>
#include <brio/os/signals.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace std::chrono_literals;
using brio::Coro;

namespace {
bool is_default(int number) {
  struct sigaction current{};
  sigaction(number, nullptr, &current);
  return current.sa_handler == SIG_DFL;
}
}  // namespace

TEST_CASE("a handler runs on the loop, not in place, and may be replaced and removed") {
  brio::run([]() -> Coro<> {
    std::vector<std::string> trace;
    auto arrived = brio::create_future<>();
    brio::add_signal_handler(SIGUSR1, [&] { trace.emplace_back("replaced"); });
    brio::add_signal_handler(SIGUSR1, [&] {
      trace.emplace_back("handler");
      arrived.set_result();
    });
    kill(getpid(), SIGUSR1);
    trace.emplace_back("sent");
    co_await arrived;
    CHECK(trace == std::vector<std::string>{"sent", "handler"});
    CHECK(brio::remove_signal_handler(SIGUSR1));
    CHECK(!brio::remove_signal_handler(SIGUSR1));
    CHECK(is_default(SIGUSR1));
  });
}

TEST_CASE("numbers that cannot be handled are refused") {
  brio::run([]() -> Coro<> {
    CHECK_THROWS_AS(brio::add_signal_handler(0, [] {}), brio::ValueError);
    CHECK_THROWS_AS(brio::add_signal_handler(NSIG, [] {}), brio::ValueError);
    CHECK_THROWS_AS(brio::add_signal_handler(SIGKILL, [] {}), brio::RuntimeError);
    auto& loop = brio::get_running_loop();
    bool refused = false;
    std::thread([&] {
      try {
        brio::add_signal_handler(loop, SIGUSR1, [] {});
      } catch (const brio::RuntimeError&) {
        refused = true;
      }
    }).join();
    CHECK(refused);
    co_return;
  });
}

TEST_CASE("closing the loop gives the signals back") {
  brio::run([]() -> Coro<> {
    brio::add_signal_handler(SIGUSR2, [] {});
    CHECK(!is_default(SIGUSR2));
    co_return;
  });
  CHECK(is_default(SIGUSR2));
}

TEST_CASE("an error in a handler goes to the exception handler and the loop goes on") {
  brio::run([]() -> Coro<> {
    auto reported = brio::create_future<std::string>();
    brio::get_running_loop().set_exception_handler(
        [&](brio::EventLoop&, const brio::ExceptionContext& context) {
          reported.set_result(brio::describe(context.exception));
        });
    brio::add_signal_handler(SIGUSR1, [] { throw brio::ValueError("in handler"); });
    kill(getpid(), SIGUSR1);
    const std::string text = co_await reported;
    CHECK(text == "in handler");
  });
}

// The test framework has handlers of its own; the runner takes SIGINT only from the default.
struct DefaultSigint {
  DefaultSigint() { std::signal(SIGINT, SIG_DFL); }
};

TEST_CASE_FIXTURE(DefaultSigint,
                  "the first SIGINT cancels main, and run throws KeyboardInterrupt") {
  bool cleaned_up = false;
  CHECK_THROWS_AS(brio::run([&]() -> Coro<> {
                    brio::get_running_loop().call_soon([] { kill(getpid(), SIGINT); });
                    const auto outcome = co_await brio::as_outcome(brio::sleep(1h));
                    co_await brio::yield_now();
                    cleaned_up = true;
                    outcome.raise();
                  }),
                  brio::KeyboardInterrupt);
  CHECK(cleaned_up);
  CHECK(is_default(SIGINT));
}

TEST_CASE_FIXTURE(DefaultSigint, "a main that swallows the cancellation ends normally") {
  const int value = brio::run([]() -> Coro<int> {
    brio::get_running_loop().call_soon([] { kill(getpid(), SIGINT); });
    const auto outcome = co_await brio::as_outcome(brio::sleep(1h));
    co_return outcome.cancelled() ? 3 : 0;
  });
  CHECK(value == 3);
}

TEST_CASE_FIXTURE(DefaultSigint,
                  "a second SIGINT throws from run once the current callback has returned") {
  std::vector<std::string> trace;
  CHECK_THROWS_AS(brio::run([&]() -> Coro<> {
                    brio::get_running_loop().call_soon([&] {
                      kill(getpid(), SIGINT);
                      kill(getpid(), SIGINT);
                      trace.emplace_back("callback returned");
                    });
                    brio::get_running_loop().call_soon([&] { trace.emplace_back("next"); });
                    co_await brio::sleep(1h);
                  }),
                  brio::KeyboardInterrupt);
  // What was queued behind it runs during the runner's tear-down, if at all.
  REQUIRE(!trace.empty());
  CHECK(trace.front() == "callback returned");
}

TEST_CASE_FIXTURE(DefaultSigint, "a handler for SIGINT replaces the runner's, and gives it back") {
  bool seen = false;
  CHECK_THROWS_AS(brio::run([&]() -> Coro<> {
                    auto arrived = brio::create_future<>();
                    brio::add_signal_handler(SIGINT, [&] {
                      seen = true;
                      arrived.set_result();
                    });
                    kill(getpid(), SIGINT);
                    co_await arrived;
                    CHECK(brio::remove_signal_handler(SIGINT));
                    kill(getpid(), SIGINT);
                    co_await brio::sleep(1h);
                  }),
                  brio::KeyboardInterrupt);
  CHECK(seen);
  CHECK(is_default(SIGINT));
  brio::run(
      []() -> Coro<> {
        brio::add_signal_handler(SIGINT, [] {});
        co_return;
      }(),
      {.handle_sigint = false});
  CHECK(is_default(SIGINT));
}

TEST_CASE("a handler runs in the context of its registration, and may remove itself") {
  static const brio::ContextVar<int> var("var", 0);
  brio::run([]() -> Coro<> {
    auto arrived = brio::create_future<int>();
    var.set(1);
    brio::add_signal_handler(SIGUSR1, [arrived] {
      CHECK(brio::remove_signal_handler(SIGUSR1));
      arrived.set_result(var.get());
    });
    var.set(2);
    kill(getpid(), SIGUSR1);
    const int value = co_await arrived;
    CHECK(value == 1);
    CHECK(is_default(SIGUSR1));
  });
}

TEST_CASE("signals wake a sleeping loop, each its own handler") {
  brio::run([]() -> Coro<> {
    // Which comes first is the kernel's business.
    int first = 0;
    int second = 0;
    auto both = brio::create_future<>();
    brio::add_signal_handler(SIGUSR1, [&] {
      ++first;
      if (second > 0) both.set_result();
    });
    brio::add_signal_handler(SIGUSR2, [&] {
      ++second;
      if (first > 0) both.set_result();
    });
    std::thread sender([loop_thread = pthread_self()] {
      pthread_kill(loop_thread, SIGUSR1);
      pthread_kill(loop_thread, SIGUSR2);
    });
    co_await both;
    sender.join();
    CHECK(first == 1);
    CHECK(second == 1);
  });
}

TEST_CASE("one loop at a time handles signals, and a closed one none") {
  const auto first = brio::new_event_loop();
  const auto second = brio::new_event_loop();
  brio::add_signal_handler(*first, SIGUSR1, [] {});
  CHECK_THROWS_AS(brio::add_signal_handler(*second, SIGUSR2, [] {}), brio::RuntimeError);
  first->close();
  brio::add_signal_handler(*second, SIGUSR2, [] {});
  CHECK_THROWS_WITH_AS(brio::add_signal_handler(*first, SIGUSR1, [] {}), "Event loop is closed",
                       brio::RuntimeError);
  CHECK(!brio::remove_signal_handler(*first, SIGUSR1));
  CHECK(brio::remove_signal_handler(*second, SIGUSR2));
}

TEST_CASE("a signal that a forked child gets is not the parent's") {
  brio::run([]() -> Coro<> {
    int calls = 0;
    brio::add_signal_handler(SIGUSR1, [&] { ++calls; });
    const pid_t child = fork();
    if (child == 0) {
      raise(SIGUSR1);
      _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(status == 0);
    for (int i = 0; i < 5; ++i) co_await brio::yield_now();
    CHECK(calls == 0);
  });
}
