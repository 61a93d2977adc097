#include <brio/exec/pool_registry.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/logging.hpp>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <pthread.h>
#include <utility>
#include <vector>

namespace brio::detail {

namespace {

using Pools = std::vector<std::shared_ptr<PoolOfThreads>>;

std::atomic<unsigned> generation{0};
std::atomic<bool> at_exit{false};

// Never destroyed: threads and static objects may use it until the very end.
struct Registry {
  std::mutex mutex;
  Pools pools;
  Pools forgotten;  // the parent's, in a forked child
};
Registry& registry();

void join_all() noexcept {
  at_exit.store(true);
  Pools pools;
  {
    const std::lock_guard lock(registry().mutex);
    pools = registry().pools;
  }
  for (const auto& pool : pools) {
    if (!pool->finish_and_join())
      log(LogLevel::warning, "brio.concurrent", "the process exits from a thread of a pool");
  }
}

void before_fork() noexcept { registry().mutex.lock(); }
void in_parent() noexcept { registry().mutex.unlock(); }
void in_child() noexcept {
  generation.fetch_add(1, std::memory_order_relaxed);
  // The threads are not here: their pools cannot be joined and must not be destroyed.
  for (auto& pool : registry().pools) registry().forgotten.push_back(std::move(pool));
  registry().pools.clear();
  registry().mutex.unlock();
}

Registry& registry() {
  static Registry* const instance = [] {
    pthread_atfork(before_fork, in_parent, in_child);
    std::atexit(join_all);
    return new Registry;
  }();
  return *instance;
}

}  // namespace

void PoolRegistry::add(std::shared_ptr<PoolOfThreads> pool) {
  const std::lock_guard lock(registry().mutex);
  if (at_exit.load())
    throw RuntimeError("cannot schedule new futures after process exit has begun");
  Pools& pools = registry().pools;
  if (std::find(pools.begin(), pools.end(), pool) == pools.end()) pools.push_back(std::move(pool));
}

void PoolRegistry::join_ended() {
  Pools ended;
  {
    const std::lock_guard lock(registry().mutex);
    for (const auto& pool : registry().pools)
      if (pool->threads_ended()) ended.push_back(pool);
  }
  for (const auto& pool : ended) pool->finish_and_join();
}

void PoolRegistry::remove(const PoolOfThreads& pool) noexcept {
  std::shared_ptr<PoolOfThreads> last;
  const std::lock_guard lock(registry().mutex);
  const auto at = std::find_if(registry().pools.begin(), registry().pools.end(),
                               [&](const auto& entry) { return entry.get() == &pool; });
  if (at == registry().pools.end()) return;
  last = std::move(*at);
  registry().pools.erase(at);
}

bool PoolRegistry::exiting() noexcept { return at_exit.load(); }

unsigned PoolRegistry::fork_generation() noexcept {
  return generation.load(std::memory_order_relaxed);
}

}  // namespace brio::detail
