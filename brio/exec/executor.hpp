// Executor: something that runs calls elsewhere (concurrent.futures.Executor).
#pragma once

#include <brio/exec/concurrent_future.hpp>
#include <brio/exec/detail/map_results.hpp>

#include <concepts>
#include <optional>
#include <type_traits>
#include <utility>

namespace brio {

/// A call on its way through an executor; completes the future that submit returned. A handle.
class BRIO_API Job {
public:
  Job() noexcept = default;
  explicit Job(detail::Ref<detail::SharedState> state) noexcept : state_(std::move(state)) {}

  /// Makes the call and completes the future with what it gives or throws, unless the future was
  /// cancelled before. Callable and arguments are destroyed before the future is completed.
  void run() const noexcept { state_->run_work(); }
  /// Cancels the future if the call has not begun, and destroys the callable; see Future::cancel.
  bool cancel() const { return state_->cancel(); }
  /// The call will not be made: completes the future with `error`. Throws InvalidStateError if
  /// done.
  void fail(std::exception_ptr error) const { state_->set_exception(std::move(error)); }
  /// False for a default-constructed handle.
  explicit operator bool() const noexcept { return static_cast<bool>(state_); }

private:
  detail::Ref<detail::SharedState> state_;
};

/// How an executor is shut down.
struct ShutdownOptions {
  /// Block until all its threads have ended.
  bool wait = true;
  /// Cancel what has not begun.
  bool cancel_futures = false;
  /// With `wait`: at most this long. Default: as long as it takes.
  std::optional<Duration> timeout = std::nullopt;
};

/// How Executor::map works.
struct MapOptions {
  /// For all results together, counted from the call of map. Default: as long as it takes.
  std::optional<Duration> timeout = std::nullopt;
  /// Submit at most this many calls ahead of the result asked for. Default: all at once.
  std::optional<std::size_t> buffersize = std::nullopt;
};

/// Base of ThreadPoolExecutor. One of your own implements submit_job and do_shutdown.
class BRIO_API Executor {
public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor();

  /// Schedules `function(args…)`. Both are decay-copied, as std::thread does, and called as
  /// rvalues; a result that is a reference is copied. Throws RuntimeError after shutdown(). Any
  /// thread.
  template <class F, class... Args>
    requires detail::JobFunction<F, Args...>
  auto submit(F&& function, Args&&... args)
      -> concurrent::Future<detail::job_result_t<F, Args...>> {
    using R = detail::job_result_t<F, Args...>;
    static_assert(!iscoroutine_v<R>,
                  "brio: a coroutine runs in a loop, not in an executor; use "
                  "run_coroutine_threadsafe");
    const detail::Ref<detail::SharedState> state(
        new detail::JobState<R, std::decay_t<F>, std::decay_t<Args>...>(
            std::forward<F>(function), std::forward<Args>(args)...));
    submit_job(Job(state));
    return concurrent::Future<R>(state);
  }

  /// Calls `function` with the elements of the ranges, taken together until the shortest ends, and
  /// gives the results in their order: a range to be read once, each step of which blocks for its
  /// result. It throws what the call threw, or TimeoutError. What is not asked for when the range
  /// is destroyed is cancelled. `function` is copied for each call and, like the elements, must be
  /// fit to be used in several threads. Ranges given as lvalues must live as long as the result,
  /// and so must the executor, if `buffersize` is given.
  template <class F, detail::Range... Rs>
    requires(sizeof...(Rs) > 0 && detail::JobFunction<F, detail::range_reference_t<Rs>...>)
  auto map(MapOptions options, F&& function, Rs&&... ranges) {
    using R = detail::job_result_t<F, detail::range_reference_t<Rs>...>;
    return detail::MapResults<R>(
        [this, function = std::decay_t<F>(std::forward<F>(function)),
         zip = detail::Zip<Rs...>(
             std::forward<Rs>(ranges)...)]() mutable -> std::optional<concurrent::Future<R>> {
          return zip.next([&](auto&&... elements) {
            return submit(function, std::forward<decltype(elements)>(elements)...);
          });
        },
        options.timeout, options.buffersize);
  }
  template <class F, detail::Range... Rs>
    requires(sizeof...(Rs) > 0 && detail::JobFunction<F, detail::range_reference_t<Rs>...>)
  auto map(F&& function, Rs&&... ranges) {
    return map(MapOptions{}, std::forward<F>(function), std::forward<Rs>(ranges)...);
  }

  /// Takes no more calls and frees the threads once those submitted are done. False if
  /// `options.timeout` has passed before that. May be called again. Throws RuntimeError if it waits
  /// in one of the threads that it waits for.
  bool shutdown(ShutdownOptions options = {}) { return do_shutdown(options); }

protected:
  // For executors that can be moved.
  Executor(Executor&&) noexcept {}
  Executor& operator=(Executor&&) noexcept { return *this; }

  /// Sees to it that `job` is run, somewhere, some time. Throws RuntimeError after shutdown.
  virtual void submit_job(Job job) = 0;
  /// See shutdown.
  virtual bool do_shutdown(const ShutdownOptions& options) = 0;
};

}  // namespace brio
