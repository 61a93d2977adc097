#include "meter.hpp"

#include <cstdio>
#include <fstream>
#include <malloc.h>
#include <unistd.h>

namespace bench {

namespace {

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

Memory memory() {
  const struct mallinfo2 info = mallinfo2();
  return {info.uordblks, info.hblkhd, resident_bytes()};
}

MemoryMeter::MemoryMeter() {
  // Said out loud, the threshold stays where it is; else malloc raises it as arrays grow.
  mallopt(M_MMAP_THRESHOLD, 64 * 1024);
  before_ = memory();
}

void MemoryMeter::report() const {
  const Memory after = memory();
  const auto each = [](std::size_t now, std::size_t before) {
    return (static_cast<double>(now) - static_cast<double>(before)) / static_cast<double>(sleepers);
  };
  std::printf(R"({"tasks": %zu, "blocks": %.1f, "arrays": %.1f, "resident": %.1f})"
              "\n",
              sleepers, each(after.blocks, before_.blocks), each(after.arrays, before_.arrays),
              each(after.resident, before_.resident));
}

}  // namespace bench
