// as_completed: futures in the order in which they finish. It stands in this room because it hands
// them over through a Queue, as asyncio's does.
#pragma once

#include <brio/core/detail/children.hpp>
#include <brio/core/detail/range.hpp>
#include <brio/core/ensure_future.hpp>
#include <brio/sync/queue.hpp>

#include <iterator>
#include <memory>
#include <optional>
#include <vector>

namespace brio {

/// Keyword arguments of as_completed.
struct AsCompletedOptions {
  /// After this long every remaining slot throws TimeoutError; no task is cancelled.
  std::optional<Duration> timeout = std::nullopt;
};

namespace detail {

/// Outlives its iterator while callbacks are queued.
class BRIO_API Completed final : public ChildOwner {
public:
  Completed() = default;
  Completed(const Completed&) = delete;
  Completed& operator=(const Completed&) = delete;

  void ref() noexcept { ++refs_; }
  void unref() noexcept {
    if (--refs_ == 0) delete this;
  }
  /// Watches the futures, each once.
  void watch(std::vector<Ref<FutureBase>> futures, std::optional<Duration> timeout);
  /// Counts one slot off; false when none is left.
  [[nodiscard]] bool take_slot() noexcept {
    if (slots_ == 0) return false;
    --slots_;
    return true;
  }
  [[nodiscard]] std::size_t slots() const noexcept { return slots_; }
  /// The next finished future; throws TimeoutError for a slot that timed out.
  static Coro<Ref<FutureBase>> wait_for_one(Ref<Completed> self);

  void child_done(ChildNode& child) override;
  void hold_for_child() noexcept override { ref(); }
  void release_for_child() noexcept override { unref(); }
  [[nodiscard]] FutureBase* waiting_for_children() const noexcept override { return awaiter_; }

private:
  ~Completed() = default;
  void time_out();
  Queue<Ref<FutureBase>> done_;
  std::unique_ptr<ChildNode[]> nodes_;
  std::size_t count_ = 0;
  std::size_t todo_ = 0;
  std::size_t slots_ = 0;
  TimerHandle timer_;
  TaskBase* awaiter_ = nullptr;  // who waits for the next one now
  unsigned refs_ = 0;
};

}  // namespace detail

/// What as_completed returns; iterate it one way or the other. It can be left and resumed.
template <class F>
class AsCompleted {
public:
  /// The type of the results.
  using T = detail::future_value_t<F>;
  explicit AsCompleted(detail::Ref<detail::Completed> state) : state_(std::move(state)) {}

  /// `while (auto f = co_await it.next())`: the original future or task, done (async for).
  /// Throws TimeoutError for each slot that timed out.
  Coro<std::optional<F>> next() {
    if (!state_->take_slot()) co_return std::nullopt;
    const detail::Ref<detail::FutureBase> done = co_await detail::Completed::wait_for_one(state_);
    co_return F(done);
  }

  /// `for (auto slot : it) co_await std::move(slot)`: each slot gives the result of whichever
  /// future finishes next, or throws its error (plain iteration).
  class iterator {
  public:
    using value_type = Coro<T>;
    using difference_type = std::ptrdiff_t;
    iterator() = default;
    explicit iterator(detail::Ref<detail::Completed> state) : state_(std::move(state)) {
      at_end_ = !state_->take_slot();
    }
    Coro<T> operator*() const { return result(state_); }
    iterator& operator++() {
      at_end_ = !state_->take_slot();
      return *this;
    }
    void operator++(int) { ++*this; }
    friend bool operator==(const iterator& it, std::default_sentinel_t) { return it.at_end_; }

  private:
    static Coro<T> result(detail::Ref<detail::Completed> state) {
      const detail::Ref<detail::FutureBase> done =
          co_await detail::Completed::wait_for_one(std::move(state));
      if constexpr (std::is_void_v<T>)
        done->require_value();
      else
        co_return detail::take_result(Future<T>(done));
    }
    detail::Ref<detail::Completed> state_;
    bool at_end_ = true;
  };
  iterator begin() { return iterator(state_); }
  std::default_sentinel_t end() const noexcept { return {}; }
  /// Slots not yet handed out.
  [[nodiscard]] std::size_t size() const noexcept { return state_->slots(); }

private:
  detail::Ref<detail::Completed> state_;
};

/// Schedules the awaitables of a range (coroutines are moved from) and gives them back in the order
/// in which they finish (asyncio.as_completed). Leaving early cancels nothing.
template <detail::Range R>
auto as_completed(R&& awaitables, AsCompletedOptions options = {}) {
  using Item = detail::range_value_t<R>;
  std::vector<detail::Ref<detail::FutureBase>> futures;
  const auto add = [&](auto future) {
    futures.emplace_back(future.state());
    return future;
  };
  for (auto&& item : awaitables) {
    if constexpr (iscoroutine_v<Item>)
      add(ensure_future(std::move(item)));
    else
      add(ensure_future(item));
  }
  using F = std::conditional_t<std::derived_from<Item, AnyFuture>, Item,
                               Task<detail::future_value_t<Item>>>;
  detail::Ref<detail::Completed> state(new detail::Completed);
  state->watch(std::move(futures), options.timeout);
  return AsCompleted<F>(std::move(state));
}

}  // namespace brio
