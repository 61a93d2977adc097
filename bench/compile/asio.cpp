// Hello-world as a user of Asio begins: the umbrella that its documentation includes.
#include <boost/asio.hpp>

#include <cstdio>

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> hello() {
  asio::steady_timer timer(co_await asio::this_coro::executor, 1ms);
  co_await timer.async_wait(asio::use_awaitable);
  std::puts("hello");
}

int main() {
  asio::io_context context;
  asio::co_spawn(context, hello(), asio::detached);
  context.run();
}
