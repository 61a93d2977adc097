#include <brio/engine/loops.hpp>

#include <brio/engine/epoll.hpp>
#include <brio/engine/io_uring.hpp>

#include <atomic>
#include <cstdlib>
#include <string>
#include <string_view>

namespace brio {

namespace {

std::unique_ptr<Engine> epoll() { return std::make_unique<engine::EpollEngine>(); }

void say_once(const std::string& missing) {
  static std::atomic<bool> said{false};
  if (detail::debug_here() && !said.exchange(true))
    log(LogLevel::warning, "brio", "io_uring cannot be used, epoll it is: " + missing);
}

std::unique_ptr<Engine> io_uring_or_epoll() {
  std::string missing = engine::io_uring_missing();
  if (missing.empty()) {
    try {
      return std::make_unique<engine::UringEngine>();
    } catch (const OSError& error) {
      missing = error.what();  // forbidden since it was asked, or a limit is reached
    }
  }
  say_once(missing);
  return epoll();
}

}  // namespace

LoopPtr SelectorEventLoop() { return new_event_loop(epoll()); }
LoopPtr ProactorEventLoop() { return new_event_loop(io_uring_or_epoll()); }

SelectorEventLoopPolicy::~SelectorEventLoopPolicy() = default;
std::unique_ptr<Engine> SelectorEventLoopPolicy::new_engine() { return epoll(); }
ProactorEventLoopPolicy::~ProactorEventLoopPolicy() = default;
std::unique_ptr<Engine> ProactorEventLoopPolicy::new_engine() { return io_uring_or_epoll(); }

std::unique_ptr<Engine> detail::make_default_engine() {
  const char* const value = std::getenv("BRIO_LOOP");
  const std::string_view wanted = value ? value : "";
  if (wanted == "io_uring") return io_uring_or_epoll();
  if (wanted.empty() || wanted == "epoll") return epoll();
  throw ValueError("BRIO_LOOP is \"" + std::string(wanted) + "\"; it may be epoll or io_uring");
}

}  // namespace brio
