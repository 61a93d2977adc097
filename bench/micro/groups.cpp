// Many children at once. One operation: one child, created, run and collected.
#include "jobs.hpp"

#include <brio/core/gather.hpp>
#include <brio/core/taskgroup.hpp>

namespace bench {

namespace {

brio::Coro<> gather_of(Meter& meter, std::size_t children) {
  while (meter.again()) {
    meter.start();
    for (std::size_t round = 0; round < meter.operations() / children; ++round) {
      std::vector<brio::Coro<int>> coros;
      coros.reserve(children);
      for (std::size_t i = 0; i < children; ++i) coros.push_back(trivial(1));
      keep((co_await brio::gather(std::move(coros))).size());
    }
    meter.stop();
  }
}
brio::Coro<> gather_1k(Meter& meter) { return gather_of(meter, 1000); }
brio::Coro<> gather_100k(Meter& meter) { return gather_of(meter, 100'000); }

brio::Coro<> task_group_1k(Meter& meter) {
  while (meter.again()) {
    meter.start();
    for (std::size_t round = 0; round < meter.operations() / 1000; ++round) {
      co_await brio::task_group([](brio::TaskGroup& group) -> brio::Coro<> {
        for (int i = 0; i < 1000; ++i) group.create_task(nothing());
        co_return;
      });
    }
    meter.stop();
  }
}

}  // namespace

void add_group_jobs(std::vector<Job>& jobs) {
  jobs.push_back(job("gather_1k", 100'000, gather_1k));
  jobs.push_back(job("gather_100k", 100'000, gather_100k));
  jobs.push_back(job("task_group_1k", 100'000, task_group_1k));
}

}  // namespace bench
