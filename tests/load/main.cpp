// Load and endurance: `brio_load WHAT --option value…`. Each prints a line of what it measured and
// ends with status 1 if something does not hold. `make soak` runs them at full size, `make test`
// small.
#include "load.hpp"

#include <brio/core/runner.hpp>
#include <brio/engine/io_uring.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <malloc.h>
#include <map>
#include <random>
#include <unistd.h>

namespace brio::load {

namespace {
constexpr std::size_t period = 1'000'003;
}

Pattern::Pattern() : bytes_(period, '\0') {
  std::mt19937 random(20'26);
  std::ranges::generate(bytes_, [&random] { return static_cast<char>(random()); });
}

std::string_view Pattern::at(std::uint64_t position, std::size_t size) const {
  return std::string_view(bytes_).substr(position % period, size);
}

void Pattern::check(std::uint64_t position, std::string_view bytes) const {
  while (!bytes.empty()) {
    const std::string_view expected = at(position, bytes.size());
    if (bytes.substr(0, expected.size()) != expected) {
      const auto place = std::ranges::mismatch(bytes, expected).in1 - bytes.begin();
      throw Failure("byte " + std::to_string(position + static_cast<std::uint64_t>(place)) +
                    " came wrong");
    }
    position += expected.size();
    bytes.remove_prefix(expected.size());
  }
}

Holdings holdings(EventLoop& loop) {
  Holdings now;
  const struct mallinfo2 heap = ::mallinfo2();
  now.heap = heap.uordblks + heap.hblkhd;
  std::ifstream("/proc/self/statm") >> now.resident >> now.resident;
  now.resident *= static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  now.descriptors = static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
  if (const auto* uring = dynamic_cast<const engine::UringEngine*>(&loop.engine()))
    now.in_flight = uring->counts().in_flight;
  return now;
}

std::string Arguments::word(std::size_t index) const {
  return index < values_.size() ? values_[index] : "";
}

std::string Arguments::text(std::string_view name, std::string_view otherwise) const {
  for (std::size_t i = 0; i + 1 < values_.size(); ++i)
    if (values_[i] == name) return values_[i + 1];
  return std::string(otherwise);
}

std::uint64_t Arguments::number(std::string_view name, std::uint64_t otherwise) const {
  const std::string given = text(name, "");
  if (given.empty()) return otherwise;
  std::size_t end = 0;
  std::uint64_t value = std::stoull(given, &end);
  const std::string unit = given.substr(end);
  if (!unit.empty() && unit != "K" && unit != "M" && unit != "G")
    throw Failure("what is " + given + "?");
  for (const char each : {'G', 'M', 'K'})
    if (!unit.empty() && std::string("KMG").find(unit[0]) >= std::string("KMG").find(each))
      value *= 1024;
  return value;
}

}  // namespace brio::load

int main(int argc, char** argv) {
  using namespace brio::load;
  const std::map<std::string, brio::Coro<> (*)(Arguments)> jobs = {
      {"connections", connections}, {"hold", hold}, {"echo", echo}, {"cat", cat}, {"soak", soak}};
  const auto job = jobs.find(argc > 1 ? argv[1] : "");
  if (job == jobs.end()) {
    std::fputs("usage: brio_load connections|echo|soak [--option value]…\n", stderr);
    return 2;
  }
  try {
    brio::run(job->second(Arguments(argc, argv)));
  } catch (const Failure& failure) {
    std::fprintf(stderr, "brio_load %s: %s\n", argv[1], failure.what());
    return 1;
  }
  return 0;
}
