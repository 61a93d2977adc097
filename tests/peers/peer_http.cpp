// The HTTP server that test_http.py sends other people's clients to: peer_http [SOCKET]. Prints its
// port, or serves a Unix socket, until it is told to stop.
#include <brio/core/sleep.hpp>
#include <brio/http/router.hpp>
#include <brio/http/server.hpp>
#include <brio/os/workers.hpp>

#include <cstdio>
#include <string>

using namespace brio;
using http::Request;
using http::Response;

namespace {

// What came, in the order in which it came, with its method and the fields that matter.
Coro<Response> echo(Request& request) {
  std::string body = co_await request.read();
  Response response(std::move(body), {.content_type = request.content_type()});
  response.headers().set("X-Method", request.method());
  response.headers().set("X-Path", request.raw_path());
  response.headers().set("X-Query", request.query_string());
  response.headers().set("X-Version", request.version().minor == 0 ? "1.0" : "1.1");
  co_return response;
}

// A body of any size, back as it comes.
Coro<Response> stream(Request& request) {
  http::StreamResponse answer;
  co_await answer.prepare(request);
  while (true) {
    const std::string part = co_await request.read_some();
    if (part.empty()) break;
    co_await answer.write(part);
  }
  co_return answer;
}

Coro<Response> refuse(Request&) { throw http::HTTPException(403, "no body, please"); }

Coro<Response> slow(Request& request) {
  co_await sleep(std::chrono::milliseconds(std::stoi(request.query("ms").value_or("10"))));
  co_return "slow\n";
}

Coro<> serve(Worker& worker, std::string path) {
  http::Router router;
  router.add_route("*", "/echo", echo);
  router.add_route("*", "/echo/{rest:*}", echo);
  router.add_post("/stream", stream);
  router.add_post("/refuse", refuse);
  router.add_get("/slow", slow);
  http::Server server(router.handler(), {.client_max_size = std::size_t(64) << 20});
  if (path.empty()) {
    co_await server.listen("127.0.0.1", 0);
  } else {
    co_await server.listen_unix(path);
  }
  std::printf("%d\n", server.port());
  std::fflush(stdout);
  co_await worker.stopped();
  co_await server.shutdown(std::chrono::seconds(10));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "";
  run_workers(1, [&path](Worker& worker) { return serve(worker, path); });
}
