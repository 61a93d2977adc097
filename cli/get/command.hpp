// `brio get` as a whole.
#pragma once

#include "get/options.hpp"

namespace brio::cli {

/// Downloads what the options say and gives the exit status: 0 when all came, 1 when any failed,
/// 130 after an interrupt, 143 after a SIGTERM. Throws for what prevents the start at all (a folder
/// that cannot be made, a file of checksums that cannot be read).
int run_get(const GetOptions& options);

}  // namespace brio::cli
