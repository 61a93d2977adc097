// Barrier: a number of tasks that wait for each other (asyncio.Barrier).
#pragma once

#include <brio/core/coro.hpp>

#include <memory>

namespace brio {

namespace detail {
struct BarrierState;
}

/// A meeting point for a number of tasks, usable again and again (asyncio.Barrier).
///
///     filling ──last party arrives──▶ draining ──last one leaves──▶ filling
///        │ reset() while some wait ──▶ resetting ──last one leaves──▶ filling
///        └ abort() ──▶ broken ──reset()──▶ filling
///
/// May be destroyed while tasks are in wait(): they wait on until they are cancelled.
class BRIO_API Barrier {
public:
  /// Throws ValueError unless `parties` is positive.
  explicit Barrier(int parties);
  Barrier(const Barrier&) = delete;
  Barrier& operator=(const Barrier&) = delete;
  ~Barrier();

  /// Waits until as many tasks as there are parties have called this. Gives each its index, from 0
  /// in the order of arrival; the last one has parties()-1 and goes on without waiting. Whoever
  /// comes while the barrier drains or resets waits for that to end.
  ///
  /// Throws BrokenBarrierError when the barrier is broken or is reset or aborted meanwhile.
  /// Cancellation takes this task out of the count; the barrier stays usable.
  BRIO_CORO_WRAPPER Coro<int> wait();
  /// wait() under the name of the scoped form (async with barrier as index); leaving the scope
  /// does nothing.
  BRIO_CORO_WRAPPER Coro<int> scoped() { return wait(); }
  /// Makes the barrier new. Tasks that wait get BrokenBarrierError. May suspend.
  BRIO_CORO_WRAPPER Coro<void> reset();
  /// Breaks the barrier: those that wait, and all who come, get BrokenBarrierError, until reset().
  /// May suspend.
  BRIO_CORO_WRAPPER Coro<void> abort();

  /// How many tasks it takes.
  [[nodiscard]] int parties() const noexcept;
  /// How many wait; 0 while it drains, resets or is broken.
  [[nodiscard]] int n_waiting() const noexcept;
  /// Is it broken (abort)? reset() mends it.
  [[nodiscard]] bool broken() const noexcept;

private:
  // Shared with the coroutines of those inside, which count themselves out when they leave.
  std::shared_ptr<detail::BarrierState> state_;
};

}  // namespace brio
