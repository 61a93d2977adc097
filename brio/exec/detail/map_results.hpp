// What Executor::map gives.
#pragma once

#include <brio/core/detail/function.hpp>
#include <brio/core/detail/range.hpp>
#include <brio/exec/concurrent_future.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <tuple>
#include <utility>

namespace brio::detail {

/// Walks several ranges in step (Python's zip): lvalues where they are, rvalues moved in.
template <class... Rs>
class Zip {
public:
  explicit Zip(Rs&&... ranges)
      : ranges_(std::make_unique<std::tuple<Rs...>>(std::forward<Rs>(ranges)...)) {}

  /// f(element…) of the next position, or nothing at the end of the shortest.
  template <class F>
  auto next(F&& f) -> std::optional<std::invoke_result_t<F&, range_reference_t<Rs>...>> {
    return next(f, std::index_sequence_for<Rs...>());
  }

private:
  template <class F, std::size_t... I>
  auto next(F& f, std::index_sequence<I...>)
      -> std::optional<std::invoke_result_t<F&, range_reference_t<Rs>...>> {
    // begin() is called late, and once: an input range may be read only once.
    if (!at_)
      at_.emplace(std::begin(std::get<I>(*ranges_))...);
    else
      (++std::get<I>(*at_), ...);
    if (((std::get<I>(*at_) == std::end(std::get<I>(*ranges_))) || ...)) return std::nullopt;
    return f(*std::get<I>(*at_)...);
  }

  std::unique_ptr<std::tuple<Rs...>> ranges_;  // at one address, for the iterators
  std::optional<std::tuple<range_iterator_t<Rs>...>> at_;
};

/// The results of Executor::map, in order: a move-only range to be read once. void gives monostate.
template <class R>
class [[nodiscard]] MapResults {
  struct Run;

public:
  using Next = UniqueFunction<std::optional<concurrent::Future<R>>()>;

  MapResults(Next submit_next, std::optional<Duration> timeout, std::optional<std::size_t> ahead)
      : run_(std::make_unique<Run>(std::move(submit_next), ahead)) {
    if (ahead && *ahead == 0) throw ValueError("buffersize must be None or > 0");
    if (timeout) run_->deadline = after(std::chrono::steady_clock::now(), *timeout);
    run_->fill();
  }

  class iterator {
  public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Stored<R>;
    using difference_type = std::ptrdiff_t;
    iterator() noexcept = default;
    Stored<R>& operator*() const noexcept { return *run_->current; }
    iterator& operator++() {
      run_->advance();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const noexcept { return !run_->current; }

  private:
    friend MapResults;
    explicit iterator(Run& run) : run_(&run) { run.advance(); }
    Run* run_ = nullptr;
  };

  /// Blocks for the first result.
  [[nodiscard]] iterator begin() { return iterator(*run_); }
  [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }

private:
  struct Run {
    Run(Next next, std::optional<std::size_t> most) : submit_next(std::move(next)), ahead(most) {}
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    ~Run() { cancel_rest(); }

    void fill() {
      try {
        while (submit_next && (!ahead || futures.size() < *ahead)) submit_one();
      } catch (...) {
        cancel_rest();
        throw;
      }
    }
    void submit_one() {
      if (auto future = submit_next())
        futures.push_back(std::move(*future));
      else
        submit_next = nullptr;
    }
    void advance() {
      current.reset();
      if (futures.empty()) return;
      concurrent::Future<R> first = std::move(futures.front());
      futures.pop_front();
      std::optional<Duration> left;
      if (deadline) left = *deadline - std::chrono::steady_clock::now();
      try {
        if (submit_next) submit_one();
        if constexpr (std::is_void_v<R>) {
          std::move(first).result(left);
          current.emplace();
        } else {
          current.emplace(std::move(first).result(left));
        }
      } catch (...) {
        // As a Python generator: after an error there is nothing more.
        first.cancel();
        cancel_rest();
        throw;
      }
    }
    void cancel_rest() noexcept {
      for (const auto& future : futures) future.cancel();
      futures.clear();
      submit_next = nullptr;
    }

    Next submit_next;  // null at the end
    std::optional<std::size_t> ahead;
    std::optional<TimePoint> deadline;
    std::deque<concurrent::Future<R>> futures;
    std::optional<Stored<R>> current;
  };
  std::unique_ptr<Run> run_;
};

}  // namespace brio::detail
