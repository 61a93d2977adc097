// WebSockets that are slow, cancelled or shut down.
#include "websocket_server_support.hpp"

using namespace brio;
using namespace brio::tests;
using namespace std::chrono_literals;

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
