// The trace kit: behavioural scenarios print one line per observable event, and the lines are the
// same in Python and in C++. This is the C++ twin of the kit that the Python scenarios share; how a
// Python scenario is put into C++ is written in README.md beside this file.
//
//     #include <brio/brio.hpp>
//     #include <brio/testing/trace.hpp>
//     using namespace brio::testing::trace;
//
//     brio::Coro<> hello() { ev("hello", 1, true); co_await ticks(2); }    // prints: hello 1 True
//     int main() { go(hello); }
//
// Environment, as the Python kit's:
//   SEM_LOOP=epoll|io_uring   the engine (default: as BRIO_LOOP says)
//   SEM_UNIT=seconds          length of one time unit U (default 1/32)
//   SEM_CLOCK=virtual         simulated clock: idle time is skipped. Scenarios that need threads,
//                             processes or signals call real_time() and ignore this setting.
//
// Nothing that is specific to one language, process or moment is ever printed: no addresses, no
// ports, no error texts but those of the kit's own errors.
#pragma once

#include <brio/core/ensure_future.hpp>
#include <brio/core/exception_group.hpp>
#include <brio/core/logging.hpp>
#include <brio/core/outcome.hpp>
#include <brio/core/runner.hpp>
#include <brio/core/sleep.hpp>
#include <brio/testing/python_text.hpp>
#include <brio/testing/trace_errors.hpp>
#include <brio/testing/trace_socket.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace brio::testing::trace {

namespace detail {
BRIO_API Duration unit_from_environment();
BRIO_API std::string handler_kind(std::string_view message);
/// Waiting for both clocks' sake: the virtual one is advanced, on the real one the thread sleeps.
BRIO_API void block_for(Duration time);
BRIO_API TimePoint read_clock();
}  // namespace detail

/// One time unit. `3 * U`, `0.5 * U`; SEM_UNIT.
inline const Duration U = detail::unit_from_environment();

/// Writes one line of the trace to standard output and flushes. Any thread.
BRIO_API void emit(std::string_view line);
/// Emits its arguments as Python's print does: `ev("n", 3, None, true)` prints `n 3 None True`.
template <class... Words>
void ev(const Words&... words) {
  std::string line;
  [[maybe_unused]] bool first = true;  // not without words
  ((line += (std::exchange(first, false) ? "" : " ") + str(words)), ...);
  emit(line);
}
/// Runs `function` and gives the lines that it emits instead of printing them.
[[nodiscard]] BRIO_API std::vector<std::string> captured(const std::function<void()>& function);

/// State of a future or task as one word: pending, cancelled, error:Boom(x), result:7.
template <class T>
[[nodiscard]] std::string st(const Future<T>& future) {
  if (!future.done()) return "pending";
  if (future.cancelled()) return "cancelled";
  if (std::exception_ptr error = future.exception()) return "error:" + nm(error);
  if constexpr (std::is_void_v<T>)
    return "result:None";
  else
    return "result:" + str(future.result());
}

/// Gives up control n times.
BRIO_API Coro<> ticks(int n = 1);

/// Called first by scenarios that cannot run on a simulated clock.
BRIO_API void real_time() noexcept;
/// A fresh loop, on the simulated clock if SEM_CLOCK=virtual; a loop_factory.
[[nodiscard]] BRIO_API LoopPtr new_loop();

/// Reports calls of the loop's exception handler in the trace: "HANDLER", the kind of the message
/// as one word, the name of the error. Default: the running loop.
BRIO_API void trap(EventLoop* loop = nullptr);

/// Runs one coroutine function in a fresh loop and tells what escapes: "ESCAPED" and the error's
/// name. Gives its value, None if something escaped.
template <class F>
  requires brio::detail::CoroFunction<F>
auto go(F&& main, RunOptions options = {}) {
  using T = brio::detail::coro_value_t<F>;
  std::decay_t<F> function(std::forward<F>(main));
  std::optional<brio::detail::Stored<T>> value;
  try {
    options.loop_factory = new_loop;
    Runner runner(std::move(options));
    std::exception_ptr error;
    try {
      if constexpr (std::is_void_v<T>)
        runner.run(function());
      else
        value.emplace(runner.run(function()));
    } catch (...) {
      error = std::current_exception();
    }
    runner.close();
    if (error) std::rethrow_exception(std::move(error));
  } catch (...) {
    value.reset();
    ev("ESCAPED", nm(std::current_exception()));
  }
  if constexpr (!std::is_void_v<T>) return value;
}

/// Gives a plain function a fresh loop; closes the loop afterwards.
template <class F>
  requires std::is_invocable_v<F&, EventLoop&>
void drive(F&& function) {
  const LoopPtr loop = new_loop();
  function(*loop);
}

/// Awaits something and emits one line for its outcome: the label, then "value" and the value, or
/// the error's name.
template <brio::detail::Awaitable A>
Coro<> caught(A awaitable, std::string label = "got") {
  auto outcome = co_await as_outcome(std::move(awaitable));
  if (!outcome.has_value())
    ev(label, nm(outcome.error()));
  else if constexpr (std::is_void_v<typename decltype(outcome)::value_type>)
    ev(label, "value", None);
  else
    ev(label, "value", outcome.value());
}

/// Awaits something whose result is bytes: `caught(bytes_of(r.read(1)))`,
/// `create_task(bytes_of(…))`.
template <brio::detail::Awaitable A>
Coro<Bytes> bytes_of(A awaitable) {
  co_return Bytes{co_await std::move(awaitable)};
}

/// Awaits something and drops its value, for what has no text:
/// `caught(no_value(open_connection(…)))`.
template <brio::detail::Awaitable A>
Coro<> no_value(A awaitable) {
  (void)co_await std::move(awaitable);
}

/// A tuple as the list that it is in Python: `ev(as_list(co_await gather(a(), b())))`.
template <class... Ts>
[[nodiscard]] std::string as_list(const std::tuple<Ts...>& items) {
  std::string text = repr(items);
  if (sizeof...(Ts) == 1) text.erase(text.size() - 2, 1);
  text.front() = '[';
  text.back() = ']';
  return text;
}

/// Calls a function at the end of the scope, also when an error leaves it: Python's `finally` for
/// what does not await (brio::try_finally is for what does).
template <class F>
class Finally {
public:
  explicit Finally(F function) : function_(std::move(function)) {}
  Finally(const Finally&) = delete;
  Finally& operator=(const Finally&) = delete;
  ~Finally() { function_(); }

private:
  F function_;
};

/// Blocks the loop's thread for n time units.
inline void block(double n) {
  detail::block_for(Duration(static_cast<Duration::rep>(n * static_cast<double>(U.count()))));
}

/// Gives a function that tells the time units elapsed since this call.
[[nodiscard]] inline auto stopwatch() {
  return [start = detail::read_clock()] {
    return static_cast<double>((detail::read_clock() - start).count()) /
           static_cast<double>(U.count());
  };
}

/// One record that brio has logged.
struct Logged {
  /// How serious it was.
  LogLevel level;
  /// Its text.
  std::string message;
};

/// While it lives, brio's log goes here instead of nowhere (the kit silences it, as the Python kit
/// silences asyncio's logger). Records below `level` are dropped.
class BRIO_API LogCapture {
public:
  explicit LogCapture(LogLevel level);
  LogCapture(const LogCapture&) = delete;
  LogCapture& operator=(const LogCapture&) = delete;
  ~LogCapture();
  /// What was logged so far.
  std::vector<Logged> records;

private:
  static void take(const LogRecord& record);
  LogLevel level_;
};
/// "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL": Python's names.
[[nodiscard]] BRIO_API std::string level_name(LogLevel level);

}  // namespace brio::testing::trace
