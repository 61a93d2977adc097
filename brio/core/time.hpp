// The loop's clock: steady, nanoseconds. Any std::chrono duration is accepted; a floating one that
// is not a number is a ValueError, one that is too large for the clock saturates.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/exceptions.hpp>

#include <chrono>
#include <concepts>
#include <type_traits>

namespace brio {

/// A span on the loop's clock.
using Duration = std::chrono::nanoseconds;
/// A point on the loop's clock (EventLoop::time).
using TimePoint = std::chrono::steady_clock::time_point;

namespace detail {

[[noreturn]] BRIO_API void throw_nan_delay();

template <class Rep, class Period>
constexpr Duration to_duration(std::chrono::duration<Rep, Period> value) {
  // Beyond this, arithmetic on the clock could overflow: about 146 years.
  constexpr double limit = 4.6e18;
  if constexpr (std::floating_point<Rep>) {
    const double nanos = std::chrono::duration<double, std::nano>(value).count();
    if (nanos != nanos) throw_nan_delay();
    if (nanos >= limit) return Duration(static_cast<Duration::rep>(limit));
    if (nanos <= -limit) return Duration(-static_cast<Duration::rep>(limit));
    return Duration(static_cast<Duration::rep>(nanos));
  } else if constexpr (std::is_same_v<std::chrono::duration<Rep, Period>, Duration>) {
    return value > Duration(static_cast<Duration::rep>(limit))
               ? Duration(static_cast<Duration::rep>(limit))
               : value;
  } else {
    const double nanos = std::chrono::duration<double, std::nano>(value).count();
    if (nanos >= limit) return Duration(static_cast<Duration::rep>(limit));
    if (nanos <= -limit) return Duration(-static_cast<Duration::rep>(limit));
    return std::chrono::duration_cast<Duration>(value);
  }
}

/// now + delay without overflow.
constexpr TimePoint after(TimePoint now, Duration delay) {
  if (delay > Duration::zero() && now > TimePoint::max() - delay) return TimePoint::max();
  if (delay < Duration::zero() && now < TimePoint::min() - delay) return TimePoint::min();
  return now + delay;
}

/// How long it is from `now` until `when`: nothing if that has passed, and without overflow.
constexpr Duration remaining(TimePoint when, TimePoint now) {
  if (when <= now) return Duration::zero();
  if (now < TimePoint{} && when > TimePoint::max() + now.time_since_epoch()) return Duration::max();
  return when - now;
}

}  // namespace detail
}  // namespace brio
