// ProcessPoolExecutor: calls in other processes (concurrent.futures.ProcessPoolExecutor), for work
// that takes a processor of its own, and for code that may crash.
//
//     int main(int argc, char** argv) {
//       brio::freeze_support(argc, argv);  // first: a worker process begins here, too
//       brio::run(amain());
//     }
//     …
//     brio::ProcessPoolExecutor pool;
//     const Image small = co_await brio::run_in_executor(&pool, shrink, image);
#pragma once

#include <brio/exec/detail/map_chunks.hpp>
#include <brio/exec/executor.hpp>
#include <brio/exec/process_function.hpp>
#include <brio/exec/wrap_future.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace brio {

namespace detail {
class ProcessPool;

[[noreturn]] BRIO_API void throw_no_process_pool();

/// A call on its way: what to send, and what to do with the answer.
struct RemoteJob {
  concurrent::AnyFuture future = {};
  void (*deliver)(const concurrent::AnyFuture& future, serial::Reader& result) = nullptr;
  std::string bytes;
};
}  // namespace detail

/// How a worker process is made.
enum class StartMethod : std::uint8_t {
  /// A new process of the same program. It needs `freeze_support` at the top of main().
  spawn,
  /// A copy of this process, made in a thread of the pool. A lock that another thread holds at that
  /// moment stays locked in the copy for ever (the C library's own excepted: its malloc and stdio
  /// work). So it is for programs without other threads, or whose functions take no locks that
  /// those take; and never the default.
  fork,
};

/// To be called first in main(): in a worker process it does the work and does not return
/// (multiprocessing.freeze_support). Without it, a pool can only fork its workers.
BRIO_API void freeze_support(int argc, char** argv);

/// How a ProcessPoolExecutor is made.
struct ProcessPoolOptions {
  /// Default: the processors that this process may use.
  std::optional<int> max_workers = std::nullopt;
  /// Default: spawn.
  std::optional<StartMethod> start_method = std::nullopt;
  /// Called in each new worker before its first call: `{function, args…}`. If it throws, the pool
  /// is broken: waiting and later calls fail with concurrent::BrokenProcessPool.
  ProcessCall initializer = {};
  /// A worker ends after so many calls, and a new one takes its place. Default: no limit.
  std::optional<int> max_tasks_per_child = std::nullopt;
  /// The most bytes that the arguments or the result of one call may have. What is larger fails
  /// with concurrent::SerializationError.
  std::size_t max_message_size = std::size_t{1} << 30;
};

/// How ProcessPoolExecutor::map works.
struct ProcessMapOptions {
  /// For all results together, counted from the call of map. Default: as long as it takes.
  std::optional<Duration> timeout = std::nullopt;
  /// So many elements travel together. More make short calls cheaper.
  std::size_t chunksize = 1;
  /// Submit at most this many chunks ahead of the result asked for. Default: all at once.
  std::optional<std::size_t> buffersize = std::nullopt;
};

/// Makes calls in worker processes, in the order submitted. A worker is started only when a call
/// comes and no worker is idle, until there are `max_workers`.
///
/// A function is a plain function, a lambda without captures, or a registered() one; arguments and
/// results are serial::Serializable, and copied. What a call throws comes back: brio's and the
/// standard library's errors as what they are, others as concurrent::RemoteError.
///
/// If a worker dies (a crash, a kill, an exit()), the call that it was making fails with
/// concurrent::BrokenProcessPool, which says how it died. Calls in other workers go on and give
/// their results; calls that had not begun fail with the same error, and the pool takes no more.
///
/// Workers have no standard input, the default action for every signal that is not ignored
/// (Ctrl-C ends them too), and none of the parent's close-on-exec descriptors. They do not outlive
/// the pool, nor the process if that is killed.
///
/// Futures are completed in a thread of the pool; so their done-callbacks run there. The destructor
/// is the end of Python's `with` block: shutdown(), with its wait, unless it was called before.
///
/// Not an Executor: that one takes any callable.
class BRIO_API ProcessPoolExecutor final {
public:
  /// Throws ValueError if a number is not positive, RuntimeError for `spawn`, which is the default,
  /// without freeze_support. Starts no process.
  explicit ProcessPoolExecutor(ProcessPoolOptions options = {});
  ProcessPoolExecutor(const ProcessPoolExecutor&) = delete;
  ProcessPoolExecutor& operator=(const ProcessPoolExecutor&) = delete;
  ProcessPoolExecutor(ProcessPoolExecutor&& other) noexcept;
  /// Shuts down what it had, as the destructor does.
  ProcessPoolExecutor& operator=(ProcessPoolExecutor&& other) noexcept;
  ~ProcessPoolExecutor();

  /// Schedules `function(args…)` in a worker. Arguments are converted to the function's parameters
  /// and written at once; one that cannot be written fails the future. Cancelling the future stops
  /// a call that has not begun. Throws RuntimeError after shutdown(), BrokenProcessPool when the
  /// pool is broken. Any thread.
  template <class F, class... Args>
  auto submit(const F& function, Args&&... args)
      -> concurrent::Future<detail::remote_result_t<F, Args...>> {
    using Remote = detail::Remote<std::decay_t<F>, Args...>;
    return submit_call<typename Remote::S::Result>([&](serial::Writer& writer) {
      detail::write_target(writer, Remote::target(function, false));
      Remote::S::write(writer, args...);
    });
  }

  /// Calls `function` with the elements of the ranges, taken together until the shortest ends, and
  /// gives the results in their order: a range to be read once, each step of which blocks for its
  /// result. It throws what the call threw, or TimeoutError. What is not asked for when the range
  /// is destroyed is cancelled. Ranges given as lvalues, and the executor, must live as long as the
  /// result if `buffersize` is given. Throws ValueError if chunksize is 0.
  template <class F, detail::Range... Rs>
    requires(sizeof...(Rs) > 0)
  auto map(ProcessMapOptions options, const F& function, Rs&&... ranges) {
    using Remote = detail::Remote<std::decay_t<F>, detail::range_reference_t<Rs>...>;
    using Chunk = std::deque<detail::Stored<typename Remote::S::Result>>;
    if (options.chunksize == 0) throw ValueError("chunksize must be >= 1");
    return detail::MapChunks<typename Remote::S::Result>(detail::MapResults<Chunk>(
        [this, chunksize = options.chunksize, ended = false, function = std::decay_t<F>(function),
         zip = detail::Zip<Rs...>(
             std::forward<Rs>(ranges)...)]() mutable -> std::optional<concurrent::Future<Chunk>> {
          serial::Writer elements;
          std::uint64_t count = 0;
          // Not asked again after its end.
          while (!ended && count < chunksize) {
            const auto written = zip.next([&](auto&&... element) {
              Remote::S::write(elements, element...);
              return true;
            });
            if (written)
              ++count;
            else
              ended = true;
          }
          if (count == 0) return std::nullopt;
          return submit_call<Chunk>([&](serial::Writer& writer) {
            detail::write_target(writer, Remote::target(function, true));
            writer(count);
            writer.bytes(elements.text().data(), elements.text().size());
          });
        },
        options.timeout, options.buffersize));
  }
  template <class F, detail::Range... Rs>
    requires(sizeof...(Rs) > 0)
  auto map(const F& function, Rs&&... ranges) {
    return map(ProcessMapOptions{}, function, std::forward<Rs>(ranges)...);
  }

  /// Takes no more calls, and ends the workers once those submitted are done. False if
  /// `options.timeout` has passed before that. May be called again. Throws RuntimeError if it waits
  /// in a done-callback, that is, in the pool's own thread.
  bool shutdown(ShutdownOptions options = {});
  /// Ends the workers at once by SIGTERM: shutdown without a wait, calls that have not begun are
  /// cancelled, and those in a worker fail with BrokenProcessPool.
  void terminate_workers();
  /// The same by SIGKILL.
  void kill_workers();
  /// The most processes that it will start.
  [[nodiscard]] int max_workers() const noexcept;

private:
  template <class R, class Write>
  concurrent::Future<R> submit_call(Write&& write) {
    auto future = concurrent::create_future<R>();
    std::exception_ptr error;
    serial::Writer writer;
    try {
      write(writer);
    } catch (...) {
      error = std::current_exception();
    }
    submit_job({.future = future, .deliver = &deliver<R>, .bytes = writer.take()},
               std::move(error));
    return future;
  }
  template <class R>
  static void deliver(const concurrent::AnyFuture& future, serial::Reader& result) {
    auto value = serial::Serializer<detail::Stored<R>>::read(result);
    result.finish();
    const concurrent::Future<R> typed(future.state());
    if constexpr (std::is_void_v<R>)
      typed.set_result();
    else
      typed.set_result(std::move(value));
  }
  void submit_job(detail::RemoteJob job, std::exception_ptr error);
  void close() noexcept;

  std::shared_ptr<detail::ProcessPool> pool_;  // null when moved from
};

/// Calls `function(args…)` in a worker process of `executor` (loop.run_in_executor). See
/// ProcessPoolExecutor::submit. Cancelling the future stops a call that has not begun; one that has
/// begun goes on, although the await ends. Throws what submit() throws, and ValueError for a null
/// `executor`: the default one has threads, and is meant by nullptr itself.
template <std::same_as<ProcessPoolExecutor> Pool, class F, class... Args>
auto run_in_executor(EventLoop& loop, Pool* executor, const F& function, Args&&... args)
    -> Future<detail::remote_result_t<F, Args...>> {
  loop.check_closed();
  if (!executor) detail::throw_no_process_pool();
  const auto result = loop.create_future<detail::remote_result_t<F, Args...>>();
  detail::chain_to_loop(loop, executor->submit(function, std::forward<Args>(args)...), result,
                        true);
  return result;
}
template <std::same_as<ProcessPoolExecutor> Pool, class F, class... Args>
auto run_in_executor(Pool* executor, const F& function, Args&&... args)
    -> Future<detail::remote_result_t<F, Args...>> {
  return run_in_executor(get_running_loop(), executor, function, std::forward<Args>(args)...);
}

}  // namespace brio
