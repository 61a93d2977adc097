#include <brio/os/worker.hpp>

#include <algorithm>
#include <csignal>
#include <sched.h>
#include <thread>

namespace brio {

namespace detail {

std::vector<int> processor_numbers() {
  std::vector<int> processors;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int i = 0; i < CPU_SETSIZE; ++i)
      if (CPU_ISSET(i, &set)) processors.push_back(i);
  } else {  // more processors than a set has room for
    const int count = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
    for (int i = 0; i < count; ++i) processors.push_back(i);
  }
  return processors;
}

bool has_default_action(int signal_number) noexcept {
  struct sigaction current{};
  return sigaction(signal_number, nullptr, &current) == 0 && current.sa_handler == SIG_DFL;
}

std::string worker_name(std::size_t index) { return "brio-worker-" + std::to_string(index); }

WorkerHost::~WorkerHost() = default;
WorkerFactory::~WorkerFactory() = default;

}  // namespace detail

Worker::Worker(detail::WorkerHost& host, int index, int count)
    : host_(&host),
      index_(index),
      count_(count),
      name_(detail::worker_name(static_cast<std::size_t>(index))) {}

void Worker::told_to_stop() {
  stopping_.store(true, std::memory_order_relaxed);
  stopped_.set();
}

}  // namespace brio
