// An engine without I/O whose clock is virtual: time moves only when nothing is ready, and then
// to the earliest timer (SPEC.md §3). Not brio/testing's: what judges the library should lean on as
// little of it as possible.
#pragma once

#include <brio/core/engine.hpp>

#include <chrono>
#include <cstdint>

namespace conformance {

/// Nothing is ready and no timer is left.
struct Deadlock {};
/// The program took more steps than its limit.
struct StepLimit {};

/// Programs count in milliseconds from 0.
[[nodiscard]] inline brio::TimePoint at_ms(std::int64_t ms) {
  return brio::TimePoint(std::chrono::milliseconds(ms));
}
[[nodiscard]] inline std::int64_t to_ms(brio::TimePoint when) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch()).count();
}

class VirtualEngine final : public brio::Engine {
public:
  /// The time stands in `now`, which must outlive the engine.
  explicit VirtualEngine(brio::TimePoint& now) noexcept : now_(now) {}

  [[nodiscard]] const char* name() const noexcept override { return "virtual"; }
  [[nodiscard]] brio::TimePoint now() override { return now_; }
  void watch(int, brio::Interest) override {}
  [[nodiscard]] bool watching() const noexcept override { return false; }
  /// Throws Deadlock if there is nothing to wait for.
  void poll(brio::Duration timeout, Sink&) override {
    if (timeout < brio::Duration::zero()) throw Deadlock();
    now_ += timeout;
  }
  void wake() noexcept override {}
  void close() noexcept override {}

private:
  brio::TimePoint& now_;
};

}  // namespace conformance
