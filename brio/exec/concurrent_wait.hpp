// concurrent::wait and concurrent::as_completed: several concurrent futures at once.
#pragma once

#include <brio/core/wait.hpp>
#include <brio/exec/concurrent_future.hpp>

#include <concepts>
#include <condition_variable>
#include <cstddef>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <ranges>
#include <vector>

namespace brio::concurrent {

using brio::ALL_COMPLETED;
using brio::FIRST_COMPLETED;
using brio::FIRST_EXCEPTION;
using brio::ReturnWhen;

/// What concurrent::wait gives: the futures, each once, in the order given.
template <class F>
struct DoneAndNotDone {
  /// Those that are done.
  std::vector<F> done;
  /// Those that are not.
  std::vector<F> not_done;
};

/// Keyword arguments of as_completed.
struct AsCompletedOptions {
  /// After this long, counted from the call, the step that would wait throws TimeoutError; null:
  /// never.
  std::optional<Duration> timeout = std::nullopt;
};

}  // namespace brio::concurrent

namespace brio::detail {

using SharedStates = std::vector<Ref<SharedState>>;

/// Drops repeated ones, keeping the first of each.
BRIO_API void remove_repeated(SharedStates& states);
/// Blocks as concurrent.futures.wait does; the states must not repeat.
BRIO_API void wait_for_states(const SharedStates& states, const WaitOptions& options);

/// Hands out states as they complete.
class BRIO_API CompletionQueue final : public SharedListener {
public:
  CompletionQueue(SharedStates states, std::optional<Duration> timeout);
  CompletionQueue(const CompletionQueue&) = delete;
  CompletionQueue& operator=(const CompletionQueue&) = delete;
  ~CompletionQueue();
  /// The next one; null when all were handed out. Throws TimeoutError.
  Ref<SharedState> next();

private:
  void completed(SharedState& state) noexcept override;

  SharedStates states_;  // all of them: keeps them alive while we listen
  std::optional<TimePoint> deadline_;
  std::size_t handed_out_ = 0;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<SharedState*> finished_;  // in order of completion; room for all from the start
};

}  // namespace brio::detail

namespace brio::concurrent {

/// Blocks this thread until futures are done (concurrent.futures.wait): all of them, or as
/// `options.return_when` says, or `options.timeout` has passed. Throws nothing for them and cancels
/// none. A cancelled one counts as done at once.
template <std::ranges::input_range R>
  requires std::derived_from<std::ranges::range_value_t<R>, AnyFuture>
auto wait(R&& futures, WaitOptions options = {}) -> DoneAndNotDone<std::ranges::range_value_t<R>> {
  using F = std::ranges::range_value_t<R>;
  detail::SharedStates states;
  for (const F& future : futures) states.push_back(future.state());
  detail::remove_repeated(states);
  detail::wait_for_states(states, options);
  DoneAndNotDone<F> result;
  for (const auto& state : states)
    (state->done() ? result.done : result.not_done).push_back(F(state));
  return result;
}

/// The range that as_completed gives: move-only, read once, each step blocks for the next future.
template <class F>
class [[nodiscard]] AsCompleted {
public:
  explicit AsCompleted(std::unique_ptr<detail::CompletionQueue> queue) : queue_(std::move(queue)) {}

  class iterator {
  public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = F;
    using difference_type = std::ptrdiff_t;
    iterator() noexcept = default;
    explicit iterator(detail::CompletionQueue& queue) : queue_(&queue), at_(queue.next()) {}
    F operator*() const { return F(at_); }
    iterator& operator++() {
      at_ = queue_->next();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return !at_; }

  private:
    detail::CompletionQueue* queue_ = nullptr;
    detail::Ref<detail::SharedState> at_;
  };

  /// Blocks for the first. This and each step throw TimeoutError when the time is up.
  [[nodiscard]] iterator begin() { return iterator(*queue_); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
  std::unique_ptr<detail::CompletionQueue> queue_;
};

/// Gives each future once, as it completes or is cancelled; first those that are done already
/// (concurrent.futures.as_completed). Leaving the loop early is fine.
///
///     for (auto future : concurrent::as_completed(futures)) use(future.result());
template <std::ranges::input_range R>
  requires std::derived_from<std::ranges::range_value_t<R>, AnyFuture>
auto as_completed(R&& futures, AsCompletedOptions options = {})
    -> AsCompleted<std::ranges::range_value_t<R>> {
  using F = std::ranges::range_value_t<R>;
  detail::SharedStates states;
  for (const F& future : futures) states.push_back(future.state());
  detail::remove_repeated(states);
  return AsCompleted<F>(
      std::make_unique<detail::CompletionQueue>(std::move(states), options.timeout));
}

}  // namespace brio::concurrent
