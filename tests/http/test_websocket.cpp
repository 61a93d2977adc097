// WebSockets of our client and our server, with one another and with raw bytes on the other side.
#include "server_support.hpp"
#include "websocket_support.hpp"

#include <brio/core/sleep.hpp>
#include <brio/core/timeouts.hpp>
#include <brio/http/client.hpp>
#include <brio/http/server_websocket.hpp>
#include <brio/sync/event.hpp>

using namespace brio;
using namespace brio::tests;
using namespace std::chrono_literals;
using http::Request;
using http::Response;
using http::WebSocketOptions;
using http::WebSocketResponse;
using http::WSMessage;
using http::WSMsgType;

namespace {

const std::string fields =
    "Host: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
const std::string upgrade = "GET /chat HTTP/1.1\r\n" + fields + "\r\n";
const std::string accepted =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

// A handler whose WebSocket is given to `use`.
http::Handler websocket(std::function<Coro<>(WebSocketResponse&)> use,
                        WebSocketOptions options = {}) {
  return [use = std::move(use), options](Request& request) -> Coro<Response> {
    WebSocketResponse ws(options);
    co_await ws.prepare(request);
    co_await use(ws);
    co_return ws;
  };
}

Coro<> echo(WebSocketResponse& ws) {
  while (auto message = co_await ws.next()) {
    if (message->type == WSMsgType::text) co_await ws.send_str(message->data);
    if (message->type == WSMsgType::binary) co_await ws.send_bytes(message->data);
  }
}

// The bytes that a server answers with behind its 101, up to the end of the connection.
std::string frames_for(http::Handler handler, const std::string& sent) {
  const std::string all = answer_to(std::move(handler), upgrade + sent, {.server_header = ""});
  REQUIRE(all.starts_with(accepted));
  return all.substr(all.find("\r\n\r\n") + 4);
}

std::string url_of(const http::Server& server) {
  return "ws://127.0.0.1:" + std::to_string(server.port()) + "/";
}

// Runs `body(session, url)` against a server with `handler`.
void with_client(http::Handler handler,
                 std::function<Coro<>(http::ClientSession&, std::string)> body) {
  with_http_server(std::move(handler), {}, [&](http::Server& server) -> Coro<> {
    http::ClientSession session;
    auto outcome = co_await as_outcome(body(session, url_of(server)));
    co_await session.close();
    outcome.raise();
  });
}

template <class T>
Coro<std::string> error_of(Coro<T> what) {
  const auto outcome = co_await as_outcome(std::move(what));
  co_return outcome.has_value() ? "" : describe(outcome.error());
}

}  // namespace

TEST_CASE("a server's handshake, and frames that came with the request") {
  const std::string goodbye = frame(8, close_payload(1000), plain);
  CHECK(answer_to(websocket(echo), upgrade + frame(8, close_payload(1000)),
                  {.server_header = ""}) == accepted + "\r\n" + goodbye);
  CHECK(frames_for(websocket(echo), frame(1, "a", part) + frame(9, "p") + frame(0, "b") +
                                        frame(2, "c") + frame(8, close_payload(4000, "done"))) ==
        frame(10, "p", plain) + frame(1, "ab", plain) + frame(2, "c", plain) +
            frame(8, close_payload(4000), plain));
  CHECK(frames_for(websocket(echo), frame(8, "")) == frame(8, "", plain));
  // A close frame is the end: what stands behind it counts for nothing.
  CHECK(frames_for(websocket(echo),
                   frame(8, close_payload(1000)) + frame(1, "x") + frame(9, "p")) == goodbye);
}

TEST_CASE("an upgrade is in the access log when its handler has ended") {
  std::string log;
  const auto note = [&](const http::AccessRecord& record) { log += std::to_string(record.status); };
  (void)answer_to(websocket(echo), upgrade + frame(8, close_payload(1000)), {.access_log = note});
  CHECK(log == "101");
}

TEST_CASE("what was right is answered before the fault behind it") {
  const auto closing = [](int code, const std::string& why) {
    return frame(8, close_payload(code, why), plain);
  };
  CHECK(frames_for(websocket(echo), frame(1, "a") + frame(3, "")) ==
        frame(1, "a", plain) + closing(1002, "reserved opcode 3"));
  CHECK(frames_for(websocket(echo), frame(1, "\xff")) == closing(1007, "text is not UTF-8"));
  CHECK(frames_for(websocket(echo, {.max_msg_size = 4}), frame(1, "12345")) ==
        closing(1009, "message of 5 bytes is over the limit of 4"));
  CHECK(frames_for(websocket(echo), frame(1, "x", plain)) == closing(1002, "frame without a mask"));
  // A handler that never receives: the fault is answered all the same.
  CHECK(frames_for(websocket([](WebSocketResponse&) -> Coro<> { co_await sleep(1h); }),
                   frame(3, "")) == closing(1002, "reserved opcode 3"));
  CHECK(frames_for(websocket([](WebSocketResponse&) -> Coro<> { co_await sleep(1h); }),
                   frame(8, close_payload(4000))) == closing(4000, ""));
}

TEST_CASE("requests that are no handshake are refused") {
  const auto status = [](const std::string& text, WebSocketOptions options = {}) {
    return answer_to(websocket(echo, options), text).substr(9, 3);
  };
  const std::string end = "Connection: close\r\n\r\n";
  const auto with = [&](std::string_view old, const std::string& now) {
    std::string text = upgrade;
    text.replace(text.find(old), old.size(), now);
    return text;
  };
  CHECK(status("GET / HTTP/1.1\r\nHost: a\r\n" + end) == "426");
  CHECK(status(with("Upgrade: websocket", "Upgrade: h2c") + end) == "426");
  CHECK(status(with("keep-alive, Upgrade", "close") + end) == "426");
  CHECK(status(with("Version: 13", "Version: 8\r\nConnection: close")) == "426");
  const std::string old =
      answer_to(websocket(echo), with("Version: 13", "Version: 8\r\nConnection: close"));
  CHECK(old.find("Sec-WebSocket-Version: 13\r\n") != std::string::npos);
  CHECK(status(with("25jZQ==", "25jZQ=\r\nConnection: close")) == "400");
  CHECK(status(with("Host: a",
                    "Host: a\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Connection: close")) == "400");
  CHECK(status(with("GET", "POST") + end) == "405");
  CHECK(status(with("Host: a", "Host: a\r\nContent-Length: 1\r\nConnection: close") + "x") ==
        "400");
  CHECK(status(with("HTTP/1.1", "HTTP/1.0")) == "400");
  CHECK(status(with("Host: a", "Host: a\r\nSec-WebSocket-Extensions: a;;\r\nConnection: close")) ==
        "400");
}

TEST_CASE("pages of other origins may connect only where they are allowed to") {
  const auto status = [](const std::string& origin, WebSocketOptions options = {}) {
    const std::string text = "GET / HTTP/1.1\r\nOrigin: " + origin + "\r\nConnection: close\r\n" +
                             fields + "\r\n" + frame(8, "");
    return answer_to(websocket(echo, options), text).substr(9, 3);
  };
  CHECK(status("http://a") == "101");
  CHECK(status("https://a") == "101");
  CHECK(status("https://b") == "403");
  CHECK(status("null") == "403");
  CHECK(status("http://a\r\nOrigin: http://a") == "403");
  CHECK(status("https://b", {.origins = {"https://c", "https://b"}}) == "101");
  CHECK(status("http://b", {.origins = {"https://c", "https://b"}}) == "403");
  CHECK(status("null", {.origins = {"*"}}) == "101");
  CHECK(status("https://x.b", {.check_origin = [](const Request& asked) {
                 return asked.headers().get("Origin", "").ends_with(".b");
               }}) == "101");
  CHECK(status("http://a", {.check_origin = [](const Request&) { return false; }}) == "403");
}

TEST_CASE("client and server: messages of every size, compressed or not") {
  with_client(websocket(echo), [](http::ClientSession& session, std::string url) -> Coro<> {
    for (const bool compress : {false, true}) {
      http::WSConnectOptions options;
      if (compress) options.compress = http::WSDeflateOptions{};
      auto ws = co_await session.ws_connect(url, options);
      CHECK(ws.compress().has_value() == compress);
      for (const std::size_t size : {0U, 1U, 125U, 126U, 65535U, 65536U, 1'000'000U}) {
        const std::string sent(size, 'x');
        co_await ws.send_bytes(sent);
        const std::string got = co_await ws.receive_bytes();
        CHECK(got == sent);
      }
      co_await ws.send_str("κόσμε", false);
      const std::string text = co_await ws.receive_str();
      CHECK(text == "κόσμε");
      co_await ws.send_str("x");
      const std::string wrong = co_await error_of(ws.receive_bytes());
      CHECK(wrong == "Received message 1 is not binary");
      const std::string bad =
          co_await error_of([](auto& to) -> Coro<> { co_await to.send_str("\xff"); }(ws));
      CHECK(bad == "a text message must be UTF-8");
      co_await ws.ping("are you there");
      const bool closed = co_await ws.close(4001, "done");
      CHECK(closed);
      CHECK(ws.close_code() == 4001);
      const bool again = co_await ws.close();
      CHECK_FALSE(again);
      const std::string late = co_await error_of(ws.send_str("x"));
      CHECK(late.starts_with("writing to a WebSocket that is closed failed"));
    }
  });
}

TEST_CASE("subprotocols: the client's dearest that the server speaks") {
  with_client(websocket(echo, {.protocols = {"a", "b"}}),
              [](http::ClientSession& session, std::string url) -> Coro<> {
                auto ws = co_await session.ws_connect(url, {.protocols = {"c", "b", "a"}});
                CHECK(ws.protocol() == "b");
                CHECK(ws.head().status == 101);
                auto none = co_await session.ws_connect(url, {.protocols = {"c"}});
                CHECK(none.protocol() == "");
                const std::string bad =
                    co_await error_of(session.ws_connect(url, {.protocols = {"a b"}}));
                CHECK(bad == "invalid subprotocol 'a b'");
              });
}

TEST_CASE("a client tells a server that does not agree") {
  std::string answer;
  const auto handler = [&answer](Request& asked) -> Coro<Response> {
    if (answer.empty()) co_return "no WebSocket here";
    WebSocketResponse ws({.protocols = {"a"}});
    if (answer != "ok")
      ws.headers().add(answer.substr(0, answer.find(':')), answer.substr(answer.find(':') + 1));
    co_await ws.prepare(asked);
    co_await echo(ws);
    co_return ws;
  };
  with_client(handler, [&](http::ClientSession& session, std::string url) -> Coro<> {
    const auto error = [&]() -> Coro<std::string> {
      co_return co_await error_of(session.ws_connect(url));
    };
    std::string text = co_await error();
    CHECK(text == "200, message='Invalid response status', url='http" + url.substr(2) + "'");
    answer = "Sec-WebSocket-Protocol:a";
    text = co_await error();
    CHECK(text.starts_with("101, message='Invalid subprotocol'"));
    answer = "Sec-WebSocket-Extensions:permessage-deflate";
    text = co_await error();
    CHECK(text.starts_with("101, message='the server chose an extension"));
    answer = "Sec-WebSocket-Accept:x";
    text = co_await error();
    CHECK(text.starts_with("101, message='Invalid challenge response'"));
    answer = "ok";
    text = co_await error();
    CHECK(text.empty());
  });
}

TEST_CASE("the server closes, or its handler ends without a word, or with an error") {
  std::string how;
  const auto handler = [&how](Request& asked) -> Coro<Response> {
    WebSocketResponse ws;
    co_await ws.prepare(asked);
    if (how == "close") {
      const bool closed = co_await ws.close(4100, "enough");
      CHECK(closed);
      CHECK(ws.close_code() == 4100);
    }
    if (how == "throw") throw std::runtime_error("oh");
    co_return ws;
  };
  with_client(handler, [&](http::ClientSession& session, std::string url) -> Coro<> {
    const auto code = [&]() -> Coro<WSMessage> {
      auto ws = co_await session.ws_connect(url);
      WSMessage message = co_await ws.receive();
      CHECK(ws.closed());
      const WSMessage behind = co_await ws.receive();
      CHECK(behind.type == WSMsgType::closed);
      co_return message;
    };
    how = "close";
    WSMessage end = co_await code();
    CHECK(end.type == WSMsgType::close);
    CHECK(end.code == 4100);
    CHECK(end.extra == "enough");
    how = "end";
    end = co_await code();
    CHECK(end.code == 1000);
    how = "throw";
    end = co_await code();
    CHECK(end.code == 1011);
  });
}

TEST_CASE("close() waits for the peer's answer, but not for ever") {
  with_http_server(websocket([](WebSocketResponse& ws) -> Coro<> {
                     const TimePoint before = get_running_loop().time();
                     const bool closed = co_await ws.close();
                     CHECK(closed);
                     CHECK(ws.close_code() == 1006);
                     CHECK(describe(ws.exception()) == "the peer did not answer the close frame");
                     CHECK(get_running_loop().time() - before == 10s);
                   }),
                   {}, [](http::Server& server) -> Coro<> {
                     auto wire = co_await Wire::open(server);
                     wire.send(upgrade);
                     const std::string all = co_await wire.rest();
                     CHECK(all.ends_with("\r\n\r\n" + frame(8, close_payload(1000), plain)));
                     wire.writer.close();
                   });
}

TEST_CASE("after the close frames, a client that does not hang up is cut off") {
  with_http_server(websocket(echo, {.timeout = 3s}), {}, [](http::Server& server) -> Coro<> {
    auto wire = co_await Wire::open(server);
    const TimePoint before = get_running_loop().time();
    wire.send(upgrade + frame(8, close_payload(1000)));
    const std::string all = co_await wire.rest();
    CHECK(get_running_loop().time() - before < 1s);
    wire.send("junk");  // is read and dropped
    co_await server.shutdown(1min);
    CHECK(get_running_loop().time() - before >= 3s);
    CHECK(get_running_loop().time() - before < 10s);
    wire.writer.close();
  });
}

TEST_CASE("a peer that is gone: 1006, and messages that came before are not lost") {
  const auto handler = websocket([](WebSocketResponse& ws) -> Coro<> {
    co_await sleep(1s);
    const WSMessage first = co_await ws.receive();
    CHECK(first.data == "last words");
    const WSMessage end = co_await ws.receive();
    CHECK(end.type == WSMsgType::closed);
    CHECK(ws.close_code() == 1006);
  });
  with_http_server(handler, {}, [](http::Server& server) -> Coro<> {
    auto wire = co_await Wire::open(server);
    wire.send(upgrade + frame(1, "last words"));
    const std::string head = co_await wire.response();
    wire.writer.close();
    co_await sleep(2s);
  });
}

TEST_CASE("heartbeat: a silent peer is given up, one that answers is not") {
  const auto handler = websocket(
      [](WebSocketResponse& ws) -> Coro<> {
        const TimePoint before = get_running_loop().time();
        const WSMessage message = co_await ws.receive();
        CHECK(message.type == WSMsgType::error);
        CHECK(message.extra == "No PONG received in time");
        CHECK(get_running_loop().time() - before == 15s);
        CHECK(ws.close_code() == 1006);
        const WSMessage end = co_await ws.receive();
        CHECK(end.type == WSMsgType::closed);
      },
      {.heartbeat = 10s});
  with_http_server(handler, {}, [](http::Server& server) -> Coro<> {
    auto wire = co_await Wire::open(server);
    wire.send(upgrade);
    const auto outcome = co_await as_outcome(wire.rest());
    wire.writer.close();
  });
  with_client(websocket(echo), [](http::ClientSession& session, std::string url) -> Coro<> {
    auto ws = co_await session.ws_connect(url, {.heartbeat = 10s});
    const std::string late = co_await error_of(ws.receive(1h));
    CHECK(late == "no WebSocket message in time");
    CHECK_FALSE(ws.closed());
    co_await ws.send_str("still here");
    const std::string text = co_await ws.receive_str();
    CHECK(text == "still here");
  });
}

TEST_CASE("pings and pongs are messages where autoping is off, and autoclose can be off") {
  std::string seen;
  const auto handler = websocket(
      [&seen](WebSocketResponse& ws) -> Coro<> {
        while (true) {
          const WSMessage message = co_await ws.receive();
          seen += std::to_string(static_cast<int>(message.type)) + message.data + " ";
          if (message.type == WSMsgType::ping) co_await ws.pong(message.data);
          if (message.type == WSMsgType::close) break;
        }
        CHECK_FALSE(ws.closed());
        co_await ws.send_str("one more");
        const bool closed = co_await ws.close(4002);
        CHECK(closed);
        CHECK(ws.close_code() == 4001);
      },
      {.autoclose = false, .autoping = false});
  CHECK(frames_for(handler, frame(9, "a") + frame(10, "b") + frame(8, close_payload(4001))) ==
        frame(10, "a", plain) + frame(1, "one more", plain) + frame(8, close_payload(4002), plain));
  CHECK(seen == "9a 10b 8 ");
}

TEST_CASE("a receiver that is slow holds the sender up, and loses nothing") {
  Event go;
  std::size_t sent = 0;
  std::size_t got = 0;
  constexpr std::size_t count = 2000;
  const auto handler = websocket([&](WebSocketResponse& ws) -> Coro<> {
    co_await go.wait();
    while (auto message = co_await ws.next()) {
      CHECK(message->data.size() == 10'000);
      CHECK(message->data.front() == static_cast<char>('a' + got % 26));
      ++got;
    }
  });
  with_client(handler, [&](http::ClientSession& session, std::string url) -> Coro<> {
    for (const bool compress : {false, true}) {
      http::WSConnectOptions options;
      if (compress) options.compress = http::WSDeflateOptions{};
      go.clear();
      auto ws = co_await session.ws_connect(url, options);
      sent = got = 0;
      auto sender = create_task([](auto& to, auto& number) -> Coro<> {
        for (; number < count; ++number) {
          co_await to.send_bytes(std::string(10'000, static_cast<char>('a' + number % 26)));
        }
      }(ws, sent));
      co_await sleep(1min);
      // A compressed message is some forty bytes: what holds those up is the queue at the other
      // end.
      if (!compress) CHECK(sent < count);
      CHECK(got == 0);
      go.set();
      co_await sender;
      const bool closed = co_await ws.close();
      CHECK(closed);
      CHECK(got == count);
    }
  });
}

TEST_CASE("a receiver that never comes costs a bounded memory, and can still be closed") {
  const auto handler = websocket([](WebSocketResponse& ws) -> Coro<> {
    co_await sleep(1min);
    const bool closed = co_await ws.close();
    CHECK(closed);
    CHECK(ws.close_code() == 1000);
  });
  with_client(handler, [](http::ClientSession& session, std::string url) -> Coro<> {
    auto ws = co_await session.ws_connect(url);
    auto sender = create_task([](auto& to) -> Coro<> {
      const std::string piece(100'000, 'x');
      while (true) co_await to.send_bytes(piece);
    }(ws));
    const WSMessage end = co_await ws.receive();
    CHECK(end.type == WSMsgType::close);
    CHECK(ws.close_code() == 1000);
    const auto outcome = co_await as_outcome(std::move(sender));
    CHECK(outcome.error_as<ConnectionError>().has_value());
  });
}

TEST_CASE("pings of a peer that reads nothing are answered once, when it reads") {
  const auto handler = websocket(echo);
  with_http_server(handler, {.write_timeout = 0s}, [](http::Server& server) -> Coro<> {
    auto wire = co_await Wire::open(server);
    wire.send(upgrade);
    const std::string head = co_await wire.response();
    // Echoes fill the way back, so that the answers to the pings have to wait.
    const std::string big(1 << 20, 'x');
    for (int i = 0; i < 10; ++i) wire.send(frame(2, big));
    for (int i = 0; i < 1000; ++i) wire.send(frame(9, std::to_string(i)));
    wire.send(frame(8, ""));
    const std::string all = co_await wire.rest();
    CHECK(all.size() < 10 * (big.size() + 10) + 1000 * 5);
    CHECK(all.ends_with(frame(8, "", plain)));
    wire.writer.close();
  });
}

TEST_CASE("cancelling receive loses no message") {
  with_client(websocket(echo), [](http::ClientSession& session, std::string url) -> Coro<> {
    auto ws = co_await session.ws_connect(url);
    int next = 0;
    int cancelled = 0;
    for (int i = 0; i < 50; ++i) {
      co_await ws.send_str(std::to_string(i));
      auto waiting = create_task(ws.receive());
      for (int hops = 0; hops < i % 8; ++hops) co_await yield_now();
      waiting.cancel();
      const auto outcome = co_await as_outcome(std::move(waiting));
      if (outcome.has_value()) {
        CHECK(outcome.value().data == std::to_string(next++));
      } else {
        CHECK(outcome.cancelled());
        ++cancelled;
      }
    }
    while (next < 50) {
      const std::string text = co_await ws.receive_str();
      CHECK(text == std::to_string(next++));
    }
    CHECK(cancelled > 0);
    auto first = create_task(ws.receive());
    co_await yield_now();
    const std::string second = co_await error_of(ws.receive());
    CHECK(second == "Concurrent call to receive() is not allowed");
    const bool closed = co_await ws.close();
    CHECK(closed);
    const WSMessage end = co_await first;
    CHECK((end.type == WSMsgType::closing || end.type == WSMsgType::closed));
    for (int i = 0; i < 3; ++i) {
      const WSMessage behind = co_await ws.receive();
      CHECK(behind.type == WSMsgType::closed);
    }
    const std::string spinning = co_await error_of(ws.receive());
    CHECK(spinning == "WebSocket connection is closed.");
  });
}

TEST_CASE("a cancelled close goes on by itself") {
  Event over;
  std::optional<int> code;
  const auto handler = websocket([&](WebSocketResponse& ws) -> Coro<> {
    while (co_await ws.next()) {
    }
    code = ws.close_code();
    over.set();
  });
  with_client(handler, [&](http::ClientSession& session, std::string url) -> Coro<> {
    auto ws = co_await session.ws_connect(url);
    auto closing = create_task(ws.close(4005));
    co_await yield_now();
    closing.cancel();
    const auto outcome = co_await as_outcome(std::move(closing));
    CHECK(outcome.cancelled());
    co_await over.wait();
    CHECK(code == 4005);
    while (!ws.closed()) co_await sleep(1ms);
    CHECK(ws.close_code() == 4005);
  });
}

TEST_CASE("a server that shuts down closes its WebSockets with 1001") {
  with_http_server(websocket(echo), {}, [](http::Server& server) -> Coro<> {
    http::ClientSession session;
    auto ws = co_await session.ws_connect(url_of(server));
    co_await ws.send_str("x");
    const std::string text = co_await ws.receive_str();
    CHECK(text == "x");
    auto stopping = create_task(server.shutdown(1min));
    const WSMessage end = co_await ws.receive();
    CHECK(end.code == 1001);
    const TimePoint before = get_running_loop().time();
    co_await stopping;
    CHECK(get_running_loop().time() - before < 1s);
    co_await session.close();
  });
}

TEST_CASE("a shutdown without patience cuts off who does not close, handler and all") {
  with_http_server(websocket([](WebSocketResponse& ws) -> Coro<> {
                     while (co_await ws.next()) {
                     }
                     co_await sleep(1h);
                   }),
                   {}, [](http::Server& server) -> Coro<> {
                     auto wire = co_await Wire::open(server);
                     wire.send(upgrade);
                     const std::string head = co_await wire.response();
                     const TimePoint before = get_running_loop().time();
                     co_await server.shutdown(5s);
                     CHECK(get_running_loop().time() - before == 5s);
                     CHECK(server.stats().open == 0);
                     wire.writer.close();
                   });
}

TEST_CASE("a WebSocket holds its place at the connector, and closes with the session") {
  with_http_server(websocket(echo), {}, [](http::Server& server) -> Coro<> {
    auto connector = std::make_shared<http::TCPConnector>(http::TCPConnectorOptions{.limit = 1});
    http::ClientSession session({.connector = connector});
    {
      auto ws = co_await session.ws_connect(url_of(server));
      CHECK(connector->acquired() == 1);
      const auto late = co_await as_outcome(wait_for(session.ws_connect(url_of(server)), 1s));
      CHECK(late.error_as<TimeoutError>().has_value());
      const bool closed = co_await ws.close();
      CHECK(closed);
    }
    auto ws = co_await session.ws_connect(url_of(server));
    CHECK(connector->acquired() == 1);
    co_await session.close();
    const WSMessage end = co_await ws.receive();
    CHECK(end.type == WSMsgType::closed);
    CHECK(ws.close_code() == 1006);
    CHECK(connector->acquired() == 0);
  });
}

TEST_CASE("a WebSocket behind a redirect, and by a relative URL") {
  const auto handler = [](Request& asked) -> Coro<Response> {
    if (asked.target() == "/old") {
      co_return Response({.status = 302, .headers = {{"Location", "/new?x=1"}}});
    }
    WebSocketResponse ws;
    co_await ws.prepare(asked);
    co_await ws.send_str(std::string(asked.target()));
    co_return ws;
  };
  with_http_server(handler, {}, [](http::Server& server) -> Coro<> {
    http::ClientSession session(
        {.base_url = http::URL("http://127.0.0.1:" + std::to_string(server.port()))});
    auto ws = co_await session.ws_connect("/old");
    const std::string text = co_await ws.receive_str();
    CHECK(text == "/new?x=1");
    co_await session.close();
  });
}
