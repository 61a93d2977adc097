// The command line of `brio`.
#pragma once

#include "get/options.hpp"
#include "serve/options.hpp"

#include <optional>
#include <string>

namespace brio::cli {

/// What the command line asks for.
struct Arguments {
  /// Options of `brio get`, with the URLs of -i behind those given.
  std::optional<GetOptions> get;
  /// Options of `brio serve`.
  std::optional<ServeOptions> serve;
  /// Where both are empty: leave with this status, after `text` on standard output or error.
  int status = 0;
  std::string text;
};

/// Reads the command line, and the file of -i. Throws OSError where that cannot be read.
Arguments parse_arguments(int argc, const char* const* argv);

}  // namespace brio::cli
