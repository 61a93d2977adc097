// How a server stops.
#include "server_support.hpp"

#include <brio/core/sleep.hpp>
#include <brio/sync/event.hpp>

using namespace brio;
using namespace brio::tests;
using namespace std::chrono_literals;
using http::Request;
using http::Response;

namespace {

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

Coro<Response> hello(Request&) { co_return "Hello, World!"; }

}  // namespace

TEST_CASE("shutdown lets answers end, closes what is idle, and cuts off what takes too long") {
  testing::run_test([]() -> Coro<> {
    Event entered;
    bool cancelled = false;
    http::Server server([&](Request& request) -> Coro<Response> {
      entered.set();
      if (request.raw_path() == "/long") {
        try {
          co_await sleep(1h);
        } catch (const CancelledError&) {
          cancelled = true;
          throw;
        }
      }
      co_await sleep(5s);
      co_return "done";
    });
    co_await server.listen("127.0.0.1", 0);
    auto idle = co_await Wire::open(server);
    auto busy = co_await Wire::open(server);
    auto stuck = co_await Wire::open(server);
    busy.send(get);
    stuck.send("GET /long HTTP/1.1\r\nHost: a\r\n\r\n");
    co_await entered.wait();
    co_await sleep(1ms);
    auto serving = create_task(server.serve_forever());
    co_await sleep(0s);
    co_await server.shutdown(10s);
    co_await serving;
    const std::string nothing = co_await idle.rest();
    CHECK(nothing.empty());
    const std::string answer = co_await busy.rest();
    CHECK(answer.find("Connection: close") != std::string::npos);
    CHECK(answer.ends_with("done"));
    CHECK(cancelled);
    CHECK(server.stats().open == 0);
    for (Wire* wire : {&idle, &busy, &stuck}) wire->writer.close();
  }());
}

TEST_CASE("shutdown answers requests that are on their way") {
  testing::run_test([]() -> Coro<> {
    http::Server server(hello);
    co_await server.listen("127.0.0.1", 0);
    auto fresh = co_await Wire::open(server);
    auto halfway = co_await Wire::open(server);
    auto again = co_await Wire::open(server);
    auto waiting = co_await Wire::open(server);
    for (Wire* wire : {&again, &waiting}) {
      wire->send(get);
      const std::string answer = co_await wire->response();
      CHECK(answer.ends_with("World!"));
    }
    const std::string_view request = get;
    halfway.send(request.substr(0, 10));
    again.send(request.substr(0, 10));
    co_await sleep(10ms);
    const auto down = create_task(server.shutdown(10s));
    co_await sleep(10ms);
    const std::string nothing = co_await waiting.rest();
    CHECK(nothing.empty());
    fresh.send(request);
    halfway.send(request.substr(10));
    again.send(request.substr(10));
    for (Wire* wire : {&fresh, &halfway, &again}) {
      const std::string answer = co_await wire->rest();
      CHECK(answer.find("Connection: close") != std::string::npos);
      CHECK(answer.ends_with("World!"));
    }
    co_await down;
    for (Wire* wire : {&fresh, &halfway, &again, &waiting}) wire->writer.close();
  }());
}
