// Starting a process.
//
// The child shares our memory (CLONE_VM) and we stand still (CLONE_VFORK) until it has executed the
// program or failed: no page table is copied, whatever our size, and an error needs no pipe to come
// back. The price is that the child may do nothing but system calls, on a stack of its own, with
// everything prepared here beforehand and every signal blocked; spawn_child.cpp is all of it.
#pragma once

#include <brio/os/subprocess_options.hpp>

#include <string>
#include <sys/types.h>
#include <vector>

namespace brio::os::detail {

/// One descriptor for the child.
struct DescriptorMap {
  int ours;
  int theirs;
};

/// A program and how to start it.
struct SpawnRequest {
  /// argv; at least argv[0]. The program is argv[0] unless options.executable names another.
  std::vector<std::string> arguments;
  /// stdin, stdout, stderr and pass_fds of the options are not looked at.
  const SubprocessOptions& options;
  /// What the child gets; no two entries with the same `theirs`.
  std::vector<DescriptorMap> descriptors;
};

/// Starts it and gives its pid once the program runs. Throws OSError that names what failed ("exec
/// of 'xyz' failed: No such file or directory"), ValueError for a zero byte in a string; there is
/// no child then.
[[nodiscard]] pid_t spawn(const SpawnRequest& request);

}  // namespace brio::os::detail
