// gather: several awaitables at once, their results together.
#pragma once

#include <brio/core/detail/children.hpp>
#include <brio/core/detail/range.hpp>
#include <brio/core/ensure_future.hpp>
#include <brio/core/outcome.hpp>

#include <array>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

namespace brio {

/// Tag: gather gives an Outcome for each child instead of failing with the first error.
struct ReturnExceptions {
  explicit ReturnExceptions() = default;
};
/// Put first among the arguments of gather.
inline constexpr ReturnExceptions return_exceptions{};

namespace detail {

/// What a gather does; GatherState adds the future that it completes.
class BRIO_API GatherCore : public ChildOwner {
public:
  void child_done(ChildNode& child) override;
  void hold_for_child() noexcept override { outer_.ref(); }
  void release_for_child() noexcept override { outer_.unref(); }
  [[nodiscard]] FutureBase* waiting_for_children() const noexcept override { return &outer_; }

  GatherCore(const GatherCore&) = delete;
  GatherCore& operator=(const GatherCore&) = delete;

protected:
  GatherCore(FutureBase& outer, bool outcomes) : outer_(outer), outcomes_(outcomes) {}
  ~GatherCore() = default;

  /// Cancels every child; true if one took it.
  bool cancel_children(const SharedText& message);
  /// The gather goes before some of its children are done: their errors count as looked at all the
  /// same, if it has given a result. To be called by the destructor, while the nodes live.
  void leave_children() noexcept;
  /// All children are done and none has failed (or outcomes are wanted): make the result.
  virtual void collect() = 0;
  [[nodiscard]] FutureBase& child(std::size_t index) const noexcept {
    return nodes_[index].future();
  }

private:
  friend class GatherStart;
  FutureBase& outer_;
  ChildNode* nodes_ = nullptr;
  std::size_t count_ = 0;
  std::size_t unfinished_ = 0;
  bool outcomes_;
  bool all_added_ = false;  // never, if turning an awaitable into a future threw
  bool cancel_requested_ = false;
};

/// Gives a gather its children. Each is watched before the next awaitable is turned into a future,
/// because that may run a task's eager first step, which may complete an earlier child.
class BRIO_API GatherStart {
public:
  /// `nodes` has room for every child and lives as long as the gather.
  GatherStart(GatherCore& gather, ChildNode* nodes);
  GatherStart(GatherStart&&) noexcept;
  GatherStart& operator=(GatherStart&&) = delete;
  ~GatherStart();
  /// A future that is given again counts once.
  void add(FutureBase& future);
  /// The same without looking whether it was given before: each coroutine counts for itself.
  void add_new(FutureBase& future);
  /// All are there. What was done when it came counts at once, without a trip through the loop.
  void finish();

private:
  struct Seen;
  [[nodiscard]] bool seen_before(FutureBase& future);
  GatherCore* gather_;
  std::unique_ptr<Seen> seen_;  // for more than a handful
  std::vector<ChildNode*> finished_;
};

/// A child's value for the result: moved out when nobody else holds the child, copied otherwise.
template <class T>
Stored<T> collect_value(FutureBase& child) {
  if constexpr (std::is_void_v<T>) {
    return {};
  } else if constexpr (std::is_copy_constructible_v<T>) {
    if (child.refs() > 1) return value_of<T>(child);
    return std::move(value_of<T>(child));
  } else {
    child.require_value();
    child.mark_taken();
    return std::move(value_of<T>(child));
  }
}

template <class T>
Outcome<T> collect_outcome(FutureBase& child) {
  // The message but never the stored error, which stays for whoever asks the child itself.
  if (child.cancelled())
    return Outcome<T>(std::make_exception_ptr(CancelledError(child.cancel_message())));
  if (std::exception_ptr error = child.exception()) return Outcome<T>(std::move(error));
  if constexpr (std::is_void_v<T>)
    return Outcome<T>(std::in_place);
  else
    return Outcome<T>(std::in_place, collect_value<T>(child));
}

template <bool Outcomes, class T>
using gathered_t = std::conditional_t<Outcomes, Outcome<T>, Stored<T>>;

template <bool Outcomes, class T>
gathered_t<Outcomes, T> collect_child(FutureBase& child) {
  if constexpr (Outcomes)
    return collect_outcome<T>(child);
  else
    return collect_value<T>(child);
}

/// gather of a fixed set of types: a tuple.
template <bool Outcomes, class... Ts>
class GatherTuple final : public FutureState<std::tuple<gathered_t<Outcomes, Ts>...>>,
                          private GatherCore {
public:
  using Result = std::tuple<gathered_t<Outcomes, Ts>...>;
  GatherTuple(LoopCore& loop, std::source_location where)
      : FutureState<Result>(loop, where), GatherCore(*this, Outcomes) {}

  [[nodiscard]] GatherStart start() { return GatherStart(*this, nodes_.data()); }
  bool cancel(const SharedText& message) override {
    return !this->done() && cancel_children(message);
  }

protected:
  void destroy() noexcept override { destroy_pooled(this); }

private:
  friend void destroy_pooled<GatherTuple>(GatherTuple*) noexcept;
  ~GatherTuple() { this->leave_children(); }
  void collect() override { collect(std::index_sequence_for<Ts...>()); }
  template <std::size_t... I>
  void collect(std::index_sequence<I...>) {
    // Braces, so that the children are asked in order.
    this->set_value(Result{collect_child<Outcomes, Ts>(child(I))...});
  }
  std::array<ChildNode, sizeof...(Ts)> nodes_;
};

/// gather of a range: a vector.
template <bool Outcomes, class T>
class GatherVector final : public FutureState<std::vector<gathered_t<Outcomes, T>>>,
                           private GatherCore {
public:
  using Result = std::vector<gathered_t<Outcomes, T>>;
  GatherVector(LoopCore& loop, std::source_location where, std::size_t count)
      : FutureState<Result>(loop, where),
        GatherCore(*this, Outcomes),
        nodes_(std::make_unique<ChildNode[]>(count)),
        count_(count) {}

  [[nodiscard]] GatherStart start() { return GatherStart(*this, nodes_.get()); }
  bool cancel(const SharedText& message) override {
    return !this->done() && cancel_children(message);
  }

protected:
  void destroy() noexcept override { destroy_pooled(this); }

private:
  friend void destroy_pooled<GatherVector>(GatherVector*) noexcept;
  ~GatherVector() { this->leave_children(); }
  void collect() override {
    Result result;
    result.reserve(count_);
    for (std::size_t i = 0; i < count_; ++i) result.push_back(collect_child<Outcomes, T>(child(i)));
    this->set_value(std::move(result));
  }
  std::unique_ptr<ChildNode[]> nodes_;
  std::size_t count_;
};

template <bool Outcomes, class... As>
auto gather_all(std::source_location where, As&&... awaitables) {
  using State = GatherTuple<Outcomes, future_value_t<As>...>;
  Future<typename State::Result> outer;
  std::optional<GatherStart> start;
  // The gather belongs to the loop of its first child.
  const auto add = [&](Ref<FutureBase> future) {
    if (!start) {
      auto* state = new State(future->core(), where);
      outer = Future<typename State::Result>(Ref<FutureBase>(state));
      start.emplace(state->start());
    }
    start->add(*future);
  };
  (add(Ref<FutureBase>(ensure_future(std::forward<As>(awaitables)).state())), ...);
  start->finish();
  return outer;
}

template <bool Outcomes, Range R>
auto gather_range(std::source_location where, R&& awaitables) {
  using Item = range_value_t<R>;
  using State = GatherVector<Outcomes, future_value_t<Item>>;
  const auto as_future = [](auto&& item) {
    // The coroutines of a range are consumed, whatever the range is: that is gather's contract.
    if constexpr (iscoroutine_v<Item>)
      return Ref<FutureBase>(
          ensure_future(std::move(item)).state());  // NOLINT(bugprone-move-forwarding-reference)
    else
      return Ref<FutureBase>(ensure_future(item).state());
  };
  if constexpr (!requires { std::size(awaitables); }) {
    // How many there are must be known first.
    std::vector<Item> items;
    for (auto&& item : awaitables) {
      if constexpr (iscoroutine_v<Item>)
        items.push_back(std::move(item));
      else
        items.push_back(item);
    }
    return gather_range<Outcomes>(where, items);
  } else {
    const auto count = static_cast<std::size_t>(std::size(awaitables));
    auto at = std::begin(awaitables);
    const Ref<FutureBase> first = count > 0 ? as_future(*at) : Ref<FutureBase>();
    LoopCore& loop = first ? first->core() : get_running_loop();
    auto* state = new State(loop, where, count);
    Future<typename State::Result> outer{Ref<FutureBase>(state)};
    GatherStart start = state->start();
    const auto add = [&start](FutureBase& future) {
      if constexpr (iscoroutine_v<Item>)
        start.add_new(future);
      else
        start.add(future);
    };
    if (first) add(*first);
    for (std::size_t i = 1; i < count; ++i) add(*as_future(*++at));
    start.finish();
    return outer;
  }
}

template <class A>
concept Gatherable = Awaitable<A> && !Range<std::remove_cvref_t<A>>;

}  // namespace detail

/// Runs the awaitables concurrently (coroutines become tasks, in order) and gives a future of the
/// tuple of their results; `void` gives std::monostate. The first error or cancelled child ends it
/// at once; the others go on, and their later errors are dropped. Cancelling the gather cancels
/// every child. asyncio.gather.
template <detail::Gatherable... As>
  requires(sizeof...(As) > 0)
auto gather(As&&... awaitables) {
  return detail::gather_all<false>(std::source_location::current(),
                                   std::forward<As>(awaitables)...);
}
/// Of nothing at all: done already.
inline Future<std::tuple<>> gather(std::source_location where = std::source_location::current()) {
  auto outer = get_running_loop().create_future<std::tuple<>>(where);
  outer.set_result();
  return outer;
}
/// With Outcomes instead of results: errors do not end it, it waits for all. A cancelled gather
/// still throws CancelledError, when every child has ended.
template <detail::Gatherable... As>
  requires(sizeof...(As) > 0)
auto gather(ReturnExceptions, As&&... awaitables) {
  return detail::gather_all<true>(std::source_location::current(), std::forward<As>(awaitables)...);
}
/// gather of a range of coroutines (moved from), futures or tasks: a future of a vector.
template <detail::Range R>
auto gather(R&& awaitables, std::source_location where = std::source_location::current()) {
  return detail::gather_range<false>(where, std::forward<R>(awaitables));
}
template <detail::Range R>
auto gather(ReturnExceptions, R&& awaitables,
            std::source_location where = std::source_location::current()) {
  return detail::gather_range<true>(where, std::forward<R>(awaitables));
}

}  // namespace brio
