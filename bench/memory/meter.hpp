// Bytes that a hundred thousand sleeping tasks take, for the memory program of each library.
//
// Linked in, it replaces operator new to count what is asked for: small blocks are tasks, frames
// and the like; big ones (64 KiB and more) are the arrays that grow, such as a heap of timers.
#pragma once

#include <cstddef>

namespace bench {

inline constexpr std::size_t sleepers = 100'000;

/// Bytes asked of operator new and not given back, by kind of block.
struct Heap {
  std::size_t small_bytes;
  std::size_t small_blocks;
  std::size_t big_bytes;
};
[[nodiscard]] Heap heap() noexcept;
/// Resident memory of this process.
[[nodiscard]] std::size_t resident_bytes();

/// Measures from construction on; report() prints a line of JSON with bytes per task.
class MemoryMeter {
public:
  MemoryMeter();
  void report() const;

private:
  Heap before_;
  std::size_t resident_;
};

}  // namespace bench
