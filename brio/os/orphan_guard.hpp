// Inside brio/os: ends a worker process whose supervisor was killed, should its loop be blocked and
// not notice.
//
// A forked process gets a signal when the thread that forked it ends (PR_SET_PDEATHSIG). Here this
// is sound: that thread is in run_worker_processes, which does not return while there are workers.
// The signal starts a timer, and the timer ends the process, whatever its threads are doing.
#pragma once

#include <brio/core/time.hpp>

#include <string_view>
#include <sys/types.h>

namespace brio::detail {

/// To be called once in a worker: when `supervisor`, which has forked it, has died, the process
/// has so much time left; then it says so in the name of `name` and ends with 1. Takes the signal
/// SIGRTMAX. Does nothing where the kernel has no timer for it.
void end_when_orphaned(pid_t supervisor, Duration time_left, std::string_view name) noexcept;

}  // namespace brio::detail
