// Which loop a thread gets: event-loop policies, set_event_loop and get_event_loop.
#pragma once

#include <brio/core/loop.hpp>

#include <memory>

namespace brio {

/// Makes a loop; for run, Runner and policies.
using LoopFactory = detail::UniqueFunction<LoopPtr()>;

/// How new_event_loop() makes a loop (asyncio's policies, kept small: courses teach them).
class BRIO_API EventLoopPolicy {
public:
  EventLoopPolicy() = default;
  EventLoopPolicy(const EventLoopPolicy&) = delete;
  EventLoopPolicy& operator=(const EventLoopPolicy&) = delete;
  virtual ~EventLoopPolicy();
  /// The engine of a new loop. The default follows BRIO_LOOP (epoll), else picks the best engine.
  [[nodiscard]] virtual std::unique_ptr<Engine> new_engine();
};

/// The policy of the process; never null.
[[nodiscard]] BRIO_API std::shared_ptr<EventLoopPolicy> get_event_loop_policy();
/// Null: the default one.
BRIO_API void set_event_loop_policy(std::shared_ptr<EventLoopPolicy> policy);

/// The running loop, else the one of set_event_loop. Throws RuntimeError if there is neither.
[[nodiscard]] BRIO_API EventLoop& get_event_loop();
/// The loop that get_event_loop gives in this thread while none runs; null: none. Not owned.
BRIO_API void set_event_loop(EventLoop* loop) noexcept;

}  // namespace brio
