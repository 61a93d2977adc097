#include <brio/exec/process_pool.hpp>

#include <brio/exec/process_manager.hpp>

#include <csignal>

namespace brio {

void detail::throw_no_process_pool() {
  throw ValueError(
      "run_in_executor: the ProcessPoolExecutor is null; for the default executor, pass nullptr");
}

ProcessPoolExecutor::ProcessPoolExecutor(ProcessPoolOptions options)
    : pool_(std::make_shared<detail::ProcessPool>(std::move(options))) {
  detail::PoolRegistry::join_ended();
}

ProcessPoolExecutor::ProcessPoolExecutor(ProcessPoolExecutor&& other) noexcept = default;

ProcessPoolExecutor& ProcessPoolExecutor::operator=(ProcessPoolExecutor&& other) noexcept {
  if (this == &other) return *this;
  close();
  pool_ = std::move(other.pool_);
  return *this;
}

ProcessPoolExecutor::~ProcessPoolExecutor() { close(); }

void ProcessPoolExecutor::close() noexcept {
  if (!pool_ || pool_->was_shut_down()) return;
  // The last handle may go in a done-callback, which runs in the pool's own thread.
  pool_->shutdown({.wait = !pool_->inside()});
}

int ProcessPoolExecutor::max_workers() const noexcept { return pool_ ? pool_->max_workers() : 0; }

void ProcessPoolExecutor::submit_job(detail::RemoteJob job, std::exception_ptr error) {
  if (!pool_) throw RuntimeError("cannot schedule new futures after shutdown");
  pool_->submit(std::move(job), std::move(error));
}

bool ProcessPoolExecutor::shutdown(ShutdownOptions options) {
  return !pool_ || pool_->shutdown(options);
}

void ProcessPoolExecutor::terminate_workers() {
  if (pool_) pool_->shutdown({.wait = false, .cancel_futures = true}, SIGTERM);
}

void ProcessPoolExecutor::kill_workers() {
  if (pool_) pool_->shutdown({.wait = false, .cancel_futures = true}, SIGKILL);
}

}  // namespace brio
