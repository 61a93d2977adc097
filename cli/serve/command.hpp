// `brio serve` as a whole.
#pragma once

#include "serve/options.hpp"

namespace brio::cli {

/// Serves the folder until it is told to stop and gives the exit status: 0 after a graceful stop
/// (SIGINT, SIGTERM). Throws for what prevents the start: no such folder, a port that is taken, a
/// certificate that cannot be read.
int run_serve(const ServeOptions& options);

}  // namespace brio::cli
