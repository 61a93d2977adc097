// What is said of a finished download: a line for people, a line of JSON for programs.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace brio::cli {

/// How one URL ended.
struct GetResult {
  /// As given, but without credentials.
  std::string url = {};
  bool ok = false;
  /// The path of the file, where there is one.
  std::string file = {};
  /// Size of the file, and how much of it came in this run.
  std::uint64_t bytes = 0;
  std::uint64_t received = 0;
  /// Lower-case hex, where it was computed.
  std::string sha256 = {};
  std::chrono::duration<double> elapsed{};
  int retries = 0;
  /// Whether a part from before was gone on with.
  bool resumed = false;
  /// The last status that a server gave; 0 for none.
  int status = 0;
  /// Why it failed; "" where it did not.
  std::string error = {};
};

/// A JSON string with its quotes; bytes that are no UTF-8 become U+FFFD, and what is not printable
/// or changes the writing direction is escaped, for a terminal may show it.
std::string json_string(std::string_view text);
/// One line without its end: {"url": …, "status": "ok", "file": …, …}.
std::string json_line(const GetResult& result);
/// One line without its end: "saved a.txt (1.2 KiB in 0.1 s)" or "failed http://…: why".
std::string plain_line(const GetResult& result);

}  // namespace brio::cli
