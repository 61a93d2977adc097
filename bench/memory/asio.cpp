// A hundred thousand coroutines that sleep, in Asio.
#include "meter.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace asio = boost::asio;

namespace {

asio::awaitable<void> sleeper() {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::hours(1));
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> measure(asio::io_context& context) {
  const bench::MemoryMeter meter;
  for (std::size_t i = 0; i < bench::sleepers; ++i)
    asio::co_spawn(context, sleeper(), asio::detached);
  co_await asio::post(context, asio::use_awaitable);
  meter.report();
  context.stop();
}

}  // namespace

int main() {
  asio::io_context context(1);
  asio::co_spawn(context, measure(context), asio::detached);
  context.run();
}
