#include "meter.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bench {

std::vector<double> Meter::samples() const {
  if (nanoseconds_.empty()) return {};
  return {nanoseconds_.begin() + 1, nanoseconds_.end()};
}

int run_jobs(int argc, char** argv, const char* version, const std::vector<Job>& jobs) {
  if (argc >= 2 && std::strcmp(argv[1], "--version") == 0) {
    std::puts(version);
    return 0;
  }
  if (argc >= 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const Job& job : jobs) std::printf("%s %zu\n", job.name.c_str(), job.operations);
    return 0;
  }
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s --list | --version | <job> [samples [operations]]\n", argv[0]);
    return 2;
  }
  const std::size_t samples = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 11;
  for (const Job& job : jobs) {
    if (job.name != argv[1]) continue;
    const std::size_t operations = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : job.operations;
    Meter meter(operations, samples);
    job.run(meter);
    std::vector<double> nanoseconds = meter.samples();
    if (nanoseconds.empty()) return 0;
    std::sort(nanoseconds.begin(), nanoseconds.end());
    std::printf(R"({"job": "%s", "operations": %zu, "samples": %zu, "min": %.3f, )"
                R"("median": %.3f, "max": %.3f})"
                "\n",
                job.name.c_str(), operations, nanoseconds.size(), nanoseconds.front(),
                nanoseconds[nanoseconds.size() / 2], nanoseconds.back());
    return 0;
  }
  std::fprintf(stderr, "%s: no job %s\n", argv[0], argv[1]);
  return 2;
}

}  // namespace bench
