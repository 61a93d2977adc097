// wait: until some or all of several futures are done.
#pragma once

#include <brio/core/detail/children.hpp>
#include <brio/core/detail/range.hpp>
#include <brio/core/loop.hpp>

#include <cstdint>
#include <optional>
#include <vector>

namespace brio {

/// When wait returns (asyncio's constants).
enum class ReturnWhen : std::uint8_t { first_completed, first_exception, all_completed };
/// As soon as one is done.
inline constexpr ReturnWhen FIRST_COMPLETED = ReturnWhen::first_completed;
/// As soon as one has failed, or all are done.
inline constexpr ReturnWhen FIRST_EXCEPTION = ReturnWhen::first_exception;
/// When all are done.
inline constexpr ReturnWhen ALL_COMPLETED = ReturnWhen::all_completed;

/// Keyword arguments of wait.
struct WaitOptions {
  /// Give up after this long; what is not done then is in `pending`. Default: never.
  std::optional<Duration> timeout = std::nullopt;
  /// What ends the wait.
  ReturnWhen return_when = ALL_COMPLETED;
};

/// The futures given, each once, in their order.
template <class F>
struct WaitResult {
  /// Those that are done.
  std::vector<F> done;
  /// Those that are not.
  std::vector<F> pending;
};

namespace detail {
/// Waits as asyncio's _wait; the refs must not repeat.
BRIO_API Coro<void> wait_for_futures(std::vector<Ref<FutureBase>> futures, WaitOptions options);
BRIO_API void remove_repeated(std::vector<Ref<FutureBase>>& futures);
[[noreturn]] BRIO_API void throw_nothing_to_wait_for();
}  // namespace detail

/// Waits for futures or tasks (asyncio.wait). Throws nothing for them and cancels none of them, not
/// even when the awaiting task is cancelled. Coroutines are refused: make tasks of them first.
/// Throws ValueError for an empty range.
template <detail::Range R>
  requires std::derived_from<detail::range_value_t<R>, AnyFuture>
Coro<WaitResult<detail::range_value_t<R>>> wait(R futures, WaitOptions options = {}) {
  using F = detail::range_value_t<R>;
  std::vector<detail::Ref<detail::FutureBase>> states;
  states.reserve(detail::size_hint(futures));
  for (const F& future : futures) states.emplace_back(future.state());
  if (states.empty()) detail::throw_nothing_to_wait_for();
  detail::remove_repeated(states);
  co_await detail::wait_for_futures(states, options);
  WaitResult<F> result;
  for (const auto& state : states)
    (state->done() ? result.done : result.pending).emplace_back(state);
  co_return result;
}

}  // namespace brio
