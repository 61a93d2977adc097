// 717: datagrams.
#include "scenario.hpp"

#include <brio/net/datagram.hpp>

namespace s717 {
class P : public DatagramProtocol {
public:
  explicit P(std::string name) : name_(std::move(name)) {}
  void connection_made(std::shared_ptr<DatagramTransport> t) override { t_ = t; }
  void datagram_received(std::string_view data, const net::SocketAddress& addr) override {
    ev(name_, bytes(data));
    if (name_ == "server" && !data.empty()) {
      const std::string reversed(data.rbegin(), data.rend());
      t_->sendto(reversed, addr);
    }
  }
  void connection_lost(std::exception_ptr exc) override {
    ev(name_, "lost", nm(exc));
    t_ = nullptr;  // each holds the other
  }

private:
  std::string name_;
  std::shared_ptr<DatagramTransport> t_;
};
Coro<> main() {
  const auto [s, p] =
      co_await create_datagram_endpoint([] { return std::make_shared<P>("server"); },
                                        {.local_addr = DatagramAddress("127.0.0.1", 0)});
  const auto [c, q] = co_await create_datagram_endpoint(
      [] { return std::make_shared<P>("client"); },
      {.remote_addr = DatagramAddress(*s->get_extra_info<net::SocketAddress>("sockname"))});
  for (const char* msg : {"abc", "", "defg"}) {
    c->sendto(msg);
    co_await sleep(U);
  }
  try {
    c->sendto("x", net::SocketAddress::ip("127.0.0.1", 9));
  } catch (const ValueError& e) {
    ev("other address", nm(e));
  }
  c->close();
  co_await sleep(U);
  s->close();
  co_await sleep(U);
}
}  // namespace s717
SCENARIO(717_datagrams) { go(s717::main); }
