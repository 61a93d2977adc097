// Which failures are worth another try, and when.
#pragma once

#include <chrono>
#include <exception>
#include <optional>
#include <string_view>

namespace brio::cli {

/// How often and how patiently.
struct RetryPolicy {
  /// Tries after the first one.
  int retries = 3;
  /// The wait before the first of them; each further wait is twice as long, …
  std::chrono::milliseconds base{500};
  /// … but no longer than this, …
  std::chrono::milliseconds longest{30'000};
  /// … and a server that asks (Retry-After) for more than this is not waited for.
  std::chrono::seconds longest_asked{120};
};

/// Whether a status may be another one later: 408, 425, 429, 500, 502, 503, 504.
bool may_retry_status(int status) noexcept;

/// Whether a failed try may succeed later: lost or refused connections, timeouts, bodies cut short,
/// name servers that do not answer. Not: bad URLs, certificates, redirects without end, messages
/// that are no HTTP, names that do not exist, a full disk.
bool may_retry(const std::exception_ptr& error) noexcept;

/// How long to wait before try number `attempt` (1 is the first retry), or nothing to give up.
/// `random` in [0, 1) spreads the waits of many (the wait is 50 to 100 % of the nominal one);
/// `asked` is the server's Retry-After, which is waited for at least.
std::optional<std::chrono::milliseconds> retry_delay(const RetryPolicy& policy, int attempt,
                                                     double random,
                                                     std::optional<std::chrono::seconds> asked);

}  // namespace brio::cli
