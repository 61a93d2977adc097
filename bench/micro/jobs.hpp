// The jobs of the micro program, in brio. bench/limit has them by hand, bench/asio in Asio.
#pragma once

#include "../meter.hpp"

#include <brio/core/runner.hpp>

namespace bench {

/// A job that is a coroutine and runs on a loop of its own.
inline Job job(const char* name, std::size_t operations, brio::Coro<> (*function)(Meter&)) {
  return {name, operations, [function](Meter& meter) { brio::run(function(meter)); }};
}

// Behind a call, so that the caller cannot keep the frame in its own.
brio::Coro<int> trivial(int value);
brio::Coro<> nothing();

// Each file's share of the list.
void add_task_jobs(std::vector<Job>& jobs);
void add_timer_jobs(std::vector<Job>& jobs);
void add_sync_jobs(std::vector<Job>& jobs);
void add_group_jobs(std::vector<Job>& jobs);

}  // namespace bench
