// Bytes there and back, each compared with what it should be.
#include "../tls/certificates.hpp"
#include "load.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/task.hpp>
#include <brio/net/streams.hpp>
#include <brio/os/pipes.hpp>
#include <brio/os/subprocess.hpp>
#include <brio/tls/context.hpp>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <random>
#include <unistd.h>

namespace brio::load {

namespace {

// Pieces of every size: single bytes, odd ones, and more than any buffer holds.
Coro<> send(const Pattern& pattern, StreamWriter writer, std::uint64_t count) {
  std::mt19937 random(7);
  std::uint64_t sent = 0;
  while (sent < count) {
    const std::size_t wanted = random() % 16 == 0 ? 1 + random() % 64 : 1 + random() % 300'000;
    const std::string_view piece =
        pattern.at(sent, static_cast<std::size_t>(std::min<std::uint64_t>(wanted, count - sent)));
    writer.write(piece);
    sent += piece.size();
    co_await writer.drain();
  }
  if (writer.can_write_eof()) writer.write_eof();
}

Coro<> receive(const Pattern& pattern, StreamReader reader, std::uint64_t count) {
  std::uint64_t received = 0;
  while (received < count) {
    const std::string piece = co_await reader.read(1 << 17);
    require(!piece.empty(), "the stream ended after " + std::to_string(received) + " bytes");
    pattern.check(received, piece);
    received += piece.size();
  }
  require(received == count, "more came than was sent");
}

Coro<> both_ways(StreamReader reader, StreamWriter writer, std::uint64_t count) {
  const Pattern pattern;
  co_await gather(send(pattern, writer, count), receive(pattern, reader, count));
}

Coro<> echo_back(StreamReader reader, StreamWriter writer) {
  while (true) {
    const std::string data = co_await reader.read(1 << 16);
    if (data.empty()) break;
    writer.write(data);
    co_await writer.drain();
  }
  writer.close();
  co_await writer.wait_closed();
}

Coro<> over_sockets(std::string over, std::uint64_t count) {
  ServerOptions serving;
  ConnectionOptions connecting;
  if (over == "tls") {
    const tests::TestCertificate& certificate = tests::localhost_certificate();
    const auto theirs = tls::create_default_context(tls::Role::server);
    theirs->load_cert_chain_pem(certificate.certificate, certificate.key);
    serving.ssl = theirs;
    connecting.ssl =
        tls::create_default_context(tls::Role::client, {.cadata = certificate.certificate});
    connecting.server_hostname = "localhost";
  }
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("brio-load-" + std::to_string(::getpid()));
  std::shared_ptr<Server> server;
  if (over == "unix") {
    std::filesystem::create_directory(folder);
    server = co_await start_unix_server(echo_back, folder / "socket", serving);
  } else {
    server = co_await start_server(echo_back, "127.0.0.1", 0, serving);
  }
  auto opening =
      over == "unix"
          ? open_unix_connection(folder / "socket", connecting)
          : open_connection("127.0.0.1", server->sockets()[0].getsockname().port(), connecting);
  auto [reader, writer] = co_await std::move(opening);
  co_await both_ways(reader, writer, count);
  writer.close();
  co_await writer.wait_closed();
  server->close();
  co_await server->wait_closed();
  std::filesystem::remove_all(folder);
}

// The far end is a process of its own: four pipe transports, two here and two there.
Coro<> over_pipes(std::uint64_t count) {
  const auto child = co_await create_subprocess_exec(
      "/proc/self/exe", {"cat"}, {.stdin = subprocess::PIPE, .stdout = subprocess::PIPE});
  co_await both_ways(child.stdout(), child.stdin(), count);
  child.stdin().close();
  const int status = co_await child.wait();
  require(status == 0, "the pipes' far end ended with " + std::to_string(status));
}

// Copies what a pipe brings to another, at the pace of the slower.
class Copy : public Protocol {
public:
  void connection_made(std::shared_ptr<Transport> transport) override {
    from = std::move(transport);
    from->pause_reading();  // until there is somewhere to put it
  }
  void data_received(std::string_view data) override { to->write(data); }
  bool eof_received() override {
    to->close();
    return false;
  }
  void connection_lost(std::exception_ptr) override { from = nullptr; }
  std::shared_ptr<Transport> from;
  std::shared_ptr<Transport> to;
};

class Sink : public Protocol {
public:
  explicit Sink(std::shared_ptr<Copy> copy) : copy_(std::move(copy)) {}
  void pause_writing() override {
    if (copy_->from) copy_->from->pause_reading();
  }
  void resume_writing() override {
    if (copy_->from) copy_->from->resume_reading();
  }
  void connection_lost(std::exception_ptr) override { ended.set_result(); }
  Future<> ended = create_future();

private:
  std::shared_ptr<Copy> copy_;
};

}  // namespace

Coro<> cat(Arguments /*arguments*/) {
  const auto copy = std::make_shared<Copy>();
  const auto sink = std::make_shared<Sink>(copy);
  co_await connect_read_pipe([copy] { return copy; }, os::Descriptor::adopt(::dup(STDIN_FILENO)));
  auto [to, protocol] = co_await connect_write_pipe([sink] { return sink; },
                                                    os::Descriptor::adopt(::dup(STDOUT_FILENO)));
  copy->to = to;
  copy->from->resume_reading();
  co_await sink->ended;
}

Coro<> echo(Arguments arguments) {
  const std::string over = arguments.text("--over", "tcp");
  const std::uint64_t count = arguments.number("--bytes", std::uint64_t{1} << 30);
  const auto from = std::chrono::steady_clock::now();
  if (over == "pipes")
    co_await over_pipes(count);
  else
    co_await over_sockets(over, count);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - from;
  std::printf("%.0f MiB there and back over %s, %s: right, in %.1f s\n",
              static_cast<double>(count) / (1 << 20), over.c_str(),
              get_running_loop().engine().name(), took.count());
}

}  // namespace brio::load
