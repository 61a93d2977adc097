#include <brio/http/client.hpp>

#include "support.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/timeouts.hpp>

#include <doctest/doctest.h>

using namespace brio;
using namespace brio::tests;
using namespace std::chrono_literals;
using http::ClientSession;

TEST_CASE("get: head, body, what was sent") {
  with_server(
      [](const Seen&) { return ok("hello", "Content-Type: Text/HTML; charset=\"UTF-8\"\r\n"); },
      [](TestServer& server) -> Coro<> {
        ClientSession session;
        auto response = co_await session.get(server.url + "/a b?q#f", {.params = {{"k", "v w"}}});
        CHECK(response.status() == 200);
        CHECK(response.ok());
        CHECK(response.reason() == "OK");
        CHECK(response.method() == "GET");
        CHECK(response.url().str() == server.url + "/a%20b?q&k=v%20w");
        CHECK(response.real_url().raw_fragment() == "f");
        CHECK(response.content_type() == "text/html");
        CHECK(response.charset() == "utf-8");
        CHECK(response.content_length() == 5u);
        CHECK(response.history().empty());
        const std::string text = co_await response.text();
        CHECK(text == "hello");
        const std::string again = co_await response.read();
        CHECK(again == "hello");
        const Seen& seen = server.seen.at(0);
        CHECK(seen.line == "GET /a%20b?q&k=v%20w HTTP/1.1");
        CHECK(field(seen.head, "Host") == "127.0.0.1:" + std::to_string(server.port));
        CHECK(field(seen.head, "Accept") == "*/*");
        CHECK(field(seen.head, "Accept-Encoding") == "gzip, deflate");
        CHECK(field(seen.head, "User-Agent").starts_with("brio/"));
        CHECK(field(seen.head, "Content-Length").empty());
        co_await session.close();
        const std::string refused = co_await thrown(session.get(server.url));
        CHECK(refused == "RuntimeError: Session is closed");
      });
}

TEST_CASE("a connection is kept for the next request, also after bodies of every framing") {
  with_server(
      [](const Seen& seen) -> Answer {
        if (seen.line.starts_with("GET /chunked")) {
          return {
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n"};
        }
        if (seen.line.starts_with("HEAD")) return {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"};
        if (seen.line.starts_with("GET /none")) return {"HTTP/1.1 204 No Content\r\n\r\n"};
        return ok("x");
      },
      [](TestServer& server) -> Coro<> {
        auto connector = std::make_shared<http::TCPConnector>();
        ClientSession session({.connector = connector});
        auto chunked = co_await session.get(server.url + "/chunked");
        const std::string body = co_await chunked.read();
        CHECK(body == "abc");
        CHECK(chunked.trailers().get("X") == "y");
        auto head = co_await session.head(server.url);
        CHECK(head.content_length() == 9u);
        const std::string nothing = co_await head.read();
        CHECK(nothing.empty());
        auto none = co_await session.get(server.url + "/none");
        CHECK(none.content().at_eof());
        auto last = co_await session.get(server.url);
        const std::string text = co_await last.read();
        CHECK(text == "x");
        CHECK(server.connections == 1);
        CHECK(connector->idle() == 1);
        CHECK(connector->acquired() == 0);
        co_await session.close();
        CHECK(connector->idle() == 0);
      });
}

TEST_CASE("a body that was not read costs its connection, one that was does not") {
  with_server([](const Seen&) { return ok(std::string(1'000'000, 'x')); },
              [](TestServer& server) -> Coro<> {
                ClientSession session;
                {
                  auto dropped = co_await session.get(server.url);
                  const std::string part = co_await dropped.content().read(10);
                  CHECK(!part.empty());
                }
                auto read = co_await session.get(server.url);
                const std::string all = co_await read.read();
                CHECK(all.size() == 1'000'000);
                CHECK(server.connections == 2);
                auto third = co_await session.get(server.url);
                third.release();
                const std::string error = co_await thrown(third.read());
                CHECK(error == "RuntimeError: Connection closed");
                CHECK(server.connections == 2);
                co_await session.close();
              });
}

TEST_CASE("bodies stream, by size and as they come") {
  with_server([](const Seen&) { return ok(std::string(300'000, 'a') + std::string(300'000, 'b')); },
              [](TestServer& server) -> Coro<> {
                ClientSession session;
                auto response = co_await session.get(server.url);
                std::string all;
                const auto pieces = response.content().iter_chunked(1'000);
                while (auto piece = co_await pieces.next()) {
                  CHECK(piece->size() <= 1'000);
                  all += *piece;
                }
                CHECK(all.size() == 600'000);
                CHECK(all.ends_with("ab" + std::string(299'999, 'b')));
                auto second = co_await session.get(server.url);
                std::size_t count = 0;
                const auto any = second.content().iter_any();
                while (auto piece = co_await any.next()) count += piece->size();
                CHECK(count == 600'000);
                CHECK(second.content().at_eof());
                CHECK_THROWS_AS(static_cast<void>(second.content().iter_chunked(0)), ValueError);
                co_await session.close();
              });
}

TEST_CASE("an end-delimited body, and a server without keep-alive") {
  with_server([](const Seen&) { return Answer{"HTTP/1.0 200 OK\r\n\r\nall", true}; },
              [](TestServer& server) -> Coro<> {
                ClientSession session;
                for (int i = 0; i < 2; ++i) {
                  auto response = co_await session.get(server.url);
                  const std::string text = co_await response.text();
                  CHECK(text == "all");
                  CHECK(response.version() == http::HttpVersion{1, 0});
                }
                CHECK(server.connections == 2);
                co_await session.close();
              });
}

TEST_CASE("bodies go out with a length, in chunks, or not at all") {
  with_server([](const Seen&) { return ok(""); },
              [](TestServer& server) -> Coro<> {
                ClientSession session;
                co_await session.post(server.url, {.data = "a=b"});
                co_await session.post(server.url);
                const auto make = []() -> AsyncGenerator<std::string> {
                  co_yield std::string("one,");
                  co_yield std::string();
                  co_await yield_now();
                  co_yield std::string("two");
                };
                co_await session.put(server.url, {.data = http::RequestBody::stream(make)});
                co_await session.put(server.url, {.data = http::RequestBody::stream(make, 7)});
                co_await session.delete_(server.url);
                REQUIRE(server.seen.size() == 5);
                CHECK(server.seen[0].body == "a=b");
                CHECK(field(server.seen[0].head, "Content-Length") == "3");
                CHECK(field(server.seen[0].head, "Content-Type") == "application/octet-stream");
                CHECK(field(server.seen[1].head, "Content-Length") == "0");
                CHECK(server.seen[2].body == "one,two");
                CHECK(field(server.seen[2].head, "Transfer-Encoding") == "chunked");
                CHECK(server.seen[3].body == "one,two");
                CHECK(field(server.seen[3].head, "Content-Length") == "7");
                CHECK(field(server.seen[4].head, "Content-Length").empty());
                CHECK(server.connections == 1);
                co_await session.close();
              });
}

TEST_CASE("a stream that fails, or is not as long as it says, fails the request") {
  with_server(
      [](const Seen&) { return ok(""); },
      [](TestServer& server) -> Coro<> {
        ClientSession session;
        const auto fails = []() -> AsyncGenerator<std::string> {
          co_yield std::string("one,");
          throw ValueError("no more");
        };
        const std::string failed =
            co_await thrown(session.post(server.url, {.data = http::RequestBody::stream(fails)}));
        CHECK(failed == "ValueError: no more");
        const auto make = []() -> AsyncGenerator<std::string> { co_yield std::string("123"); };
        const std::string shorter =
            co_await thrown(session.post(server.url, {.data = http::RequestBody::stream(make, 4)}));
        CHECK(shorter == "ValueError: the request's body is shorter than declared");
        const std::string longer =
            co_await thrown(session.post(server.url, {.data = http::RequestBody::stream(make, 2)}));
        CHECK(longer == "ValueError: the request's body is longer than declared");
        CHECK(server.seen.empty());
        co_await session.close();
      });
}

TEST_CASE("an answer before the end of the upload is the answer") {
  testing::run_test([]() -> Coro<> {
    const auto early = [](StreamReader reader, StreamWriter writer) -> Coro<> {
      const std::string head = co_await reader.readuntil("\r\n\r\n");
      writer.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
      co_await sleep(1h);
      writer.close();
    };
    auto server = co_await start_server(early, "127.0.0.1", 0);
    const std::string url =
        "http://127.0.0.1:" + std::to_string(server->sockets()[0].getsockname().port());
    ClientSession session;
    const auto endless = []() -> AsyncGenerator<std::string> {
      while (true) co_yield std::string(100'000, 'x');
    };
    auto response = co_await session.post(url, {.data = http::RequestBody::stream(endless)});
    CHECK(response.status() == 413);
    const std::string text = co_await response.text();
    CHECK(text == "big");
    co_await session.close();
    server->close();
    server->abort_clients();
    co_await server->wait_closed();
  });
}

TEST_CASE("with_session closes, whatever came") {
  with_server([](const Seen&) { return ok("x"); },
              [](TestServer& server) -> Coro<> {
                std::shared_ptr<http::BaseConnector> connector;
                const auto body = [&](ClientSession& session) -> Coro<std::string> {
                  connector = session.connector();
                  auto response = co_await session.get(server.url);
                  co_return co_await response.text();
                };
                const std::string text = co_await http::with_session({}, body);
                CHECK(text == "x");
                CHECK(connector->closed());
                const auto throwing = [&](ClientSession& session) -> Coro<> {
                  connector = session.connector();
                  auto response = co_await session.get(server.url);
                  throw ValueError("mine");
                };
                const std::string error = co_await thrown(http::with_session({}, throwing));
                CHECK(error == "ValueError: mine");
                CHECK(connector->closed());
              });
}

TEST_CASE("headers, credentials and base URL") {
  with_server([](const Seen&) { return ok(""); },
              [](TestServer& server) -> Coro<> {
                ClientSession session({.base_url = http::URL(server.url + "/api/"),
                                       .headers = {{"X-A", "session"}, {"User-Agent", "mine"}},
                                       .auth = http::BasicAuth{"user", "pass"}});
                const http::Headers headers{{"x-a", "request"}, {"Accept-Encoding", "br"}};
                co_await session.get("x", {.headers = headers});
                CHECK(server.seen[0].line == "GET /api/x HTTP/1.1");
                CHECK(field(server.seen[0].head, "x-a") == "request");
                CHECK(field(server.seen[0].head, "X-A").empty());
                CHECK(field(server.seen[0].head, "User-Agent") == "mine");
                CHECK(field(server.seen[0].head, "Accept-Encoding") == "br");
                CHECK(field(server.seen[0].head, "Authorization") == "Basic dXNlcjpwYXNz");
                std::string with_user = server.url;
                with_user.insert(7, "a:b%20c@");
                co_await session.get(with_user);
                CHECK(field(server.seen[1].head, "Authorization") == "Basic YTpiIGM=");
                const std::string both =
                    co_await thrown(session.get(with_user, {.auth = http::BasicAuth{"x"}}));
                CHECK(both.starts_with("ValueError: credentials both"));
                const std::string colon =
                    co_await thrown(session.get("x", {.auth = http::BasicAuth{"x:y"}}));
                CHECK(colon.starts_with("ValueError: a login"));
                const std::string method = co_await thrown(session.request("G ET", "x"));
                CHECK(method.starts_with("ValueError: invalid method"));
                const std::string url = co_await thrown(session.get("ftp://x/"));
                CHECK(url.starts_with("InvalidURL"));
                CHECK(server.seen.size() == 2);
                co_await session.close();
              });
}

TEST_CASE("raise_for_status") {
  with_server(
      [](const Seen&) { return Answer{"HTTP/1.1 404 \r\nX: y\r\nContent-Length: 0\r\n\r\n"}; },
      [](TestServer& server) -> Coro<> {
        ClientSession session;
        auto response = co_await session.get(server.url + "/x");
        CHECK_FALSE(response.ok());
        CHECK_THROWS_WITH(response.raise_for_status(),
                          ("404, message='Not Found', url='" + server.url + "/x'").c_str());
        auto outcome =
            co_await as_outcome(session.get(server.url + "/x", {.raise_for_status = true}));
        const auto error = outcome.error_as<http::ClientResponseError>();
        REQUIRE(error.has_value());
        CHECK(error->status() == 404);
        CHECK(error->headers().get("x") == "y");
        co_await session.close();
      });
}

TEST_CASE("coded bodies are decoded, unless told not to") {
  // "hello\n" by gzip.
  const std::string coded(
      "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\xe7\x02\x00\x20\x30\x3a\x36\x06"
      "\x00\x00\x00",
      26);
  with_server(
      [coded](const Seen& seen) {
        std::string sent = coded;
        if (seen.line.starts_with("GET /short")) sent.resize(20);
        if (seen.line.starts_with("GET /bad")) sent[3] = '\xff';
        return ok(sent, "Content-Encoding: GZIP\r\n");
      },
      [coded](TestServer& server) -> Coro<> {
        ClientSession session;
        auto response = co_await session.get(server.url);
        const std::string text = co_await response.text();
        CHECK(text == "hello\n");
        auto raw = co_await session.get(server.url, {.auto_decompress = false});
        const std::string bytes = co_await raw.read();
        CHECK(bytes == coded);
        CHECK(field(server.seen[1].head, "Accept-Encoding") == "identity");
        auto pieces = co_await session.get(server.url);
        std::string all;
        while (true) {
          const std::string part = co_await pieces.content().read(2);
          if (part.empty()) break;
          CHECK(part.size() <= 2);
          all += part;
        }
        CHECK(all == "hello\n");
        auto cut = co_await session.get(server.url + "/short");
        const std::string early = co_await thrown(cut.read());
        CHECK(early == "ClientPayloadError: coded body ends too early");
        const std::string repeated = co_await thrown(cut.read());
        CHECK(repeated == early);
        auto bad = co_await session.get(server.url + "/bad");
        const std::string damaged = co_await thrown(bad.read());
        CHECK(damaged.starts_with("ClientPayloadError: coded body is damaged"));
        auto head = co_await session.head(server.url + "/head");
        co_await session.close();
      });
}

TEST_CASE("read() has a limit, streaming has none") {
  with_server([](const Seen&) { return ok(std::string(1'001, 'x')); },
              [](TestServer& server) -> Coro<> {
                ClientSession session({.max_read_size = 1'000});
                auto response = co_await session.get(server.url);
                const std::string error = co_await thrown(response.read());
                CHECK(error.starts_with("PayloadTooLarge"));
                auto streamed = co_await session.get(server.url);
                std::size_t size = 0;
                while (size < 1'001) size += (co_await streamed.content().readany()).size();
                CHECK(size == 1'001);
                co_await session.close();
              });
}

TEST_CASE("text is converted from its charset") {
  with_server(
      [](const Seen& seen) {
        if (seen.line.starts_with("GET /latin")) {
          return ok("gr\xfc\xdf", "Content-Type: text/plain; charset=ISO-8859-1\r\n");
        }
        if (seen.line.starts_with("GET /unknown")) {
          return ok("x", "Content-Type: text/plain; charset=klingon\r\n");
        }
        return ok("\xff");
      },
      [](TestServer& server) -> Coro<> {
        ClientSession session;
        auto latin = co_await session.get(server.url + "/latin");
        const std::string text = co_await latin.text();
        CHECK(text == "gr\xc3\xbc\xc3\x9f");
        const std::string other = co_await latin.text("koi8-r");
        CHECK(other != text);
        auto unknown = co_await session.get(server.url + "/unknown");
        const std::string lookup = co_await thrown(unknown.text());
        CHECK(lookup == "LookupError: unknown encoding: klingon");
        auto broken = co_await session.get(server.url);
        const std::string bad = co_await thrown(broken.text());
        CHECK(bad.starts_with("ValueError"));
        co_await session.close();
      });
}
