// The main of every test binary: debug mode on, and a watchdog that names the test that hangs.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>
#include <unistd.h>

namespace {

// Seconds that one test case may take before the watchdog calls it hung. No test depends on speed:
// this is far above what any needs, and only turns a silent time-out of the whole binary into the
// name of one test. BRIO_TEST_WATCHDOG overrides it; 0 turns it off (for a debugger).
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr long default_seconds = 600;
#else
constexpr long default_seconds = 120;
#endif

// Read by the signal handler, so a plain buffer. Written while the timer is disarmed.
char running_test[512];

void write_error(std::string_view text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

extern "C" void hung(int) {
  write_error("\nbrio: this test hangs: ");
  write_error(running_test);
  write_error("\n");
  std::abort();
}

// A POSIX timer with a real-time signal of its own: alarm() and SIGALRM belong to the tests, and a
// watching thread would disturb those that fork or count threads.
class Watchdog : public doctest::IReporter {
public:
  explicit Watchdog(const doctest::ContextOptions&) {
    if (const char* text = std::getenv("BRIO_TEST_WATCHDOG")) seconds_ = std::atol(text);
    if (seconds_ <= 0) return;
    struct sigaction action{};
    action.sa_handler = hung;
    sigaction(SIGRTMAX - 1, &action, nullptr);
    sigevent event{};
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGRTMAX - 1;
    armed_ = timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0;
  }

  void test_case_start(const doctest::TestCaseData& test) override {
    set(0);
    const std::size_t length = std::min(std::strlen(test.m_name), sizeof running_test - 1);
    std::memcpy(running_test, test.m_name, length);
    running_test[length] = '\0';
    set(seconds_);
  }
  void test_case_end(const doctest::CurrentTestCaseStats&) override { set(0); }

  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}

private:
  void set(long seconds) const {
    if (!armed_) return;
    itimerspec when{};
    when.it_value.tv_sec = seconds;
    timer_settime(timer_, 0, &when, nullptr);
  }

  long seconds_ = default_seconds;
  bool armed_ = false;
  timer_t timer_{};
};

REGISTER_LISTENER("watchdog", 1, Watchdog);

}  // namespace

// A room defines it to have a word before the tests; the exec room's worker processes begin there.
__attribute__((weak)) void brio_before_tests(int argc, char** argv);

int main(int argc, char** argv) {
  if (brio_before_tests) brio_before_tests(argc, argv);
  ::setenv("BRIO_DEBUG", "1", 0);
  doctest::Context context;
  context.applyCommandLine(argc, argv);
  return context.run();
}
