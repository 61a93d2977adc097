// SIGINT belongs to the Runner of the main thread while that runs.
#pragma once

#include <brio/core/config.hpp>

namespace brio::detail {

/// Gives SIGINT back to the Runner that runs now and takes it, else its default action: what
/// remove_signal_handler(SIGINT) does, as Python gives it back to KeyboardInterrupt.
BRIO_API void restore_sigint() noexcept;

}  // namespace brio::detail
