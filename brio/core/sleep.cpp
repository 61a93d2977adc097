#include <brio/core/sleep.hpp>

namespace brio {

namespace detail {

bool SleepAwaiter::begin(PromiseBase& promise) {
  if (delay_ <= Duration::zero()) return suspend_ready(promise);
  if (!suspend(promise)) return false;
  // A cancellation that was waiting for this suspension has ended it already.
  if (pending()) {
    LoopCore& core = task()->core();
    core.timers_.add(*this, after(core.loop().time(), delay_));
  }
  return true;
}

bool SleepAwaiter::cancel_wait(const SharedText& message) {
  if (!Waiter::cancel_wait(message)) return false;
  if (armed()) disarm();
  return true;
}

void SleepAwaiter::disarm() noexcept { task()->core().timers_.remove(*this); }

}  // namespace detail

detail::SleepAwaiter sleep_until(TimePoint when) {
  return detail::SleepAwaiter(detail::remaining(when, get_running_loop().time()));
}

}  // namespace brio
