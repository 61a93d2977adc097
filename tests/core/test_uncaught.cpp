// How a program ends by an exception that leaves main, and by SIGINT. Each case is a child process.
#include "support.hpp"

#include <brio/brio.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <unistd.h>

using namespace std::chrono_literals;
using brio::Coro;
using support::Child;
using support::Ended;

namespace {

Coro<int> inner_step(int value) {
  co_await brio::yield_now();
  if (value > 1) throw std::invalid_argument("no such value");
  co_return value;
}

Coro<> outer_step() {
  for (int i = 0; i < 3; ++i) co_await inner_step(i);
}

Coro<> waits_for_ever(int ready) {
  [[maybe_unused]] const auto told = ::write(ready, "r", 1);
  co_await brio::sleep(24h);
}

bool contains_in_order(const std::string& text, std::initializer_list<const char*> parts) {
  std::size_t at = 0;
  for (const char* part : parts) {
    at = text.find(part, at);
    if (at == std::string::npos) return false;
  }
  return true;
}

void interrupt_self() { ::kill(::getpid(), SIGINT); }

}  // namespace

TEST_CASE("an exception that leaves main prints its async trace, type and message; code 1") {
  const Ended ended = Child([] { brio::run([]() -> Coro<> { co_await outer_step(); }); }).wait();
  CHECK(ended.code == 1);
  INFO(ended.error);
  CHECK(contains_in_order(
      ended.error, {"Traceback (most recent call last):\n", "test_uncaught.cpp\", line ",
                    "outer_step", "inner_step", "\nstd::invalid_argument: no such value\n"}));
}

TEST_CASE("the trace leads through the task that failed, and not through errors handled before") {
  const Ended ended = Child([] {
                        brio::run([]() -> Coro<> {
                          for (int i = 0; i < 3; ++i) {
                            try {
                              co_await inner_step(5);
                            } catch (const std::invalid_argument&) {
                            }
                          }
                          auto task = brio::create_task(outer_step());
                          co_await task;
                        });
                      }).wait();
  CHECK(ended.code == 1);
  INFO(ended.error);
  CHECK(contains_in_order(ended.error, {"Traceback", "outer_step", "inner_step", "argument: "}));
  // One line of the trace; g++ writes the name more than once in it.
  const std::size_t from = ended.error.find("inner_step");
  const std::size_t to = ended.error.rfind("inner_step");
  CHECK(ended.error.substr(from, to - from).find('\n') == std::string::npos);
}

TEST_CASE("an error made anew at a place where another was handled has a trace of its own") {
  const Ended ended = Child([] {
                        brio::run([]() -> Coro<> {
                          try {
                            co_await inner_step(5);
                          } catch (const std::invalid_argument&) {
                          }
                          throw std::invalid_argument("mine");
                        });
                      }).wait();
  INFO(ended.error);
  CHECK(ended.error.find("inner_step") == std::string::npos);
  CHECK(contains_in_order(ended.error, {"Traceback", "operator()", "argument: mine\n"}));
}

TEST_CASE("SystemExit ends with its code and message, what is no std::exception with its type") {
  Ended ended = Child([] {
                  brio::run([]() -> Coro<> {
                    throw brio::SystemExit(3, "bye");
                    co_return;
                  }());
                }).wait();
  CHECK(ended.code == 3);
  CHECK(ended.error == "bye\n");
  ended = Child([] {
            brio::run([]() -> Coro<> {
              co_await brio::yield_now();
              throw 5;
            }());
          }).wait();
  CHECK(ended.code == 1);
  CHECK(contains_in_order(ended.error, {"Traceback", "\nint: int\n"}));
}

TEST_CASE("SIGINT wakes a sleeping loop, cancels main and ends the program with 130") {
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const Child child([&] { brio::run(waits_for_ever(ready[1])); });
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::kill(child.pid(), SIGINT);
  const Ended ended = child.wait();
  ::close(ready[0]);
  ::close(ready[1]);
  CHECK(ended.code == 130);
  CHECK(ended.error == "KeyboardInterrupt\n");
}

TEST_CASE("the third SIGINT has its default action") {
  const Ended ended = Child([] {
                        brio::run([]() -> Coro<> {
                          for (int i = 0; i < 3; ++i) interrupt_self();
                          ::_exit(9);
                          co_return;
                        }());
                      }).wait();
  CHECK(ended.signal == SIGINT);
  CHECK(ended.error.empty());
}

TEST_CASE("SIGINT keeps its default action while a runner runs in another thread") {
  const Ended ended = Child([] {
                        std::thread([] {
                          brio::run([]() -> Coro<> {
                            interrupt_self();
                            co_await brio::sleep(24h);
                          }());
                        }).join();
                      }).wait();
  CHECK(ended.signal == SIGINT);
}

TEST_CASE("a handler of the user's own stays, and handle_sigint = false leaves the default") {
  Ended ended = Child([] {
                  static volatile std::sig_atomic_t seen = 0;
                  std::signal(SIGINT, [](int) { seen = seen + 1; });
                  brio::run([]() -> Coro<> {
                    interrupt_self();
                    co_await brio::yield_now();
                    interrupt_self();
                    co_await brio::yield_now();
                  }());
                  ::_exit(10 + seen);
                }).wait();
  CHECK(ended.code == 12);
  ended = Child([] {
            std::signal(SIGINT, SIG_IGN);
            brio::run([]() -> Coro<> {
              interrupt_self();
              co_return;
            }());
          }).wait();
  CHECK(ended.code == 0);
  ended = Child([] {
            brio::run(
                []() -> Coro<> {
                  interrupt_self();
                  co_return;
                }(),
                {.handle_sigint = false});
          }).wait();
  CHECK(ended.signal == SIGINT);
}

TEST_CASE("a handler that main installs over the runner's stays installed") {
  const Ended ended = Child([] {
                        static volatile std::sig_atomic_t seen = 0;
                        brio::run([]() -> Coro<> {
                          std::signal(SIGINT, [](int) { seen = 1; });
                          co_return;
                        }());
                        interrupt_self();
                        ::_exit(10 + seen);
                      }).wait();
  CHECK(ended.code == 11);
}

TEST_CASE("a SIGINT during main's last step cancels it; one after its end is an interrupt too") {
  for (const bool debug : {false, true}) {
    Ended ended = Child([debug] {
                    const int value = brio::run(
                        []() -> Coro<int> {
                          interrupt_self();
                          co_return 1;
                        }(),
                        {.debug = debug});
                    ::_exit(10 + value);
                  }).wait();
    CHECK(ended.code == 130);
    ended = Child([debug] {
              brio::run(
                  []() -> Coro<> {
                    brio::current_task().add_done_callback([] { interrupt_self(); });
                    co_return;
                  }(),
                  {.debug = debug});
            }).wait();
    CHECK(ended.code == 130);
  }
}

TEST_CASE("main may take its cancellation back and the run goes on; the next one is the second") {
  const Ended ended = Child([] {
                        const bool swallowed = brio::run([]() -> Coro<bool> {
                          interrupt_self();
                          const auto outcome = co_await brio::as_outcome(brio::sleep(24h));
                          brio::current_task().uncancel();
                          co_await brio::yield_now();
                          co_return outcome.cancelled();
                        }());
                        ::_exit(swallowed ? 20 : 21);
                      }).wait();
  CHECK(ended.code == 20);
}

TEST_CASE("the second SIGINT throws out of run, and run still cancels what is left") {
  const Ended ended = Child([] {
                        bool cleaned = false;
                        try {
                          brio::run([](bool& flag) -> Coro<> {
                            interrupt_self();
                            (void)co_await brio::as_outcome(brio::sleep(24h));
                            interrupt_self();
                            const auto second = co_await brio::as_outcome(brio::sleep(24h));
                            flag = second.cancelled();
                          }(cleaned));
                        } catch (const brio::KeyboardInterrupt&) {
                          ::_exit(cleaned ? 30 : 31);
                        }
                      }).wait();
  CHECK(ended.code == 30);
}

TEST_CASE("a SIGINT while run tears down what is left throws out of run") {
  const Ended ended = Child([] {
                        try {
                          brio::run([]() -> Coro<> {
                            brio::create_task([]() -> Coro<> {
                              (void)co_await brio::as_outcome(brio::sleep(24h));
                              interrupt_self();  // main has been cancelled by the first
                              (void)co_await brio::as_outcome(brio::sleep(24h));
                            });
                            co_await brio::yield_now();
                            interrupt_self();
                            co_await brio::sleep(24h);
                          }());
                        } catch (const brio::KeyboardInterrupt&) {
                          ::_exit(40);
                        }
                      }).wait();
  CHECK(ended.code == 40);
}

TEST_CASE("a terminate handler of the program's own stays") {
  const Ended ended = Child([] {
                        std::set_terminate([] { ::_exit(77); });
                        brio::run([]() -> Coro<> {
                          throw 1;
                          co_return;
                        }());
                      }).wait();
  CHECK(ended.code == 77);
}

TEST_CASE("errors are not kept beyond their loop, nor main's beyond the next run") {
  struct Payload : std::runtime_error {
    explicit Payload(std::shared_ptr<int> held) : std::runtime_error("payload"), value(held) {}
    std::shared_ptr<int> value;
  };
  const auto alive = std::make_shared<int>(0);
  const auto fails = [](std::shared_ptr<int> held) -> Coro<> {
    throw Payload(held);
    co_return;
  };
  brio::run([](auto make, std::shared_ptr<int> held) -> Coro<> {
    const auto outcome = co_await brio::as_outcome(make(held));
    CHECK(!outcome.has_value());
  }(fails, alive));
  CHECK(alive.use_count() == 1);
  CHECK_THROWS_AS(brio::run(fails(alive)), Payload);
  brio::run([]() -> Coro<> { co_return; });
  CHECK(alive.use_count() == 1);
}
