#include <brio/os/worker_processes.hpp>

#include <brio/core/runner.hpp>
#include <brio/os/supervisor.hpp>

#include <cerrno>
#include <cstddef>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <unistd.h>

namespace brio::detail {

namespace {

#if defined(__SANITIZE_THREAD__)
constexpr std::size_t threads_of_ours = 2;  // the sanitizer has one
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
constexpr std::size_t threads_of_ours = 2;
#else
constexpr std::size_t threads_of_ours = 1;
#endif
#else
constexpr std::size_t threads_of_ours = 1;
#endif

// How many threads run this program's code; 1 where there is no /proc to tell.
std::size_t count_threads() {
  std::size_t count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task", error)) {
    std::string name;
    std::ifstream(entry.path() / "comm") >> name;
    if (!name.starts_with("iou-")) ++count;  // those are io_uring's, in the kernel
  }
  return count == 0 ? 1 : count;
}

void refuse_threads() {
  // One that was joined may be seen for a moment yet.
  for (int patience = 200; count_threads() > threads_of_ours; --patience) {
    if (patience == 0)
      throw RuntimeError(
          "brio::run_worker_processes() must be called before the program has other threads: it "
          "forks, and " +
          std::to_string(count_threads() - threads_of_ours) + " would be missing in the workers");
    const timespec millisecond{0, 1'000'000};
    (void)::nanosleep(&millisecond, nullptr);
  }
}

}  // namespace

void run_worker_processes(int n, WorkerFactory& factory, const WorkerProcessOptions& options) {
  if (n < 0) throw ValueError("run_worker_processes: the number of workers must not be negative");
  if (running_loop_or_null())
    throw RuntimeError("brio::run_worker_processes() cannot be called from a running event loop");
  refuse_threads();
  install_terminate_handler();
  const std::size_t count = n == 0 ? processor_numbers().size() : static_cast<std::size_t>(n);
  Supervisor(count, factory, options).run();
}

}  // namespace brio::detail
