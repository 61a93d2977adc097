#include "support.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/http/detail/exchange.hpp>

#include <doctest/doctest.h>
#include <algorithm>
#include <cstdlib>

using namespace brio;
using namespace brio::tests;
using namespace std::chrono_literals;
using http::ClientSession;

TEST_CASE("redirects are followed and remembered") {
  with_server(
      [](const Seen& seen) {
        if (seen.line.starts_with("POST /a")) return redirect(302, "b?x");
        if (seen.line.starts_with("GET /b")) return redirect(308, "/c");
        return ok("end");
      },
      [](TestServer& server) -> Coro<> {
        ClientSession session;
        auto response = co_await session.post(server.url + "/a#f", {.data = "body"});
        CHECK(response.status() == 200);
        CHECK(response.url().str() == server.url + "/c");
        CHECK(response.real_url().str() == server.url + "/c#f");
        CHECK(response.method() == "GET");
        REQUIRE(response.history().size() == 2);
        CHECK(response.history()[0].head.status == 302);
        CHECK(response.history()[0].url.str() == server.url + "/a#f");
        CHECK(response.history()[1].head.status == 308);
        REQUIRE(server.seen.size() == 3);
        CHECK(server.seen[1].line == "GET /b?x HTTP/1.1");
        CHECK(field(server.seen[1].head, "Content-Type").empty());
        CHECK(server.connections == 1);
        auto raw = co_await session.get(server.url + "/b", {.allow_redirects = false});
        CHECK(raw.status() == 308);
        auto head = co_await session.head(server.url + "/b");
        CHECK(head.status() == 200);  // the server only redirects GET
        co_await session.close();
      });
}

TEST_CASE("a redirect whose body breaks off is followed") {
  with_server(
      [](const Seen& seen) -> Answer {
        if (!seen.line.starts_with("GET /a")) return ok("end");
        return {"HTTP/1.1 302 Found\r\nLocation: /b\r\nContent-Length: 100\r\n\r\nabc", true};
      },
      [](TestServer& server) -> Coro<> {
        ClientSession session;
        auto response = co_await session.get(server.url + "/a");
        CHECK(response.status() == 200);
        const std::string body = co_await response.text();
        CHECK(body == "end");
        CHECK(server.connections == 2);
        co_await session.close();
      });
}

TEST_CASE("a body goes again where a redirect keeps the method") {
  with_server(
      [](const Seen& seen) {
        return seen.line.starts_with("PUT /a") ? redirect(307, "/b") : ok("");
      },
      [](TestServer& server) -> Coro<> {
        ClientSession session;
        co_await session.put(server.url + "/a", {.data = "bytes"});
        int made = 0;
        const auto make = [&made] {
          ++made;
          return []() -> AsyncGenerator<std::string> { co_yield std::string("stream"); }();
        };
        co_await session.put(server.url + "/a", {.data = http::RequestBody::stream(make)});
        REQUIRE(server.seen.size() == 4);
        CHECK(server.seen[1].body == "bytes");
        CHECK(server.seen[3].body == "stream");
        CHECK(made == 2);
        co_await session.close();
      });
}

TEST_CASE("credentials stay with their origin") {
  with_server(
      [](const Seen&) { return ok("other"); },
      [](TestServer& other) -> Coro<> {
        const std::string target = other.url;
        TestServer server([target](const Seen& seen) {
          return seen.line.starts_with("GET /a") ? redirect(302, "/b")
                                                 : redirect(302, target + "/c");
        });
        co_await server.start();
        ClientSession session({.auth = http::BasicAuth{"user", "secret"}});
        const http::Headers cookie{{"Cookie", "c=1"}};
        auto response = co_await session.get(server.url + "/a", {.headers = cookie});
        CHECK(response.status() == 200);
        REQUIRE(server.seen.size() == 2);
        CHECK_FALSE(field(server.seen[1].head, "Authorization").empty());
        CHECK_FALSE(field(server.seen[1].head, "Cookie").empty());
        REQUIRE(other.seen.size() == 1);
        CHECK(field(other.seen[0].head, "Authorization").empty());
        CHECK(field(other.seen[0].head, "Cookie").empty());
        CHECK(field(other.seen[0].head, "Host") == "127.0.0.1:" + std::to_string(other.port));
        co_await session.close();
        co_await server.stop();
      });
}

TEST_CASE("redirects without end, to nowhere, to strange places") {
  with_server(
      [](const Seen& seen) {
        if (seen.line.starts_with("GET /file")) return redirect(302, "file:///etc/passwd");
        if (seen.line.starts_with("GET /none")) {
          return Answer{"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"};
        }
        if (seen.line.starts_with("GET /circle")) return redirect(302, "/circle");
        return redirect(302, "/" + std::to_string(std::stoi(seen.line.substr(5)) + 1));
      },
      [](TestServer& server) -> Coro<> {
        ClientSession session;
        const std::string circle = co_await thrown(session.get(server.url + "/circle"));
        CHECK(circle == "TooManyRedirects: 302, message='redirects in a circle', url='" +
                            server.url + "/circle'");
        CHECK(server.seen.size() == 10);
        const std::string more =
            co_await thrown(session.get(server.url + "/0", {.max_redirects = 3}));
        CHECK(more ==
              "TooManyRedirects: 302, message='too many redirects', url='" + server.url + "/0'");
        CHECK(server.seen.size() == 13);
        const std::string file = co_await thrown(session.get(server.url + "/file"));
        CHECK(file.starts_with("InvalidURL"));
        auto none = co_await session.get(server.url + "/none");
        CHECK(none.status() == 302);
        CHECK(server.connections == 1);
        co_await session.close();
      });
}

TEST_CASE("servers that break off") {
  with_server(
      [](const Seen& seen) {
        if (seen.line.starts_with("GET /silent")) return Answer{"", true};
        if (seen.line.starts_with("GET /head")) return Answer{"HTTP/1.1 200 OK\r\nConte", true};
        if (seen.line.starts_with("GET /junk")) return Answer{"<html>\r\n\r\n", true};
        return Answer{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", true};
      },
      [](TestServer& server) -> Coro<> {
        ClientSession session;
        const std::string silent = co_await thrown(session.get(server.url + "/silent"));
        CHECK(silent == "ServerDisconnectedError: Server disconnected");
        const std::string head = co_await thrown(session.get(server.url + "/head"));
        CHECK(head == "ServerDisconnectedError: Server disconnected inside a response's head");
        const std::string junk = co_await thrown(session.get(server.url + "/junk"));
        CHECK(junk.starts_with("BadHttpMessage: invalid HTTP response"));
        auto response = co_await session.get(server.url + "/body");
        std::string part;
        while (part.size() < 4) part += co_await response.content().read(100);
        CHECK(part == "half");
        const std::string body = co_await thrown(response.content().read(100));
        CHECK(body ==
              "ClientPayloadError: Response payload is not completed: the connection ended after 4 "
              "of 10 bytes");
        CHECK(server.connections == 4);  // a first request on a connection is not repeated
        co_await session.close();
      });
}

TEST_CASE("nobody listens") {
  testing::run_test([]() -> Coro<> {
    int port = 0;
    {
      TestServer server([](const Seen&) { return ok(""); });
      co_await server.start();
      port = server.port;
      co_await server.stop();
    }
    ClientSession session;
    auto outcome =
        co_await as_outcome(session.get("http://127.0.0.1:" + std::to_string(port) + "/"));
    const auto error = outcome.error_as<http::ClientConnectorError>();
    REQUIRE(error.has_value());
    CHECK(error->error_number() == ECONNREFUSED);
    CHECK(error->host() == "127.0.0.1");
    CHECK(error->port() == port);
    co_await session.close();
  });
}

TEST_CASE("an idle connection that the server closed is replaced") {
  int requests = 0;
  with_server(
      [&requests](const Seen&) {
        // Each connection answers once, and breaks off at the second request without a word.
        return ++requests % 2 == 0 ? Answer{"", true} : ok("x");
      },
      [&requests](TestServer& server) -> Coro<> {
        ClientSession session;
        auto first = co_await session.get(server.url);
        co_await first.read();
        auto second = co_await session.get(server.url);
        const std::string text = co_await second.read();
        CHECK(text == "x");
        CHECK(requests == 3);
        CHECK(server.connections == 2);
        const std::string post = co_await thrown(session.post(server.url, {.data = "x"}));
        CHECK(post == "ServerDisconnectedError: Server disconnected");
        CHECK(requests == 4);  // not idempotent: not sent again
        // Closed while idle, and known: a POST takes a new one at once.
        co_await session.get(server.url);
        server.drop_clients();
        co_await sleep(1ms);
        const int before = server.connections;
        ++requests;
        auto last = co_await session.post(server.url, {.data = "x"});
        CHECK(last.status() == 200);
        CHECK(server.connections == before + 1);
        co_await session.close();
      });
}

TEST_CASE("bytes that nobody asked for close the connection") {
  with_server(
      [](const Seen&) {
        Answer answer = ok("x");
        answer.bytes += "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil";
        return answer;
      },
      [](TestServer& server) -> Coro<> {
        ClientSession session;
        for (int i = 1; i <= 3; ++i) {
          auto response = co_await session.get(server.url);
          const std::string text = co_await response.read();
          CHECK(text == "x");
          CHECK(server.connections == i);
        }
        co_await session.close();
      });
}

TEST_CASE("timeouts: total, silence, place in the pool") {
  with_server(
      [](const Seen& seen) {
        if (seen.line.starts_with("GET /half")) {
          return Answer{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"};
        }
        return Answer{"", false, true};
      },
      [](TestServer& server) -> Coro<> {
        auto connector =
            std::make_shared<http::TCPConnector>(http::TCPConnectorOptions{.limit = 1});
        ClientSession session({.connector = connector});
        EventLoop& loop = get_running_loop();
        const auto timed = [&](const char* path, http::ClientTimeout timeout) -> Coro<std::string> {
          auto response = co_await session.get(server.url + path, {.timeout = timeout});
          co_return co_await response.text();
        };
        TimePoint from = loop.time();
        const std::string total = co_await thrown(timed("/", {.total = 2s}));
        CHECK(total == "TimeoutError: Total timeout of the request passed");
        CHECK(loop.time() - from == 2s);
        from = loop.time();
        const std::string silent = co_await thrown(timed("/", {.total = 9s, .sock_read = 3s}));
        CHECK(silent == "SocketTimeoutError: Timeout on reading data from socket");
        CHECK(loop.time() - from == 3s);
        from = loop.time();
        const std::string inside = co_await thrown(timed("/half", {.sock_read = 4s}));
        CHECK(inside == "SocketTimeoutError: Timeout on reading data from socket");
        CHECK(loop.time() - from == 4s);
        const std::string late = co_await thrown(timed("/half", {.total = 5s}));
        CHECK(late == "TimeoutError: Total timeout of the request passed");
        // The one place is taken.
        auto holder = co_await session.get(server.url + "/half");
        from = loop.time();
        const std::string queue = co_await thrown(timed("/", {.total = {}, .connect = 6s}));
        CHECK(queue == "ConnectionTimeoutError: Connection timeout to host " + server.url);
        CHECK(loop.time() - from == 6s);
        CHECK(connector->waiting() == 0);
        const std::string whole = co_await thrown(timed("/", {.total = 1s, .connect = 6s}));
        CHECK(whole == "TimeoutError: Total timeout of the request passed");
        holder.release();
        CHECK(connector->acquired() == 0);
        co_await session.close();
      });
}

TEST_CASE("the pool keeps its limits and serves in order") {
  int answered = 0;
  with_server([&answered](const Seen&) { return ok(std::to_string(++answered)); },
              [](TestServer& server) -> Coro<> {
                auto connector = std::make_shared<http::TCPConnector>(
                    http::TCPConnectorOptions{.limit = 5, .limit_per_host = 2});
                ClientSession session({.connector = connector});
                std::vector<int> order;
                const auto one = [&](int number) -> Coro<> {
                  auto response = co_await session.get(server.url + "/" + std::to_string(number));
                  const std::string text = co_await response.text();
                  order.push_back(number);
                };
                std::vector<Task<>> tasks;
                for (int i = 0; i < 20; ++i) tasks.push_back(create_task(one, i));
                co_await sleep(0s);
                CHECK(connector->waiting() == 18);
                for (const auto& task : tasks) co_await task;
                CHECK(server.connections == 2);
                CHECK(order.size() == 20);
                std::vector<std::string> lines;
                for (int i = 0; i < 20; ++i) {
                  lines.push_back("GET /" + std::to_string(i) + " HTTP/1.1");
                }
                std::vector<std::string> seen;
                for (const Seen& request : server.seen) seen.push_back(request.line);
                // Two connections with delays of their own may arrive in another order.
                if (std::getenv("BRIO_TEST_FAULTS")) {
                  std::ranges::sort(seen);
                  std::ranges::sort(lines);
                }
                CHECK(seen == lines);
                CHECK(connector->idle() == 2);
                // Idle ones are closed after their time.
                co_await sleep(31s);
                CHECK(connector->idle() == 0);
                CHECK(server.open == 0);
                co_await session.close();
              });
}

TEST_CASE("closing the session fails what is under way") {
  with_server([](const Seen&) { return Answer{"", false, true}; },
              [](TestServer& server) -> Coro<> {
                auto connector =
                    std::make_shared<http::TCPConnector>(http::TCPConnectorOptions{.limit = 1});
                ClientSession session({.connector = connector});
                const auto get = [&]() -> Coro<std::string> {
                  co_return co_await thrown(session.get(server.url));
                };
                const auto first = create_task(get);
                const auto second = create_task(get);
                while (server.seen.empty()) co_await sleep(1ms);
                CHECK(connector->waiting() == 1);
                co_await session.close();
                const std::string one = co_await first;
                const std::string two = co_await second;
                CHECK(one == "RuntimeError: Connector is closed.");
                CHECK(two == "RuntimeError: Connector is closed.");
              });
}

TEST_CASE("a cancellation at any moment leaves the pool sound") {
  // Cancels one of two requests after k turns of the loop, for every k until it is done before.
  bool finished = false;
  for (int k = 0; !finished; ++k) {
    CAPTURE(k);
    with_server(
        [](const Seen& seen) {
          if (seen.line.starts_with("GET /redirect")) return redirect(302, "/x");
          return ok(std::string(300'000, 'x'));
        },
        [k, &finished](TestServer& server) -> Coro<> {
          auto connector =
              std::make_shared<http::TCPConnector>(http::TCPConnectorOptions{.limit = 1});
          ClientSession session({.connector = connector});
          const auto get = [&]() -> Coro<std::size_t> {
            auto response = co_await session.get(server.url + "/redirect");
            const std::string text = co_await response.read();
            co_return text.size();
          };
          const auto victim = create_task(get);
          const auto other = create_task(get);
          for (int i = 0; i < k && !victim.done(); ++i) co_await yield_now();
          finished = victim.done();
          victim.cancel();
          const std::size_t size = co_await other;
          CHECK(size == 300'000);
          auto outcome = co_await as_outcome(victim);
          CHECK(outcome.cancelled() != finished);
          CHECK(connector->acquired() == 0);
          CHECK(connector->waiting() == 0);
          CHECK(connector->idle() <= 1);
          co_await session.close();
        });
  }
}

TEST_CASE("two readers of one response: the second is refused, the first is not hurt") {
  with_server([](const Seen&) { return Answer{"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"}; },
              [](TestServer& server) -> Coro<> {
                ClientSession session;
                auto response = co_await session.get(server.url);
                const auto read = [&]() -> Coro<std::string> {
                  co_return co_await thrown(response.content().read(10));
                };
                const auto first = create_task(read);
                co_await yield_now();
                const std::string second = co_await thrown(response.content().read(10));
                CHECK(second.starts_with("RuntimeError: another coroutine is reading"));
                CHECK_FALSE(first.done());
                response.release();
                const std::string released = co_await first;
                CHECK(released == "RuntimeError: Connection closed");
                co_await session.close();
              });
}

TEST_CASE("a session that goes without close leaves nothing open") {
  with_server([](const Seen&) { return ok("x"); },
              [](TestServer& server) -> Coro<> {
                {
                  ClientSession session;
                  auto response = co_await session.get(server.url);
                  co_await response.read();
                }
                while (server.open > 0) co_await sleep(1ms);
                CHECK(server.connections == 1);
              });
}

TEST_CASE("places go round the hosts in the order of asking, and idle connections make room") {
  with_server([](const Seen&) { return ok("a"); },
              [](TestServer& one) -> Coro<> {
                TestServer two([](const Seen&) { return ok("b"); });
                co_await two.start();
                auto connector =
                    std::make_shared<http::TCPConnector>(http::TCPConnectorOptions{.limit = 1});
                ClientSession session({.connector = connector});
                std::string order;
                const auto get = [&](const TestServer* server, char name) -> Coro<> {
                  auto response = co_await session.get(server->url);
                  co_await response.read();
                  order += name;
                };
                std::vector<Task<>> tasks;
                tasks.push_back(create_task(get, &one, '1'));
                tasks.push_back(create_task(get, &one, '2'));
                tasks.push_back(create_task(get, &two, '3'));
                tasks.push_back(create_task(get, &one, '4'));
                tasks.push_back(create_task(get, &two, '5'));
                for (const auto& task : tasks) co_await task;
                CHECK(order == "12345");
                CHECK(connector->idle() == 1);
                CHECK(one.connections == 2);  // the first gave way to the other host's
                CHECK(two.connections == 2);
                while (one.open > 0) co_await sleep(1ms);
                co_await session.close();
                while (two.open > 0) co_await sleep(1ms);
                co_await two.stop();
              });
}

TEST_CASE("a place that was granted to a cancelled request goes on to the next") {
  with_server([](const Seen&) { return ok("x"); },
              [](TestServer& server) -> Coro<> {
                auto connector =
                    std::make_shared<http::TCPConnector>(http::TCPConnectorOptions{.limit = 1});
                ClientSession session({.connector = connector});
                auto holder = co_await session.get(server.url, {.allow_redirects = false});
                const auto get = [&]() -> Coro<int> {
                  auto response = co_await session.get(server.url);
                  co_await response.read();
                  co_return response.status();
                };
                // The holder's place is free already: its body had come with the head.
                holder.release();
                auto held = co_await connector->open({.url = http::URL(server.url)}, {});
                const auto first = create_task(get);
                const auto second = create_task(get);
                co_await yield_now();
                CHECK(connector->waiting() == 2);
                held.reset();    // grants the place to the first …
                first.cancel();  // … which is cancelled in the same turn
                const int status = co_await second;
                CHECK(status == 200);
                auto outcome = co_await as_outcome(first);
                CHECK(outcome.cancelled());
                CHECK(connector->acquired() == 0);
                co_await session.close();
              });
}
