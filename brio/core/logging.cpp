#include <brio/core/logging.hpp>

#include <atomic>
#include <cstdio>
#include <string>

namespace brio {

namespace {

void to_stderr(const LogRecord& record) {
  if (record.level < LogLevel::warning) return;
  // One write, so that lines of several threads do not mix.
  std::string line(record.message);
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

std::atomic<LogHook> current_hook{&to_stderr};

}  // namespace

LogHook set_log_hook(LogHook hook) noexcept {
  const LogHook before = current_hook.exchange(hook ? hook : &to_stderr);
  return before == &to_stderr ? nullptr : before;
}

void log(LogLevel level, std::string_view logger, std::string_view message) noexcept {
  try {
    current_hook.load()(LogRecord{level, logger, message});
  } catch (...) {
    // A report that cannot be made must not take the program down.
  }
}

}  // namespace brio
