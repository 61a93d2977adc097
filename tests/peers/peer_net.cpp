// brio's side in test_net.py, told what to do by words "name=value".
//
//     peer_net echo|lines|http over=tcp|unix [host=…] [path=…]   a server, until SIGTERM
//     peer_net client over=tcp|unix [host=… port=…] [path=…]     standard input there, and back
//     peer_net stdio                                             "lines" on standard input/output
//     peer_net datagrams over=udp|unix [path=…]                  an echo, until SIGTERM
//     peer_net send over=udp|unix [port=…] [path=… from=…] sizes=0,10,…
//
// A path that begins with "@" is an abstract name. A server prints "ready PORT", and a line for the
// end of each connection. "lines" answers each line with its number and itself, but obeys "quit",
// "reset", "peer", "half" (writes no more, and tells how much still came) and "burst N".
#include <brio/core/gather.hpp>
#include <brio/core/runner.hpp>
#include <brio/core/task.hpp>
#include <brio/net/datagram.hpp>
#include <brio/net/streams.hpp>
#include <brio/os/pipes.hpp>
#include <brio/os/signals.hpp>
#include <brio/sync/queue.hpp>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <map>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

using namespace brio;

namespace {

using Words = std::map<std::string, std::string>;

std::string word(const Words& words, const std::string& name, const std::string& fallback = {}) {
  const auto found = words.find(name);
  return found == words.end() ? fallback : found->second;
}

std::string path_of(const Words& words, const std::string& name = "path") {
  std::string path = word(words, name);
  if (path.starts_with('@')) path[0] = '\0';
  return path;
}

void print(const std::string& line) {
  std::puts(line.c_str());
  std::fflush(stdout);
}

// The error's type and text, "none" for null.
std::string told(const std::exception_ptr& error) {
  return error ? type_name(error) + ": " + describe(error) : "none";
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

// ---- what a server does with a connection

Coro<std::size_t> copy(StreamReader from, StreamWriter to) {
  std::size_t count = 0;
  while (true) {
    std::string data = co_await from.read(1 << 16);
    if (data.empty()) co_return count;
    count += data.size();
    to.write(std::move(data));
    co_await to.drain();
  }
}

Coro<> finish(StreamWriter writer) {
  writer.close();
  co_await writer.wait_closed();
}

Coro<> echo(StreamReader reader, StreamWriter writer) {
  const auto count = co_await as_outcome(copy(std::move(reader), writer));
  const auto closed = co_await as_outcome(finish(writer));
  print("end bytes=" + (count ? std::to_string(count.value()) : "?") +
        " error=" + told(count ? closed.error() : count.error()));
}

std::string peer_of(const StreamWriter& writer) {
  const auto name = writer.get_extra_info<net::SocketAddress>("peername");
  if (!name) return "none";
  if (name->family() != AF_UNIX) return name->host();
  const ucred peer = writer.get_extra_info<net::TransportSocket>("socket")->peer_credentials();
  return "pid=" + std::to_string(peer.pid) + " uid=" + std::to_string(peer.uid);
}

// False when the connection is to be closed.
Coro<bool> obey(std::string line, StreamReader reader, StreamWriter writer) {
  if (line == "quit") co_return false;
  if (line == "reset") {
    writer.get_extra_info<net::TransportSocket>("socket")->setsockopt(SOL_SOCKET, SO_LINGER,
                                                                      linger{1, 0});
    writer.transport()->abort();
    co_return false;
  }
  if (line == "half") {
    writer.write_eof();
    print("came " + std::to_string((co_await reader.read()).size()));
    co_return false;
  }
  if (line == "peer") {
    writer.write("peer " + peer_of(writer) + "\n");
  } else if (line.starts_with("burst ")) {
    writer.write(pattern(std::stoul(line.substr(6))));
  } else {
    co_return true;
  }
  co_await writer.drain();
  co_return true;
}

Coro<> answer_lines(StreamReader reader, StreamWriter writer) {
  int number = 0;
  while (auto line = co_await reader.next()) {
    while (!line->empty() && (line->back() == '\n' || line->back() == '\r')) line->pop_back();
    const bool more = co_await obey(*line, reader, writer);
    if (!more) co_return;
    if (*line == "peer" || line->starts_with("burst ")) continue;
    writer.write(std::to_string(++number) + " " + *line + "\n");
    co_await writer.drain();
  }
}

Coro<> lines(StreamReader reader, StreamWriter writer) {
  const auto answered = co_await as_outcome(answer_lines(std::move(reader), writer));
  const auto closed = co_await as_outcome(finish(writer));
  print("end error=" + told(answered ? closed.error() : answered.error()));
}

// ---- just enough HTTP/1.1 for curl

std::size_t number(const std::string& text, int base = 10) {
  std::size_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value, base);
  return value;
}

Coro<std::string> chunked_body(StreamReader reader) {
  std::string body;
  while (true) {
    const std::string line = co_await reader.readline();
    const std::size_t size = number(line, 16);
    body += co_await reader.readexactly(size + 2);
    body.resize(body.size() - 2);
    if (size == 0) co_return body;
  }
}

// Echoes bodies until the client ends. "/close" ends the answer by closing, "/chunked" chunks it.
Coro<> http(StreamReader reader, StreamWriter writer) {
  int requests = 0;
  while (true) {
    std::string target = co_await reader.readline();
    if (target.empty()) break;
    ++requests;
    target = target.substr(target.find(' ') + 1);
    Words fields;
    while (auto line = co_await reader.next()) {
      if (*line == "\r\n") break;
      const std::size_t colon = line->find(": ");
      fields[line->substr(0, colon)] = line->substr(colon + 2, line->size() - colon - 4);
    }
    if (fields.contains("Expect")) writer.write("HTTP/1.1 100 Continue\r\n\r\n");
    std::string body;
    if (fields.contains("Transfer-Encoding")) {
      body = co_await chunked_body(reader);
    } else {
      body = co_await reader.readexactly(number(word(fields, "Content-Length", "0")));
    }
    writer.write("HTTP/1.1 200 OK\r\n");
    if (target.starts_with("/close")) {
      writer.writelines({"Connection: close\r\n\r\n", body});
      break;
    }
    if (target.starts_with("/chunked")) {
      writer.write("Transfer-Encoding: chunked\r\n\r\n");
      for (std::size_t at = 0; at < body.size(); at += 1000) {
        const std::string piece = body.substr(at, 1000);
        char size[20];
        std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
        writer.writelines({size, piece, "\r\n"});
        co_await writer.drain();
      }
      writer.write("0\r\n\r\n");
    } else {
      writer.write("Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    co_await writer.drain();
  }
  co_await finish(writer);
  print("end requests=" + std::to_string(requests));
}

// ---- the sub-commands

Coro<> until_terminated() {
  const Future<> end = create_future();
  add_signal_handler(SIGTERM, [end] {
    if (!end.done()) end.set_result();
  });
  co_await end;
}

Coro<> run_server(Words words, Coro<> (*handler)(StreamReader, StreamWriter)) {
  std::shared_ptr<Server> server;
  int port = 0;
  if (word(words, "over") == "tcp") {
    server = co_await start_server(handler, word(words, "host", "127.0.0.1"), 0);
    port = server->sockets()[0].getsockname().port();
  } else {
    server = co_await start_unix_server(handler, path_of(words));
  }
  print("ready " + std::to_string(port));
  co_await until_terminated();
  server->close();
  server->abort_clients();
  co_await server->wait_closed();
}

struct StandardStreams {
  StreamReader reader;
  std::shared_ptr<Transport> input;  // what the reader reads
  StreamWriter writer;

  Coro<> close() {
    input->close();
    co_await finish(writer);
  }
};

Coro<StandardStreams> standard_streams() {
  StreamReader reader;
  const auto input = std::make_shared<StreamReaderProtocol>(reader);
  auto [source, its] =
      co_await connect_read_pipe([input] { return input; }, os::Descriptor::dup(STDIN_FILENO));
  const StreamReader unused;
  const auto output = std::make_shared<StreamReaderProtocol>(unused);
  auto [transport, protocol] =
      co_await connect_write_pipe([output] { return output; }, os::Descriptor::dup(STDOUT_FILENO));
  co_return StandardStreams{std::move(reader), std::move(source),
                            StreamWriter(std::move(transport), protocol)};
}

// As inetd starts programs: both are one socket.
bool is_a_connection(int fd) {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

Coro<std::size_t> copy_and_end(StreamReader from, StreamWriter to) {
  const std::size_t count = co_await copy(std::move(from), to);
  to.write_eof();
  co_return count;
}

Coro<std::pair<StreamReader, StreamWriter>> connect(Words words) {
  if (word(words, "over") == "unix") co_return co_await open_unix_connection(path_of(words));
  co_return co_await open_connection(word(words, "host", "127.0.0.1"),
                                     std::stoi(word(words, "port")));
}

Coro<> run_client(Words words) {
  auto [reader, writer] = co_await connect(std::move(words));
  StandardStreams ours = co_await standard_streams();
  const auto [sent, received] = co_await gather(
      return_exceptions, copy_and_end(ours.reader, writer), copy_and_end(reader, ours.writer));
  (void)co_await as_outcome(ours.close());
  const auto closed = co_await as_outcome(finish(writer));
  const auto count = [](const Outcome<std::size_t>& outcome) {
    return outcome ? std::to_string(outcome.value()) : "(" + told(outcome.error()) + ")";
  };
  std::fprintf(stderr, "sent=%s received=%s closed=%s\n", count(sent).c_str(),
               count(received).c_str(), told(closed.error()).c_str());
}

Coro<> run_stdio(Words) {
  if (is_a_connection(STDIN_FILENO)) {
    auto [reader, writer] = co_await open_connection(net::Socket::adopt(::dup(STDIN_FILENO)));
    co_await answer_lines(reader, writer);
    co_await finish(writer);
  } else {
    StandardStreams ours = co_await standard_streams();
    co_await answer_lines(ours.reader, ours.writer);
    co_await ours.close();
  }
}

struct Datagrams : DatagramProtocol {
  void connection_made(std::shared_ptr<DatagramTransport> made) override {
    transport = std::move(made);
  }
  void error_received(std::exception_ptr error) override {
    arrived->put_nowait("error " + told(error));
  }
  std::shared_ptr<DatagramTransport> transport;
  std::shared_ptr<Queue<std::string>> arrived = std::make_shared<Queue<std::string>>();
};

struct EchoDatagrams final : Datagrams {
  void datagram_received(std::string_view data, const net::SocketAddress& from) override {
    print("datagram " + std::to_string(data.size()));
    transport->sendto(data, from);
  }
  void error_received(std::exception_ptr error) override { print("error " + told(error)); }
};

struct SentDatagrams final : Datagrams {
  void datagram_received(std::string_view data, const net::SocketAddress&) override {
    arrived->put_nowait(data == pattern(data.size()) ? "reply " + std::to_string(data.size())
                                                     : "something else");
  }
};

DatagramAddress datagram_address(const Words& words, const std::string& name) {
  if (word(words, "over") == "udp")
    return {word(words, "host", "127.0.0.1"), std::stoi(word(words, "port", "0"))};
  return net::SocketAddress::unix_address(path_of(words, name));
}

Coro<> run_datagrams(Words words) {
  const auto [transport, protocol] =
      co_await create_datagram_endpoint([] { return std::make_shared<EchoDatagrams>(); },
                                        {.local_addr = datagram_address(words, "path")});
  const auto name = transport->get_extra_info<net::SocketAddress>("sockname");
  print("ready " + std::to_string(name && name->family() != AF_UNIX ? name->port() : 0));
  co_await until_terminated();
  transport->close();
}

Coro<> run_send(Words words) {
  DatagramOptions options{.remote_addr = datagram_address(words, "path")};
  if (words.contains("from")) options.local_addr = datagram_address(words, "from");
  const auto [transport, protocol] = co_await create_datagram_endpoint(
      [] { return std::make_shared<SentDatagrams>(); }, std::move(options));
  std::string sizes = word(words, "sizes") + ",";
  for (std::size_t comma; (comma = sizes.find(',')) != sizes.npos; sizes.erase(0, comma + 1)) {
    transport->sendto(pattern(std::stoul(sizes)));
    print(co_await protocol->arrived->get());
  }
  transport->close();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    Words words;
    for (int i = 2; i < argc; ++i) {
      const std::string text = argv[i];
      const std::size_t equals = text.find('=');
      words[text.substr(0, equals)] = text.substr(equals + 1);
    }
    const std::string command = argc > 1 ? argv[1] : "";
    if (command == "echo") run(run_server(std::move(words), &echo));
    if (command == "lines") run(run_server(std::move(words), &lines));
    if (command == "http") run(run_server(std::move(words), &http));
    if (command == "client") run(run_client(std::move(words)));
    if (command == "stdio") run(run_stdio(std::move(words)));
    if (command == "datagrams") run(run_datagrams(std::move(words)));
    if (command == "send") run(run_send(std::move(words)));
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
