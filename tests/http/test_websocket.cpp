// WebSockets of our client and our server, with one another and with raw bytes on the other side.
#include "websocket_server_support.hpp"

using namespace brio;
using namespace brio::tests;
using namespace std::chrono_literals;

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
                             upgrade_fields + "\r\n" + frame(8, "");
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
