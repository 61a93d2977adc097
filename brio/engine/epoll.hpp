// The readiness engine: epoll, level-triggered, with an eventfd for wake-ups.
#pragma once

#include <brio/core/engine.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace brio::engine {

/// asyncio's SelectorEventLoop world. Throws OSError if the kernel refuses the descriptors.
class BRIO_API EpollEngine final : public Engine {
public:
  EpollEngine();
  ~EpollEngine() override;

  [[nodiscard]] const char* name() const noexcept override { return "epoll"; }
  [[nodiscard]] TimePoint now() override { return std::chrono::steady_clock::now(); }
  void watch(int fd, Interest interest) override;
  [[nodiscard]] bool watching() const noexcept override { return watched_ > 0; }
  void poll(Duration timeout, Sink& sink) override;
  void wake() noexcept override;
  [[nodiscard]] int descriptor() const noexcept override { return epoll_; }
  void close() noexcept override;

private:
  int epoll_ = -1;
  int wake_ = -1;
  unsigned fork_depth_ = detail::fork_depth();
  std::size_t watched_ = 0;
  std::vector<Interest> interest_;  // by descriptor number
};

}  // namespace brio::engine
