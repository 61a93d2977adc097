// 60x, 62x, 630, 914: streams.
#include "files.hpp"
#include "scenario.hpp"

#include <brio/net/streams.hpp>

namespace {
int port_of(const Server& server) { return server.sockets().at(0).getsockname().port(); }
}  // namespace

namespace s603 {
Coro<> attempt(StreamReader r, std::string sep) {
  try {
    ev("read", bytes(co_await r.readuntil(sep)));
  } catch (const LimitOverrunError& e) {
    ev(nm(e), e.consumed());
  } catch (const IncompleteReadError& e) {
    ev(nm(e), bytes(e.partial()), e.expected());
  }
}
Coro<> main() {
  const StreamReader r(8);
  const Task<> t = create_task(attempt(r, "\r\n"));
  for (const char* piece : {"abc\r", "\ndef"}) {
    co_await ticks(2);
    r.feed_data(piece);
  }
  co_await t;
  r.feed_data("ghijklmnop");
  co_await attempt(r, "\r\n");
  r.feed_data("\r\n");
  co_await attempt(r, "\r\n");
  const std::string there = co_await r.readexactly(13);
  ev("still there", bytes(there), bytes(co_await r.readexactly(2)));
  r.feed_data("xy\r");
  r.feed_eof();
  co_await attempt(r, "\r\n");
  co_await caught(bytes_of(r.readuntil("")), "empty separator");
}
}  // namespace s603
SCENARIO(603_reader_until_limit) { go(s603::main); }

namespace s605 {
class Link : public ReadTransport {
public:
  [[nodiscard]] bool is_reading() const noexcept override { return true; }
  void pause_reading() override { ev("pause"); }
  void resume_reading() override { ev("resume"); }
};
Coro<> main() {
  const StreamReader r(4);
  r.set_transport(std::make_shared<Link>());
  r.feed_data("12345678");
  ev("eight");
  r.feed_data("9");
  r.feed_data("0");
  ev("ten");
  ev(bytes(co_await r.read(3)));
  ev(bytes(co_await r.read(3)));
  r.feed_data("abcdef");
  const auto t = create_task(r.readexactly(12));
  co_await ticks(1);
  ev("waiting");
  r.feed_data("gh");
  ev(bytes(co_await t));
}
}  // namespace s605
SCENARIO(605_reader_backpressure) { go(s605::main); }

namespace s606 {
Coro<> main() {
  const StreamReader r;
  ev(bytes(co_await r.read(0)));
  r.feed_data("abcdef");
  ev(bytes(co_await r.read(100)));
  auto t = create_task(r.read(4));
  co_await ticks(1);
  r.feed_data("ghijkl");
  ev(bytes(co_await t));
  t = create_task(r.read());
  co_await ticks(2);
  r.feed_data("mn");
  co_await ticks(2);
  ev(st(t));
  r.feed_eof();
  const std::string rest = co_await t;
  ev(bytes(rest), bytes(co_await r.read(5)));
}
}  // namespace s606
SCENARIO(606_reader_read) { go(s606::main); }

namespace s607 {
Coro<> main() {
  const StreamReader r;
  const auto a = create_task(bytes_of(r.readline()));
  co_await ticks(1);
  co_await caught(bytes_of(r.read(1)), "second");
  r.feed_data("for a\n");
  co_await caught(a, "first");
  const auto b = create_task(bytes_of(r.readline()));
  co_await ticks(1);
  b.cancel();
  co_await caught(b, "cancelled");
  r.feed_data("for c\n");
  co_await caught(bytes_of(r.readline()), "third");
}
}  // namespace s607
SCENARIO(607_reader_two_readers) { go(s607::main); }

namespace s608 {
Coro<> main() {
  const StreamReader r;
  const auto t = create_task(bytes_of(r.readexactly(10)));
  co_await ticks(1);
  r.feed_data("abc");
  co_await ticks(2);
  r.set_exception(Boom("link"));
  co_await caught(t);
  co_await caught(bytes_of(r.read(1)));
  co_await caught(bytes_of(r.readline()));
  ev(nm(r.exception()));
}
}  // namespace s608
SCENARIO(608_reader_exception) { go(s608::main); }

namespace s622 {
Coro<> handler(StreamReader r, StreamWriter w) {
  ev("server got", bytes(co_await r.read()));
  co_await sleep(U);
  w.write(std::string(300000, 'z'));
  w.close();
}
Coro<> main() {
  const auto server = co_await start_server(handler, "127.0.0.1", 0);
  const auto [r, w] = co_await open_connection("127.0.0.1", port_of(*server));
  w.write("request");
  ev("can", w.can_write_eof());
  w.write_eof();
  const std::string got = co_await r.read();
  ev("client got", got.size(), r.at_eof());
  w.close();
  co_await w.wait_closed();
  server->close();
}
}  // namespace s622
SCENARIO(622_half_close) { go(s622::main); }

namespace s624 {
Coro<> handler(StreamReader r, StreamWriter w) {
  co_await r.read();
  w.close();
}
Coro<> main() {
  const auto server = co_await start_server(handler, "127.0.0.1", 0);
  const auto [r, w] = co_await open_connection("127.0.0.1", port_of(*server));
  ev(w.is_closing());
  w.close();
  ev(w.is_closing());
  co_await w.wait_closed();
  w.close();
  co_await w.wait_closed();
  w.write("ignored");
  co_await caught(w.drain(), "drain");
  server->close();
}
}  // namespace s624
SCENARIO(624_writer_close) { go(s624::main); }

namespace s625 {
Coro<> handler(StreamReader r, StreamWriter w) {
  co_await r.read(1);
  auto sock = w.get_extra_info<net::TransportSocket>("socket");
  sock->setsockopt(SOL_SOCKET, SO_LINGER, linger{1, 0});
  w.transport()->abort();
}
Coro<> main() {
  const auto server = co_await start_server(handler, "127.0.0.1", 0);
  const auto [r, w] = co_await open_connection("127.0.0.1", port_of(*server));
  w.write("x");
  co_await caught(bytes_of(r.read(100)), "read");
  co_await caught(w.drain(), "drain");
  w.close();
  co_await caught(w.wait_closed(), "closed");
  server->close();
}
}  // namespace s625
SCENARIO(625_connection_reset) { go(s625::main); }

namespace s627 {
Coro<> handler(StreamReader r, StreamWriter w) {
  while (true) {
    const std::string line = co_await r.readline();
    if (line.empty()) break;
    w.write(line);
  }
  w.close();
}
Coro<> main() {
  const auto server = co_await start_server(handler, "127.0.0.1", 0);
  const int port = port_of(*server);
  const auto [r, w] = co_await open_connection("127.0.0.1", port);
  w.write("hello\n");
  ev(bytes(co_await r.readline()));
  server->close();
  const Task<> t = create_task(server->wait_closed());
  co_await sleep(U);
  ev("waiting", st(t), "sockets", server->sockets().size());
  co_await caught(no_value(open_connection("127.0.0.1", port)), "new");
  w.write("still\n");
  ev(bytes(co_await r.readline()));
  w.close();
  co_await caught(t, "closed");
}
}  // namespace s627
SCENARIO(627_server_wait_closed) { go(s627::main); }

namespace s630 {
Coro<> handler(StreamReader r, StreamWriter w) {
  std::string line = co_await r.readline();
  for (char& c : line)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  w.write(std::move(line));
  w.close();
}
Coro<> main() {
  const TemporaryDirectory d;
  const std::string path = d / "s";
  const auto server = co_await start_unix_server(handler, path);
  ev("path", std::filesystem::exists(path));
  const auto [r, w] = co_await open_unix_connection(path);
  w.write("hello\n");
  ev(bytes(co_await r.read()));
  w.close();
  co_await w.wait_closed();
  server->close();
  co_await server->wait_closed();
  ev("path", std::filesystem::exists(path));
  co_await caught(no_value(open_unix_connection(path)), "no server");
}
}  // namespace s630
SCENARIO(630_unix_stream) { go(s630::main); }

namespace s914 {
ContextVar<std::string> var("var", "unset");
Coro<> handler(StreamReader, StreamWriter w) {
  const std::string seen = var.get();
  var.set("changed by handler");
  w.write(seen);
  w.close();
  co_return;
}
Coro<> main() {
  var.set("server made here");
  const auto server = co_await start_server(handler, "127.0.0.1", 0);
  var.set("later");
  for (int i = 0; i < 2; ++i) {
    const auto [r, w] = co_await open_connection("127.0.0.1", port_of(*server));
    ev(co_await r.read());
    w.close();
  }
  ev(var.get());
  server->close();
}
}  // namespace s914
SCENARIO(914_context_of_server) { go(s914::main); }
