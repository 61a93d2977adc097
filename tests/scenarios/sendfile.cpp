// 720: sendfile.
#include "scenario.hpp"

#include <brio/net/connection.hpp>
#include <brio/net/sendfile.hpp>
#include <brio/net/sock.hpp>

#include <cstdio>
#include <memory>
#include <unistd.h>

namespace s720 {
struct Close {
  void operator()(std::FILE* file) const noexcept { (void)std::fclose(file); }
};
Coro<> collect(const Sock& a, std::string& got) {
  while (true) {
    const std::string data = co_await sock_recv(a, 1 << 16);
    if (data.empty()) break;
    got += data;
  }
}
Coro<> main() {
  auto [a, b] = pair();
  const auto [t, p] = co_await create_connection(std::make_shared<Protocol>, std::move(b));
  std::string got;
  const Task<> c = create_task(collect(a, got));
  std::string every;
  for (int i = 0; i < 256; ++i) every += static_cast<char>(i);
  {
    const std::unique_ptr<std::FILE, Close> file(std::tmpfile());
    const int f = ::fileno(file.get());
    for (int i = 0; i < 1000; ++i)
      if (::write(f, every.data(), every.size()) != 256) co_return;
    t->write("before");
    std::uint64_t sent = co_await sendfile(t, f);
    ev("sent", sent, ::lseek(f, 0, SEEK_CUR));
    t->write("between");
    sent = co_await sendfile(t, f, {.offset = 500, .count = 1000});
    ev("sent", sent, ::lseek(f, 0, SEEK_CUR));
    t->close();
    co_await caught(sendfile(t, f), "closing");
  }
  co_await c;
  std::string part;
  for (int i = 0; i < 8; ++i) part += every;
  ev(got.size(), bytes(got.substr(0, 6)), bytes(got.substr(256006, 7)),
     got.substr(256013) == part.substr(500, 1000));
}
}  // namespace s720
SCENARIO(720_sendfile) { go(s720::main); }
