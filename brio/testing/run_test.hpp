// run_test: the body of a test as a coroutine, on a virtual clock.
//
//     TEST_CASE("a lock is handed on") {
//       brio::testing::run_test([]() -> brio::Coro<> { … });
//     }
//
// Test macros do not take co_await: await into a local, then check it.
#pragma once

#include <brio/core/runner.hpp>
#include <brio/testing/virtual_clock.hpp>

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace brio::testing {

/// How run_test runs.
struct TestOptions {
  /// The loop's debug mode.
  bool debug = true;
  /// Handles and task steps after which the test counts as hanging; 0: any number. It ends what
  /// spins without letting time pass.
  std::size_t step_limit = 10'000'000;
  /// Do not fail for what the loop's exception handler was told.
  bool reports_allowed = false;
  /// How the virtual clock behaves.
  VirtualClockOptions clock = {.time_limit = std::chrono::hours(24 * 366)};
};

/// The loop's exception handler was told of something that the test did not expect: an error that
/// was never retrieved, a callback that threw, a task destroyed while pending.
class BRIO_API UnexpectedReport : public RuntimeError {
public:
  using RuntimeError::RuntimeError;
  UnexpectedReport(const UnexpectedReport&) = default;
  UnexpectedReport& operator=(const UnexpectedReport&) = default;
  ~UnexpectedReport() override;
};

namespace detail {

/// One test's loop, and what was reported to it.
class BRIO_API TestRun {
public:
  explicit TestRun(TestOptions options);
  TestRun(const TestRun&) = delete;
  TestRun& operator=(const TestRun&) = delete;
  ~TestRun();
  [[nodiscard]] Runner& runner() noexcept { return runner_; }
  /// Closes the loop. Throws UnexpectedReport.
  void finish();

private:
  TestOptions options_;
  std::shared_ptr<std::vector<std::string>> reports_;
  Runner runner_;
};

/// "message: Type: what" of a report.
BRIO_API std::string describe_report(const ExceptionContext& context);

}  // namespace detail

/// Runs `main` to its end on a virtual loop, as brio::run would: what it leaves unfinished is
/// cancelled. Gives its value or throws its error. Throws HangError if it would hang,
/// UnexpectedReport if it ended well but the loop's exception handler was told of something.
template <class T>
T run_test(Coro<T> main, TestOptions options = {},
           std::source_location where = std::source_location::current()) {
  detail::TestRun test(options);
  if constexpr (std::is_void_v<T>) {
    test.runner().run(std::move(main), std::nullopt, where);
    test.finish();
  } else {
    T value = test.runner().run(std::move(main), std::nullopt, where);
    test.finish();
    return value;
  }
}
/// The same for a callable that returns a Coro; the closure lives until the end.
template <class F>
  requires brio::detail::CoroFunction<F>
auto run_test(F&& main, TestOptions options = {},
              std::source_location where = std::source_location::current()) {
  std::decay_t<F> function(std::forward<F>(main));
  return run_test(function(), options, where);
}

}  // namespace brio::testing
