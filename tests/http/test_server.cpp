// The server, seen from the wire: what it answers, in which order, and when it hangs up.
#include "server_support.hpp"

#include <brio/core/sleep.hpp>
#include <brio/http/router.hpp>
#include <brio/sync/event.hpp>

using namespace brio;
using namespace brio::tests;
using namespace std::chrono_literals;
using http::HTTPException;
using http::Request;
using http::Response;
using http::StreamResponse;

namespace {

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

Coro<Response> hello(Request&) { co_return "Hello, World!"; }
Coro<Response> echo(Request& request) { co_return co_await request.read(); }
Coro<Response> path(Request& request) { co_return std::string(request.target()); }

}  // namespace

TEST_CASE("an answer's head and body") {
  CHECK(answer_to(hello, last) ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 13\r\n"
        "Server: brio\r\nConnection: close\r\n\r\nHello, World!");
  CHECK(answer_to(hello, "GET / HTTP/1.0\r\n\r\n")
            .ends_with("Connection: close\r\n\r\nHello, World!"));
  CHECK(answer_to(hello, "HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .ends_with("Content-Length: 13\r\nServer: brio\r\nConnection: close\r\n\r\n"));
  CHECK(answer_to(
            [](Request&) -> Coro<Response> {
              co_return Response(
                  {.status = 204, .headers = {{"X-A", "1"}, {"Content-Length", "7"}}});
            },
            last, {.server_header = ""}) ==
        "HTTP/1.1 204 No Content\r\nX-A: 1\r\nConnection: close\r\n\r\n");
}

TEST_CASE("requests of one connection are answered in order, however they come") {
  std::string requests;
  std::string answers;
  for (int i = 0; i < 20; ++i) {
    const std::string target = i < 19 ? "/" + std::to_string(i) : "/last";
    requests += i < 19 ? "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n" : last;
    answers += "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
               std::to_string(target.size()) + "\r\n" + (i < 19 ? "" : "Connection: close\r\n") +
               "\r\n" + target;
  }
  const http::ServerOptions options{.server_header = ""};
  CHECK(answer_to(path, requests, options) == answers);
  // A handler that waits: what came behind its request waits too.
  CHECK(answer_to(
            [](Request& request) -> Coro<Response> {
              co_await sleep(1ms);
              co_return std::string(request.target());
            },
            requests, options) == answers);
  with_http_server(path, options, [&](http::Server& server) -> Coro<> {
    auto wire = co_await Wire::open(server);
    for (std::size_t at = 0; at < requests.size(); at += 11) {
      wire.send(std::string_view(requests).substr(at, 11));
      co_await wire.writer.drain();
      co_await sleep(0s);
    }
    const std::string got = without_date(co_await wire.rest());
    CHECK(got == answers);
    CHECK(server.stats().requests == 20);
    CHECK(server.stats().connections == 1);
    wire.writer.close();
  });
}

TEST_CASE(
    "a request that comes while an earlier one is answered out of what was kept is kept, too") {
  const http::ServerOptions options{.server_header = ""};
  const auto waits = [](Request& request) -> Coro<Response> {
    co_await sleep(1s);
    co_return std::string(request.target());
  };
  with_http_server(waits, options, [](http::Server& server) -> Coro<> {
    const auto request = [](const std::string& target) {
      return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n";
    };
    auto wire = co_await Wire::open(server);
    auto other = co_await Wire::open(server);
    wire.send(request("/1") + request("/2"));
    std::string answer = co_await wire.response();
    CHECK(answer.ends_with("/1"));
    wire.send(request("/3"));
    co_await sleep(10ms);
    // Another connection's bytes come into the buffer that lent the third request.
    other.send(request("/" + std::string(200, 'x')));
    answer = co_await wire.response();
    CHECK(answer.ends_with("/2"));
    answer = co_await wire.response();
    CHECK(answer.ends_with("/3"));
    wire.writer.close();
    other.writer.close();
  });
}

TEST_CASE("many answers to one read do not pile up") {
  std::shared_ptr<Transport> transport;
  with_http_server(
      [&](Request& request) -> Coro<Response> {
        transport = request.transport();
        co_return std::string(10'000, 'x');
      },
      {},
      [&](http::Server& server) -> Coro<> {
        auto wire = co_await Wire::open(server);
        std::string requests;
        for (int i = 0; i < 2000; ++i) requests += get;
        wire.send(requests + last);
        co_await sleep(1s);  // the client reads nothing meanwhile
        CHECK(transport->get_write_buffer_size() < 500'000);
        const std::string all = co_await wire.rest();
        CHECK(all.size() > 20'000'000);
        wire.writer.close();
        transport = nullptr;
      });
}

TEST_CASE("an access log that throws costs the connection, and is reported") {
  with_http_server(hello,
                   {.access_log = [](const http::AccessRecord&) { throw ValueError("disk full"); }},
                   [](http::Server& server) -> Coro<> {
                     auto wire = co_await Wire::open(server);
                     wire.send(get);
                     const auto rest = co_await as_outcome(wire.rest());
                     co_await sleep(1s);
                     CHECK(server.stats().open == 0);
                     wire.writer.close();
                   },
                   {.reports_allowed = true});
}

TEST_CASE("all answers of one read leave in one write" * counts_transfers()) {
  with_http_server(hello, {}, [](http::Server& server) -> Coro<> {
    auto wire = co_await Wire::open(server);
    std::string requests;
    for (int i = 0; i < 16; ++i) requests += get;
    wire.send(requests);
    std::string got = co_await wire.reader.read(65536);
    CHECK(got.size() > 16 * 100);
    std::size_t count = 0;
    for (std::size_t at = 0; (at = got.find("Hello", at)) != std::string::npos; ++at) ++count;
    CHECK(count == 16);
    wire.writer.close();
  });
}

TEST_CASE("a body: with its length, in chunks, in pieces, and again") {
  const std::string tail = "Connection: close\r\n\r\n";
  const auto body_of = [](const std::string& text) {
    return text.substr(text.find("\r\n\r\n") + 4);
  };
  CHECK(body_of(answer_to(echo, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" + tail +
                                    "hello")) == "hello");
  CHECK(body_of(answer_to(echo, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" +
                                    tail + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")) == "abcde");
  CHECK(body_of(answer_to(
            [](Request& request) -> Coro<Response> {
              std::string text;
              while (true) {
                const std::string part = co_await request.read_some(2);
                if (part.empty()) break;
                text += part + "|";
              }
              co_return text;
            },
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" + tail + "hello")) == "he|ll|o|");
  CHECK(body_of(answer_to(
            [](Request& request) -> Coro<Response> {
              const std::string first = co_await request.read();
              const std::string second = co_await request.read();
              const auto pairs = co_await request.post();
              co_return first + second + pairs.at(1).second;
            },
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            "Content-Length: 9\r\n" +
                tail + "a=1&b=%2b")) == "a=1&b=%2ba=1&b=%2b+");
}

TEST_CASE("a large body comes whole and holds no more than the water mark") {
  const std::string body(3'000'000, 'x');
  with_http_server(
      [](Request& request) -> Coro<Response> {
        std::size_t size = 0;
        while (true) {
          const std::string part = co_await request.read_some();
          if (part.empty()) break;
          size += part.size();
          co_await sleep(1ms);
        }
        co_return std::to_string(size);
      },
      {},
      [&](http::Server& server) -> Coro<> {
        auto wire = co_await Wire::open(server);
        wire.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n");
        wire.send(body);
        const std::string answer = co_await wire.response();
        CHECK(answer.ends_with("\r\n\r\n3000000"));
        wire.writer.close();
      });
}

TEST_CASE("100 Continue is sent when the handler reads, and not otherwise") {
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
  with_http_server(echo, {}, [&](http::Server& server) -> Coro<> {
    auto wire = co_await Wire::open(server);
    wire.send(head);
    const std::string interim = co_await wire.reader.readuntil("\r\n\r\n");
    CHECK(interim == "HTTP/1.1 100 Continue\r\n\r\n");
    wire.send("hello");
    const std::string answer = co_await wire.response();
    CHECK(answer.ends_with("hello"));
    wire.writer.close();
  });
  // A refusal ends the connection: nobody can tell whether the body will come.
  const std::string refused =
      answer_to([](Request&) -> Coro<Response> { throw HTTPException(403); }, head);
  CHECK(refused.starts_with("HTTP/1.1 403 Forbidden\r\n"));
  CHECK(refused.find("Connection: close") != std::string::npos);
}

TEST_CASE(
    "a body that the handler does not read is dropped, and ends the connection if it is long") {
  const auto post = [](std::size_t size) {
    return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" +
           std::string(size, 'x');
  };
  const std::string both = answer_to(hello, post(1000) + last);
  CHECK(both.find("Hello", both.find("Hello") + 1) != std::string::npos);
  const std::string one = answer_to(hello, post(10'000'000) + last);
  CHECK(one.find("Connection: close") != std::string::npos);
  CHECK(one.ends_with("Hello, World!"));
}

TEST_CASE("what the handler throws") {
  const auto answer = [](http::Handler handler) {
    return answer_to(std::move(handler), last, {.server_header = ""});
  };
  CHECK(answer([](Request&) -> Coro<Response> {
          throw HTTPException(418, "short and stout", {{"X-Pot", "tea"}});
        }) ==
        "HTTP/1.1 418 \r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 15\r\n"
        "X-Pot: tea\r\nConnection: close\r\n\r\nshort and stout");
  static std::vector<std::string> logged;
  logged.clear();
  const LogHook before =
      set_log_hook([](const LogRecord& record) { logged.emplace_back(record.message); });
  const std::string internal = answer([](Request&) -> Coro<Response> {
    co_await sleep(0s);
    throw ValueError("secret");
  });
  // Not a coroutine: it throws before there is one.
  const std::string plain = answer([](Request&) -> Coro<Response> { throw ValueError("at once"); });
  set_log_hook(before);
  CHECK(internal.starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
  CHECK(internal.find("secret") == std::string::npos);
  CHECK(plain.starts_with("HTTP/1.1 500 "));
  REQUIRE(logged.size() == 2);
  CHECK(logged[0] == "Error handling request GET /last from 127.0.0.1: brio::ValueError: secret");
}

TEST_CASE("a malformed request is answered with its status, and the connection closed") {
  for (const auto& [request, status] : std::vector<std::pair<std::string, std::string>>{
           {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request"},
           {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported"},
           {"GET /" + std::string(9000, 'a'), "414 URI Too Long"},
           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
            "0\r\n\r\n" +
                get,
            "400 Bad Request"},
           {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999\r\n\r\n", "413 "}}) {
    const std::string answer = answer_to(hello, request + get);
    CAPTURE(request.substr(0, 80));
    CHECK(answer.substr(0, 9 + status.size()) == "HTTP/1.1 " + status);
    CHECK(answer.find("\r\nConnection: close\r\n") != std::string::npos);
    CHECK(answer.find("Hello") == std::string::npos);
  }
  // What was asked before is answered first.
  const std::string answer = answer_to(hello, get + "BAD\r\n\r\n" + get);
  CHECK(answer.find("Hello") < answer.find("HTTP/1.1 400"));
}

TEST_CASE("a malformed or too long body is told to the handler that reads it") {
  const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(answer_to(echo, head + "x\r\n").starts_with("HTTP/1.1 400 "));
  CHECK(answer_to(echo, head + "5\r\nhello\r\n6\r\n", {.limits = {.max_body_size = 10}})
            .starts_with("HTTP/1.1 413 "));
  CHECK(answer_to(echo, head + "5\r\nhello\r\n6\r\nworld!\r\n0\r\n\r\n", {.client_max_size = 10})
            .starts_with("HTTP/1.1 413 "));
  CHECK(answer_to(echo, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\nhello world",
                  {.client_max_size = 10})
            .starts_with("HTTP/1.1 413 "));
}

TEST_CASE("a streamed answer: chunked, with its length, in HTTP/1.0, to HEAD") {
  const http::Handler handler = [](Request& request) -> Coro<Response> {
    StreamResponse answer({.content_type = "text/plain"});
    if (request.raw_path() == "/length") answer.set_content_length(5);
    co_await answer.prepare(request);
    co_await answer.write("he");
    co_await sleep(1ms);
    co_await answer.write("");
    if (request.raw_path() == "/trailers") {
      co_await answer.write_eof("llo", {{"X-Sum", "5"}});
    } else {
      co_await answer.write("llo");
    }
    co_return answer;
  };
  const auto ask = [&](const std::string& line) {
    return answer_to(handler, line + "\r\nHost: a\r\nConnection: close\r\n\r\n",
                     {.server_header = ""});
  };
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";
  CHECK(ask("GET / HTTP/1.1") == head +
                                     "Connection: close\r\nTransfer-Encoding: "
                                     "chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n");
  CHECK(ask("GET /trailers HTTP/1.1") ==
        head +
            "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n"
            "X-Sum: 5\r\n\r\n");
  CHECK(ask("GET /length HTTP/1.1") ==
        head + "Content-Length: 5\r\nConnection: close\r\n\r\nhello");
  CHECK(ask("GET / HTTP/1.0") == head + "Connection: close\r\n\r\nhello");
  CHECK(ask("HEAD / HTTP/1.1") == head + "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST_CASE("a streamed answer that fails half-way is cut, not ended" * counts_transfers()) {
  const LogHook before = set_log_hook([](const LogRecord&) {});
  const std::string got = answer_to(
      [](Request& request) -> Coro<Response> {
        StreamResponse answer;
        co_await answer.prepare(request);
        co_await answer.write("half");
        throw ValueError("no more");
      },
      get + get);
  set_log_hook(before);
  CHECK(got.ends_with("4\r\nhalf\r\n"));
}

TEST_CASE("a slow reader of a long stream holds the handler, not the memory") {
  with_http_server(
      [](Request& request) -> Coro<Response> {
        StreamResponse answer;
        co_await answer.prepare(request);
        const std::string block(100'000, 'x');
        for (int i = 0; i < 200; ++i) {
          co_await answer.write(block);
          CHECK(request.transport()->get_write_buffer_size() < 500'000);
        }
        co_return answer;
      },
      {},
      [](http::Server& server) -> Coro<> {
        auto wire = co_await Wire::open(server);
        wire.send(last);
        co_await sleep(1s);
        const std::string all = co_await wire.rest();
        CHECK(all.size() > 20'000'000);
        CHECK(all.ends_with("\r\n0\r\n\r\n"));
        wire.writer.close();
      });
}

TEST_CASE("time limits: a head that trickles in, an idle connection, a slow body") {
  with_http_server(
      echo, {.header_timeout = 10s, .keepalive_timeout = 20s}, [](http::Server& server) -> Coro<> {
        EventLoop& loop = get_running_loop();
        auto began = loop.time();
        const auto waited = [&] {
          return std::chrono::duration_cast<std::chrono::seconds>(loop.time() - began).count();
        };
        auto slow = co_await Wire::open(server);
        slow.send("GET / HTTP/1.1\r\nHos");
        const std::string late = co_await slow.rest();
        CHECK(late.starts_with("HTTP/1.1 408 "));
        CHECK(waited() >= 10);
        CHECK(waited() <= 60);
        slow.writer.close();

        began = loop.time();
        auto silent = co_await Wire::open(server);
        const std::string nothing = co_await silent.rest();
        CHECK(nothing.empty());
        CHECK(waited() >= 10);
        silent.writer.close();

        auto idle = co_await Wire::open(server);
        idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        const std::string answer = co_await idle.response();
        began = loop.time();
        const std::string end = co_await idle.rest();
        CHECK(end.empty());
        CHECK(waited() >= 20);
        CHECK(waited() <= 60);
        idle.writer.close();

        began = loop.time();
        auto body = co_await Wire::open(server);
        body.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc");
        const std::string cut = co_await body.rest();
        CHECK(cut.starts_with("HTTP/1.1 408 "));
        CHECK(waited() >= 5);
        CHECK(waited() <= 60);
        body.writer.close();
      });
}

TEST_CASE("a client that takes nothing is cut off") {
  with_http_server([](Request&) -> Coro<Response> { co_return std::string(50'000'000, 'x'); },
                   {.write_timeout = 10s},
                   [](http::Server& server) -> Coro<> {
                     auto wire = co_await Wire::open(server);
                     wire.send(get);
                     co_await wire.reader.readuntil("\r\n\r\n");
                     // The sockets on the way still fill while the clock runs ahead of them.
                     for (int i = 0; i < 1000 && server.stats().open > 0; ++i) co_await sleep(20s);
                     CHECK(server.stats().open == 0);
                     wire.writer.close();
                   });
}

TEST_CASE("limits on connections and on requests of one") {
  with_http_server(hello, {.max_requests_per_connection = 2, .max_connections = 2},
                   [](http::Server& server) -> Coro<> {
                     auto first = co_await Wire::open(server);
                     first.send(get + get + get);
                     const std::string two = co_await first.rest();
                     CHECK(two.find("Connection: close") > two.find("Hello"));
                     CHECK(two.ends_with("Hello, World!"));
                     first.writer.close();
                     auto a = co_await Wire::open(server);
                     auto b = co_await Wire::open(server);
                     a.send(get);
                     b.send(get);
                     co_await a.response();
                     co_await b.response();
                     auto c = co_await Wire::open(server);
                     const std::string refused = co_await c.rest();
                     CHECK(refused.starts_with("HTTP/1.1 503 "));
                     CHECK(server.stats().refused == 1);
                     for (Wire* wire : {&a, &b, &c}) wire->writer.close();
                   });
  with_http_server(hello, {.max_connections_per_address = 1}, [](http::Server& server) -> Coro<> {
    auto a = co_await Wire::open(server);
    a.send(get);
    co_await a.response();
    auto b = co_await Wire::open(server);
    const std::string refused = co_await b.rest();
    CHECK(refused.starts_with("HTTP/1.1 503 "));
    a.writer.close();
    b.writer.close();
  });
}

TEST_CASE("a client that hangs up: the handler goes on, or is cancelled where that is asked for") {
  for (const bool cancel : {false, true}) {
    bool ended = false;
    bool cancelled = false;
    with_http_server(
        [&](Request& request) -> Coro<Response> {
          try {
            co_await sleep(5s);
            CHECK(request.disconnected());
            ended = true;
          } catch (const CancelledError&) {
            cancelled = true;
            throw;
          }
          co_return "too late";
        },
        {.handler_cancellation = cancel},
        [](http::Server& server) -> Coro<> {
          auto wire = co_await Wire::open(server);
          wire.send(get);
          co_await sleep(1s);
          wire.writer.transport()->abort();
          co_await sleep(10s);
        });
    CHECK(ended == !cancel);
    CHECK(cancelled == cancel);
  }
}

TEST_CASE("routes: literal before name before rest, methods, 404 and 405") {
  http::Router router;
  const auto say = [](std::string text) {
    return [text](Request& request) -> Coro<Response> {
      std::string out = text;
      for (const auto& [name, value] : request.match_info()) out += " " + name + "=" + value;
      co_return out;
    };
  };
  router.add_get("/", say("root"));
  router.add_get("/users/me", say("me"));
  router.add_get("/users/{name}", say("user"));
  router.add_post("/users/{name}", say("post"));
  router.add_get("/users/{name}/posts/{id}", say("posts"));
  router.add_get("/files/{path:*}", say("files"));
  router.add_route("*", "/any", say("any"));
  CHECK_THROWS_AS(router.add_get("/users/{other}", say("")), ValueError);
  CHECK_THROWS_AS(router.add_get("/users/me", say("")), ValueError);
  CHECK_THROWS_AS(router.add_get("x", say("")), ValueError);
  CHECK_THROWS_AS(router.add_get("/{a}{b}", say("")), ValueError);
  CHECK_THROWS_AS(router.add_get("/{a:*}/b", say("")), ValueError);
  CHECK_THROWS_AS(router.add_get("/{a}/{a}", say("")), ValueError);
  std::vector<std::string> order;
  router.add_middleware([&](Request& request, const http::Handler& next) -> Coro<Response> {
    order.emplace_back("in");
    Response response = co_await next(request);
    order.emplace_back("out");
    response.headers().set("X-By", "middleware");
    co_return response;
  });
  const http::Handler handler = router.handler();
  const auto ask = [&](const std::string& line) {
    const std::string all =
        answer_to(handler, line + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    return all.substr(9, 3) + " " + all.substr(all.find("\r\n\r\n") + 4);
  };
  CHECK(ask("GET /") == "200 root");
  CHECK(ask("GET /?q") == "200 root");
  CHECK(ask("GET http://a") == "200 root");
  CHECK(ask("GET /users/me") == "200 me");
  CHECK(ask("GET /users/%6de") == "200 me");
  CHECK(ask("GET /users/a%2Fb") == "200 user name=a/b");
  CHECK(ask("POST /users/me") == "405 405: Method Not Allowed");
  CHECK(ask("POST /users/x") == "200 post name=x");
  CHECK(ask("GET /users/x/posts/7") == "200 posts name=x id=7");
  CHECK(ask("GET /users/x/posts/") == "404 404: Not Found");
  CHECK(ask("GET /users/") == "404 404: Not Found");
  CHECK(ask("GET /files/a/b%20c/") == "200 files path=a/b c/");
  CHECK(ask("BREW /any") == "200 any");
  CHECK(ask("HEAD /") == "200 ");
  CHECK(ask("GET /none") == "404 404: Not Found");
  CHECK(answer_to(handler, "OPTIONS /users/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .find("Allow: GET, POST, HEAD, OPTIONS\r\n") != std::string::npos);
  CHECK(order.size() > 10);
}
