#include <brio/testing/run_test.hpp>

namespace brio::testing {

UnexpectedReport::~UnexpectedReport() = default;

namespace detail {

std::string describe_report(const ExceptionContext& context) {
  std::string text = context.message;
  if (context.exception)
    text += ": " + type_name(context.exception) + ": " + describe(context.exception);
  return text;
}

TestRun::TestRun(TestOptions options)
    : options_(options),
      reports_(std::make_shared<std::vector<std::string>>()),
      runner_({.debug = options_.debug,
               .loop_factory = [clock = options_.clock] { return virtual_loop(clock); },
               .handle_sigint = false}) {
  EventLoop& loop = runner_.get_loop();
  if (!options_.reports_allowed)
    loop.set_exception_handler([reports = reports_](EventLoop&, const ExceptionContext& context) {
      reports->push_back(describe_report(context));
    });
  if (const std::size_t limit = options_.step_limit; limit > 0)
    loop.set_step_hook([&loop, limit, left = limit]() mutable {
      if (--left > 0) return;
      left = limit;  // for the clean-up, which may spin as well
      throw HangError("the step limit of the test is used up: it would hang\n" +
                      describe_tasks(loop));
    });
}

TestRun::~TestRun() = default;

void TestRun::finish() {
  runner_.close();
  if (reports_->empty()) return;
  std::string text = "the loop's exception handler was told:";
  for (const std::string& report : *reports_) text += "\n  " + report;
  throw UnexpectedReport(text);
}

}  // namespace detail
}  // namespace brio::testing
