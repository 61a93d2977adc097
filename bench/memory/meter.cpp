#include "meter.hpp"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <malloc.h>
#include <new>
#include <unistd.h>

namespace {

constexpr std::size_t big = 64 * 1024;
bench::Heap now{};

void* counted(void* block) {
  if (!block) throw std::bad_alloc();
  // What malloc made of the request: at delete, only that is known.
  const std::size_t usable = malloc_usable_size(block);
  if (usable >= big) {
    now.big_bytes += usable;
  } else {
    now.small_bytes += usable;
    ++now.small_blocks;
  }
  return block;
}

void uncount(void* block) noexcept {
  if (!block) return;
  const std::size_t usable = malloc_usable_size(block);
  if (usable >= big) {
    now.big_bytes -= usable;
  } else {
    now.small_bytes -= usable;
    --now.small_blocks;
  }
  std::free(block);
}

}  // namespace

void* operator new(std::size_t size) { return counted(std::malloc(size)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  const auto step = static_cast<std::size_t>(alignment);
  return counted(std::aligned_alloc(step, (size + step - 1) / step * step));
}
void operator delete(void* block) noexcept { uncount(block); }
void operator delete(void* block, std::size_t) noexcept { uncount(block); }
void operator delete(void* block, std::align_val_t) noexcept { uncount(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { uncount(block); }

namespace bench {

Heap heap() noexcept { return now; }

std::size_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

MemoryMeter::MemoryMeter() : before_(heap()), resident_(resident_bytes()) {}

void MemoryMeter::report() const {
  const std::size_t resident = resident_bytes();
  const Heap after = heap();
  const auto each = [](std::size_t bytes) {
    return static_cast<double>(bytes) / static_cast<double>(sleepers);
  };
  std::printf(R"({"job": "sleeping_task", "tasks": %zu, "small": %.1f, "blocks": %.2f, )"
              R"("big": %.1f, "resident": %.1f})"
              "\n",
              sleepers, each(after.small_bytes - before_.small_bytes),
              each(after.small_blocks - before_.small_blocks),
              each(after.big_bytes - before_.big_bytes), each(resident - resident_));
}

}  // namespace bench
