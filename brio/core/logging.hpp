// Where brio's own reports go. One hook, no logging library: install a function that hands the
// record to yours. The default writes warnings and errors to standard error.
#pragma once

#include <brio/core/config.hpp>

#include <cstdint>
#include <string_view>

namespace brio {

/// How serious a report is.
enum class LogLevel : std::uint8_t { debug, info, warning, error, critical };

/// One report. The views live for the call.
struct LogRecord {
  /// How serious it is.
  LogLevel level;
  /// The part of brio that speaks: "brio", "brio.net", …
  std::string_view logger;
  /// The text; it may hold several lines.
  std::string_view message;
};

/// Takes a report; must be callable from any thread.
using LogHook = void (*)(const LogRecord&);

/// Installs `hook` (null: the default) and returns the earlier one. Any thread; the hook may be
/// called from several threads at once.
BRIO_API LogHook set_log_hook(LogHook hook) noexcept;
/// Sends a record to the hook.
BRIO_API void log(LogLevel level, std::string_view logger, std::string_view message) noexcept;

}  // namespace brio
