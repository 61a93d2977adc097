// A WebSocket echo server, and a client that echoes what a conformance suite's server sends
// (Autobahn|Testsuite's "fuzzingserver", or anything that speaks as it does).
//
//     brio_peer_websocket server HOST PORT          PORT 0: any; it is printed
//     brio_peer_websocket echo URL                  echoes until the server closes
//     brio_peer_websocket suite ws://HOST:PORT      runs every case of a suite
#include <brio/brio.hpp>
#include <brio/http/client.hpp>
#include <brio/http/server.hpp>
#include <brio/http/server_websocket.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace brio;
using http::WSMsgType;

namespace {

constexpr std::uint64_t largest_message = std::uint64_t(32) << 20;

Coro<> echo_all(http::WebSocket& ws) {
  while (auto message = co_await ws.next()) {
    if (message->type == WSMsgType::text) co_await ws.send_str(message->data);
    if (message->type == WSMsgType::binary) co_await ws.send_bytes(message->data);
  }
}

Coro<http::Response> answer(http::Request& request) {
  // An echo has no secrets, so any page may connect.
  http::WebSocketResponse ws(
      {.protocols = {"echo", "chat"}, .max_msg_size = largest_message, .origins = {"*"}});
  co_await ws.prepare(request);
  const auto outcome = co_await as_outcome(echo_all(ws));
  // A client that goes away in the middle is nothing to report.
  if (!outcome.error_as<ConnectionError>()) outcome.raise();
  co_return ws;
}

Coro<> serve(std::string host, int port) {
  http::Server server(answer);
  co_await server.listen(host, port);
  std::printf("%d\n", server.port());
  std::fflush(stdout);
  co_await server.serve_forever();
}

http::WSConnectOptions client_options() {
  return {.compress = http::WSDeflateOptions{}, .max_msg_size = largest_message};
}

Coro<> echo_on(const http::ClientSession& session, std::string url) {
  auto ws = co_await session.ws_connect(url, client_options());
  const auto outcome = co_await as_outcome(echo_all(ws));
  if (!outcome.error_as<ConnectionError>()) outcome.raise();
  co_await ws.close();
  std::printf("%d\n", ws.close_code().value_or(0));
}

Coro<> echo(std::string url) {
  const http::ClientSession session;
  co_await echo_on(session, std::move(url));
  co_await session.close();
}

Coro<> run_suite(std::string url) {
  const http::ClientSession session;
  std::string count;
  {
    auto ws = co_await session.ws_connect(url + "/getCaseCount");
    count = co_await ws.receive_str();
    co_await ws.close();
  }
  std::printf("%s cases\n", count.c_str());
  for (int number = 1; number <= std::stoi(count); ++number) {
    std::string target = url;
    target += "/runCase?case=" + std::to_string(number) + "&agent=brio";
    const auto outcome = co_await as_outcome(echo_on(session, target));
    if (!outcome.has_value()) {
      std::printf("case %d: %s\n", number, describe(outcome.error()).c_str());
    }
  }
  auto ws = co_await session.ws_connect(url + "/updateReports?agent=brio");
  co_await ws.close();
  co_await session.close();
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "server" && argc == 4) {
    run(serve(argv[2], std::atoi(argv[3])));
  } else if (mode == "echo" && argc == 3) {
    run(echo(argv[2]));
  } else if (mode == "suite" && argc == 3) {
    run(run_suite(argv[2]));
  } else {
    std::fputs("usage: peer_websocket server HOST PORT | echo URL | suite URL\n", stderr);
    return 2;
  }
}
