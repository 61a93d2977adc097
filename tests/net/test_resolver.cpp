#include "support.hpp"

#include <brio/exec/run_in_executor.hpp>
#include <brio/net/resolver.hpp>

#include <atomic>
#include <netdb.h>

using namespace brio;
using brio::tests::ticks;
using brio::tests::Trace;

TEST_CASE("resolver: literals are answered at once, without a turn of the loop") {
  Trace ev;
  bool turned = false;  // outlives the coroutine: the callback comes after its end
  run([&]() -> Coro<> {
    get_running_loop().call_soon([&] { turned = true; });
    for (const char* host : {"127.0.0.1", "::1"}) {
      const auto answers = co_await brio::getaddrinfo(host, "80", {.type = SOCK_STREAM});
      ev(answers[0].address.to_string().c_str(), answers[0].proto == IPPROTO_TCP);
    }
    const auto [host, service] = co_await brio::getnameinfo(net::SocketAddress::ip("127.0.0.1", 9),
                                                            NI_NUMERICHOST | NI_NUMERICSERV);
    ev(host.c_str(), service.c_str());
    ev("turned", turned);
  });
  CHECK(ev.str() == "127.0.0.1:80 True\n[::1]:80 True\n127.0.0.1 9\nturned False\n");
}

TEST_CASE("resolver: names are looked up off the loop") {
  bool found = false;
  std::exception_ptr error;
  run([&]() -> Coro<> {
    const auto answers = co_await brio::getaddrinfo("localhost", "80", {.type = SOCK_STREAM});
    for (const auto& answer : answers) found = found || answer.address.is_loopback();
    const auto none =
        co_await as_outcome(brio::getaddrinfo("no literal", "80", {.flags = AI_NUMERICHOST}));
    error = none.error();
  });
  CHECK(found);
  CHECK_THROWS_AS(std::rethrow_exception(error), gaierror);
}

// That it is not made, tests/peers/test_dns.py sees at the name server.
TEST_CASE("resolver: a look-up that was given up before it began can be asked for again") {
  bool found = false;
  run([&]() -> Coro<> {
    // One worker, which is kept busy: nothing begins.
    set_default_executor(ThreadPoolExecutor({.max_workers = 1}));
    std::atomic<bool> go{false};
    const auto busy = run_in_executor(nullptr, [&go] { go.wait(false); });
    const auto ask = [] {
      return create_task(brio::getaddrinfo("localhost", "80", {.type = SOCK_STREAM}));
    };
    const auto first = ask();
    const auto second = ask();
    co_await ticks(2);
    first.cancel();
    (void)co_await as_outcome(first);
    second.cancel();
    (void)co_await as_outcome(second);
    const auto third = ask();  // before the end of the first look-up has come round
    co_await ticks(5);
    const auto fourth = ask();
    co_await ticks(2);
    fourth.cancel();
    (void)co_await as_outcome(fourth);
    go = true;
    go.notify_all();
    co_await busy;
    found = !(co_await third).empty();
  });
  CHECK(found);
}

TEST_CASE("resolver: equal look-ups are made once; a cancelled one leaves the others alone") {
  // One worker, which is kept busy: whatever is asked meanwhile stays a job in its queue.
  std::size_t answered = 0;
  bool cancelled = false;
  run([&]() -> Coro<> {
    set_default_executor(ThreadPoolExecutor({.max_workers = 1}));
    std::atomic<bool> go{false};
    const auto busy = run_in_executor(nullptr, [&go] { go.wait(false); });
    std::vector<Task<std::vector<net::AddrInfo>>> tasks;
    for (int i = 0; i < 10; ++i) {
      tasks.push_back(create_task(brio::getaddrinfo("localhost", "80", {.type = SOCK_STREAM})));
    }
    co_await ticks(2);
    tasks[0].cancel();
    cancelled = (co_await as_outcome(AnyFuture(tasks[0]))).cancelled();
    go = true;
    go.notify_all();
    co_await busy;
    for (std::size_t i = 1; i < tasks.size(); ++i) answered += !(co_await tasks[i]).empty();
  });
  CHECK(cancelled);
  CHECK(answered == 9);
}
