// What a child does between clone and exec. Nothing here allocates, locks or throws.
#pragma once

#include <brio/os/spawn.hpp>

#include <cstddef>
#include <cstdint>

namespace brio::os::detail {

/// How far a child has got.
enum class SpawnStep : int { none, descriptors, directory, session, group, exec };

/// Everything that the child needs; it lives in the parent's frame.
struct SpawnPlan {
  const char* const* executables = nullptr;  // tried in turn; ends with null
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* directory = nullptr;  // null: ours
  DescriptorMap* maps = nullptr;    // changed by the child
  std::size_t map_count = 0;
  int above_all = 3;          // greater than every number in the child
  const int* kept = nullptr;  // what stays open, ascending, all above 2
  std::size_t kept_count = 0;
  std::uint64_t signal_mask = 0;  // the kernel's form
  bool close_others = true;
  bool restore_signals = true;
  bool new_session = false;
  bool set_group = false;
  pid_t group = 0;
  bool set_umask = false;
  mode_t umask = 0;

  /// In memory that both processes share: what has failed, and with which errno.
  struct Report {
    SpawnStep step;
    int error;
    std::size_t map;  // which descriptor, for SpawnStep::descriptors
  };
  volatile Report* report = nullptr;
};

/// The child's main; the argument is a SpawnPlan. Returns only when something has failed.
int spawn_child(void* plan) noexcept;

}  // namespace brio::os::detail
