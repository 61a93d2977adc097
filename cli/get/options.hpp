// The command line of `brio get`.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace brio::cli {

struct GetOptions {
  /// As given, in order, those of -i behind those of the command line.
  std::vector<std::string> urls;
  /// -o: the folder for the files.
  std::string directory = ".";
  /// -j: downloads at once.
  int jobs = 8;
  /// --timeout: longest wait for a connection, and for the next bytes.
  std::chrono::milliseconds timeout{30'000};
  /// --retries
  int retries = 3;
  /// --sha256: a file of checksums; "" for none.
  std::string sha256_file;
  /// -q: nothing but failures.
  bool quiet = false;
  /// --json: a line of JSON for each file on standard output.
  bool json = false;
};

/// Reads a list of URLs: one a line, blanks around it, empty lines and those after '#' skipped.
std::vector<std::string> parse_url_list(std::string_view text);

}  // namespace brio::cli
