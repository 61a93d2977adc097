// Bytes that a hundred thousand sleeping tasks take, for the memory program of each library.
#pragma once

#include <cstddef>

namespace bench {

inline constexpr std::size_t sleepers = 100'000;

/// Bytes in use, by what malloc says of itself (its own headers included).
struct Memory {
  /// Blocks below 64 KiB: tasks, frames and the like.
  std::size_t blocks = 0;
  /// Larger ones: the arrays that grow, such as a heap of timers.
  std::size_t arrays = 0;
  /// Of this process, as the kernel counts.
  std::size_t resident = 0;
};
[[nodiscard]] Memory memory();

/// Measures from construction on; report() prints a line of JSON with bytes per task.
class MemoryMeter {
public:
  MemoryMeter();
  void report() const;

private:
  Memory before_;
};

}  // namespace bench
