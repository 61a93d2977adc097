#include "support.hpp"

#include <brio/net/sendfile.hpp>

#include <cstdio>
#include <unistd.h>

using namespace brio;
using brio::tests::always;
using brio::tests::RecordingProtocol;
using brio::tests::ticks;
using brio::tests::Trace;

namespace {

// A temporary file with `content`, gone with this object.
class TemporaryFile {
public:
  explicit TemporaryFile(const std::string& content) : file_(std::tmpfile()) {
    REQUIRE(file_ != nullptr);
    REQUIRE(std::fwrite(content.data(), 1, content.size(), file_) == content.size());
    REQUIRE(std::fflush(file_) == 0);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() { std::fclose(file_); }
  [[nodiscard]] int fileno() const { return ::fileno(file_); }
  [[nodiscard]] std::size_t tell() const {
    return static_cast<std::size_t>(::lseek(fileno(), 0, SEEK_CUR));
  }

private:
  std::FILE* file_;
};

Coro<std::string> read_to_end(net::Socket& socket) {
  std::string all;
  for (;;) {
    const std::string piece = co_await sock_recv(socket, 1 << 16);
    if (piece.empty()) co_return all;
    all += piece;
  }
}

std::string numbered(std::size_t size) {
  std::string content;
  for (int i = 0; content.size() < std::min<std::size_t>(size, 100'000); ++i) {
    content += std::to_string(i) + ";";
  }
  // The rest repeats it at an odd distance, so that no piece can stand for another unnoticed.
  content.resize(std::min<std::size_t>(content.size(), 99'991));
  while (content.size() < size) content += content.substr(0, size - content.size());
  content.resize(size);
  return content;
}

// A transport for which the kernel can do nothing: TLS is one.
class Wrapper final : public Transport {
public:
  explicit Wrapper(std::shared_ptr<Transport> t) : inner_(std::move(t)) {}
  void close() override { inner_->close(); }
  [[nodiscard]] bool is_closing() const noexcept override { return inner_->is_closing(); }
  void abort() override { inner_->abort(); }
  [[nodiscard]] std::any get_extra_info(std::string_view n) const override {
    return inner_->get_extra_info(n);
  }
  [[nodiscard]] EventLoop& get_loop() const noexcept override { return inner_->get_loop(); }
  void abandon() noexcept override {}
  [[nodiscard]] bool is_reading() const noexcept override { return inner_->is_reading(); }
  void pause_reading() override { inner_->pause_reading(); }
  void resume_reading() override { inner_->resume_reading(); }
  void writelines(std::span<const std::string_view> p) override { inner_->writelines(p); }
  void write_eof() override { inner_->write_eof(); }
  [[nodiscard]] bool can_write_eof() const noexcept override { return false; }
  void set_write_buffer_limits(WriteBufferLimitsOptions o) override {
    inner_->set_write_buffer_limits(o);
  }
  [[nodiscard]] WriteBufferLimits get_write_buffer_limits() const noexcept override {
    return inner_->get_write_buffer_limits();
  }
  [[nodiscard]] std::size_t get_write_buffer_size() const noexcept override {
    return inner_->get_write_buffer_size();
  }
  void set_protocol(std::shared_ptr<Protocol> p) override { inner_->set_protocol(std::move(p)); }
  [[nodiscard]] std::shared_ptr<Protocol> get_protocol() const override {
    return inner_->get_protocol();
  }
  void force_close(std::exception_ptr e) override { inner_->force_close(std::move(e)); }

private:
  void write_bytes(std::string_view data, std::string*) override { inner_->write(data); }
  std::shared_ptr<Transport> inner_;
};

}  // namespace

TEST_CASE("sendfile: whole, in part, between writes, on a closing transport (scenario 720)") {
  Trace ev;
  const std::string content = numbered(256000);
  std::string got;
  run([&]() -> Coro<> {
    Trace quiet;
    auto [a, b] = net::Socket::pair();
    auto [t, p] = co_await create_connection(always(std::make_shared<RecordingProtocol>(quiet)),
                                             std::move(b));
    auto collecting = create_task(read_to_end(a));
    const TemporaryFile file(content);
    t->write("before");
    const auto whole = co_await sendfile(t, file.fileno());
    ev("sent", whole, file.tell());
    t->write("between");
    const auto part = co_await sendfile(t, file.fileno(), {.offset = 500, .count = 1000});
    ev("sent", part, file.tell());
    t->close();
    ev("closing", (co_await as_outcome(sendfile(t, file.fileno()))).error());
    got = co_await collecting;
  });
  CHECK(ev.str() == "sent 256000 256000\nsent 1000 1500\nclosing RuntimeError\n");
  CHECK((got == "before" + content + "between" + content.substr(500, 1000)));
}

TEST_CASE("sendfile: writes are barred meanwhile, reading is paused, and both come back") {
  Trace ev;
  run([&]() -> Coro<> {
    Trace quiet;
    auto [a, b] = net::Socket::pair();
    auto p = std::make_shared<RecordingProtocol>(quiet);
    auto [t, q] = co_await create_connection(always(p), std::move(b));
    const TemporaryFile file(numbered(5'000'000));
    auto sending = create_task(sendfile(t, file.fileno()));
    co_await ticks(3);
    ev("reading", t->is_reading());
    try {
      t->write("x");
    } catch (const RuntimeError& error) {
      ev(error.what());
    }
    ev("second", (co_await as_outcome(sendfile(t, file.fileno()))).error());
    std::size_t got = 0;
    while (!sending.done()) got += (co_await sock_recv(a, 1 << 16)).size();
    while (got < 5'000'000) got += (co_await sock_recv(a, 1 << 16)).size();
    ev("sent", co_await sending, file.tell(), got);
    ev("reading", t->is_reading());
    t->write("after");
    ev(co_await sock_recv(a, 100));
    t->close();
    co_await p->lost;
  });
  CHECK(ev.str() ==
        "reading False\nunable to write; sendfile is in progress\nsecond RuntimeError\n"
        "sent 5000000 5000000 5000000\nreading True\nb'after'\n");
}

TEST_CASE("sendfile: cancelled in the middle, the file's position tells how far it got") {
  Trace ev;
  std::size_t position = 0;
  std::size_t got = 0;
  run([&]() -> Coro<> {
    Trace quiet;
    auto [a, b] = net::Socket::pair();
    auto [t, p] = co_await create_connection(always(std::make_shared<RecordingProtocol>(quiet)),
                                             std::move(b));
    const TemporaryFile file(numbered(5'000'000));
    auto sending = create_task(sendfile(t, file.fileno()));
    co_await ticks(3);
    sending.cancel();
    ev((co_await as_outcome(AnyFuture(sending))).error());
    position = file.tell();
    // The transport goes on.
    t->write("!");
    t->close();
    const std::string all = co_await read_to_end(a);
    got = all.size();
    ev(all.back() == '!');
  });
  CHECK(ev.str() == "CancelledError\nTrue\n");
  CHECK(position > 0);
  CHECK(got == position + 1);
}

TEST_CASE("sendfile: the transport is closed or aborted in the middle") {
  for (const bool abort : {false, true}) {
    CAPTURE(abort);
    Trace ev;
    run([&]() -> Coro<> {
      auto [a, b] = net::Socket::pair();
      auto p = std::make_shared<RecordingProtocol>(ev);
      auto [t, q] = co_await create_connection(always(p), std::move(b));
      const TemporaryFile file(numbered(5'000'000));
      auto sending = create_task(sendfile(t, file.fileno()));
      co_await ticks(3);
      if (abort) {
        t->abort();
      } else {
        t->close();
      }
      ev("sendfile", (co_await as_outcome(AnyFuture(sending))).error());
    });
    CHECK(ev.str() == "made\nlost none\nsendfile ConnectionAbortedError\n");
  }
}

TEST_CASE("sendfile: the peer resets in the middle") {
  Trace ev;
  run([&]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    auto p = std::make_shared<RecordingProtocol>(ev);
    auto [t, q] = co_await create_connection(always(p), std::move(b));
    const TemporaryFile file(numbered(5'000'000));
    auto sending = create_task(sendfile(t, file.fileno()));
    co_await ticks(3);
    a.close();
    ev("sendfile", (co_await as_outcome(AnyFuture(sending))).error());
    t->abort();
    co_await p->lost;
  });
  CHECK(ev.str() == "made\nsendfile BrokenPipeError\nlost none\n");
}

TEST_CASE("sendfile: where the kernel cannot, pieces are read and written, or it is refused") {
  Trace ev;
  const std::string content = numbered(2'000'000);
  std::string got;
  run([&]() -> Coro<> {
    Trace quiet;
    auto [a, b] = net::Socket::pair();
    auto p = std::make_shared<RecordingProtocol>(quiet);
    auto [inner, q] = co_await create_connection(always(p), std::move(b));
    const auto t = std::make_shared<Wrapper>(inner);
    const TemporaryFile file(content);
    ev((co_await as_outcome(sendfile(t, file.fileno(), {.fallback = false}))).error());
    auto collecting = create_task(read_to_end(a));
    t->write("<");
    ev("sent", co_await sendfile(t, file.fileno()), file.tell());
    ev("sent", co_await sendfile(t, file.fileno(), {.offset = 10, .count = 300'000}), file.tell());
    t->write(">");
    ev("back", t->get_protocol() == p, t->is_reading());
    t->close();
    got = co_await collecting;
    co_await p->lost;
    // Flow control reached the protocol in pairs only.
    const std::string heard = quiet.str();
    std::size_t pauses = 0;
    std::size_t resumes = 0;
    for (std::size_t at = 0; (at = heard.find("pause", at)) != heard.npos; ++at) ++pauses;
    for (std::size_t at = 0; (at = heard.find("resume", at)) != heard.npos; ++at) ++resumes;
    ev("paired", pauses == resumes);
  });
  CHECK(ev.str() ==
        "SendfileNotAvailableError\nsent 2000000 2000000\nsent 300000 300010\nback True True\n"
        "paired True\n");
  CHECK((got == "<" + content + content.substr(10, 300'000) + ">"));
}

TEST_CASE("sendfile: the connection is lost while pieces are written") {
  Trace ev;
  std::exception_ptr error;
  int times_lost = 0;
  run([&]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    auto p = std::make_shared<RecordingProtocol>(ev);
    auto [inner, q] = co_await create_connection(always(p), std::move(b));
    const auto t = std::make_shared<Wrapper>(inner);
    const TemporaryFile file(numbered(3'000'000));
    auto sending = create_task(sendfile(t, file.fileno()));
    co_await tests::until(
        [&, &transport = inner] { return transport->get_write_buffer_size() > 0; });
    a.close();
    error = (co_await as_outcome(AnyFuture(sending))).error();
    co_await p->lost;
    times_lost = p->times_lost;
  });
  // Whichever notices first: the piece on its way, or the next one.
  CHECK_THROWS_AS(std::rethrow_exception(error), ConnectionError);
  CHECK(times_lost == 1);
}

TEST_CASE("sock_sendfile: over a plain socket, and what it refuses") {
  Trace ev;
  const std::string content = numbered(1'000'000);
  std::string got;
  run([&]() -> Coro<> {
    auto [a, b] = net::Socket::pair();
    const TemporaryFile file(content);
    auto collecting = create_task(read_to_end(a));
    ev("sent", co_await sock_sendfile(b, file.fileno()), file.tell());
    ev("sent", co_await sock_sendfile(b, file.fileno(), {.offset = 999'999}), file.tell());
    ev("end", co_await sock_sendfile(b, file.fileno(), {.offset = 1'000'000}));
    ev((co_await as_outcome(sock_sendfile(b, file.fileno(), {.count = 0}))).error());
    ev((co_await as_outcome(sock_sendfile(b, a.fileno()))).error());
    b.close();
    got = co_await collecting;
    auto [c, d] = net::Socket::pair(SOCK_DGRAM);
    ev((co_await as_outcome(sock_sendfile(d, file.fileno()))).error());
  });
  CHECK(ev.str() ==
        "sent 1000000 1000000\nsent 1 1000000\nend 0\nValueError\nValueError\nValueError\n");
  CHECK((got == content + content.back()));
}
