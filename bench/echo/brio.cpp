// The echo server in brio: `brio callbacks` or `brio streams`, on the engine that BRIO_LOOP names.
// Prints its port and serves until it is killed.
#include <brio/brio.hpp>

#include <cstdio>
#include <string_view>

using namespace brio;

namespace {

class Echo : public Protocol {
public:
  void connection_made(std::shared_ptr<Transport> transport) override {
    transport_ = std::move(transport);
  }
  void data_received(std::string_view data) override { transport_->write(data); }
  void connection_lost(std::exception_ptr) override { transport_ = nullptr; }

private:
  std::shared_ptr<Transport> transport_;
};

Coro<> echo(StreamReader reader, StreamWriter writer) {
  while (true) {
    const std::string data = co_await reader.read(65536);
    if (data.empty()) break;
    writer.write(data);
    co_await writer.drain();
  }
  writer.close();
}

Coro<> serve(bool streams) {
  const ServerOptions options{.backlog = 4096};
  std::shared_ptr<Server> server;
  if (streams)
    server = co_await start_server(echo, "127.0.0.1", 0, options);
  else
    server =
        co_await create_server([] { return std::make_shared<Echo>(); }, "127.0.0.1", 0, options);
  std::printf("%d\n", server->sockets()[0].getsockname().port());
  std::fflush(stdout);
  co_await server->serve_forever();
}

}  // namespace

int main(int argc, char** argv) { run(serve(argc > 1 && argv[1] == std::string_view("streams"))); }
