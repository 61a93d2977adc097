#include <brio/sync/barrier.hpp>

#include <brio/sync/condition.hpp>

namespace brio {

namespace detail {

enum class BarrierPhase : std::uint8_t { filling, draining, resetting, broken };

struct BarrierState {
  Condition condition;  // notified at each change of phase
  int parties;
  int count = 0;  // tasks between arriving and leaving
  BarrierPhase phase = BarrierPhase::filling;

  explicit BarrierState(int size) noexcept : parties(size) {}
};

namespace {

using enum BarrierPhase;
using SharedState = std::shared_ptr<BarrierState>;

// One party, from its arrival until it leaves in whatever way; the lock is held at both ends.
class Visit {
public:
  explicit Visit(BarrierState& barrier) noexcept : barrier_(barrier), index_(barrier.count++) {}
  Visit(const Visit&) = delete;
  Visit& operator=(const Visit&) = delete;
  ~Visit() {
    if (--barrier_.count > 0) return;
    if (barrier_.phase == resetting || barrier_.phase == draining) barrier_.phase = filling;
    // Not held only when the frames of unfinished tasks are destroyed.
    if (barrier_.condition.locked()) barrier_.condition.notify_all();
  }
  [[nodiscard]] int index() const noexcept { return index_; }

private:
  BarrierState& barrier_;
  int index_;
};

Coro<int> wait_at(SharedState barrier) {
  const auto held = co_await barrier->condition.scoped();
  while (barrier->phase == draining || barrier->phase == resetting)
    co_await barrier->condition.wait();
  if (barrier->phase == broken) throw BrokenBarrierError("Barrier aborted");

  const Visit visit(*barrier);
  if (visit.index() + 1 == barrier->parties) {
    barrier->phase = draining;
    barrier->condition.notify_all();
    co_return visit.index();
  }
  while (barrier->phase == filling) co_await barrier->condition.wait();
  if (barrier->phase == broken || barrier->phase == resetting)
    throw BrokenBarrierError("Abort or reset of barrier");
  co_return visit.index();
}

Coro<void> enter(SharedState barrier, BarrierPhase occupied, BarrierPhase empty) {
  const auto held = co_await barrier->condition.scoped();
  barrier->phase = barrier->count > 0 ? occupied : empty;
  barrier->condition.notify_all();
}

}  // namespace
}  // namespace detail

Barrier::Barrier(int parties) {
  if (parties < 1) throw ValueError("parties must be > 0");
  state_ = std::make_shared<detail::BarrierState>(parties);
}

Barrier::~Barrier() = default;

Coro<int> Barrier::wait() { return detail::wait_at(state_); }

Coro<void> Barrier::reset() {
  return detail::enter(state_, detail::BarrierPhase::resetting, detail::BarrierPhase::filling);
}

Coro<void> Barrier::abort() {
  return detail::enter(state_, detail::BarrierPhase::broken, detail::BarrierPhase::broken);
}

int Barrier::parties() const noexcept { return state_->parties; }

int Barrier::n_waiting() const noexcept {
  return state_->phase == detail::BarrierPhase::filling ? state_->count : 0;
}

bool Barrier::broken() const noexcept { return state_->phase == detail::BarrierPhase::broken; }

}  // namespace brio
