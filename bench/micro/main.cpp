#include "jobs.hpp"

int main(int argc, char** argv) {
  std::vector<bench::Job> jobs;
  bench::add_task_jobs(jobs);
  bench::add_timer_jobs(jobs);
  bench::add_sync_jobs(jobs);
  bench::add_group_jobs(jobs);
  return bench::run_jobs(argc, argv, BRIO_BENCH_VERSION, jobs);
}
