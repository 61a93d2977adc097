#include <brio/os/spawn_child.hpp>

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

// System calls without the C library's wrappers: some of those take note of what they did (as the
// thread sanitizer's do), in memory that here is still the parent's. For the same reason nothing
// in this file is instrumented.
#define BRIO_IN_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

namespace brio::os::detail {

namespace {

// struct sigaction as the kernel has it.
struct KernelAction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  std::uint64_t mask;
};

constexpr int exit_status = 127;

BRIO_IN_CHILD void set_default(int number) {
  KernelAction action{};
  action.handler = SIG_DFL;
  ::syscall(SYS_rt_sigaction, number, &action, nullptr, sizeof action.mask);
}

// A handler of the parent's would run here, in the parent's memory, as soon as signals are let in.
BRIO_IN_CHILD void forget_handlers() {
  for (int number = 1; number <= 64; ++number) {
    KernelAction action{};
    if (::syscall(SYS_rt_sigaction, number, nullptr, &action, sizeof action.mask) != 0) continue;
    if (action.handler != SIG_DFL && action.handler != SIG_IGN) set_default(number);
  }
}

// First all out of each other's way, then each to its place.
BRIO_IN_CHILD bool place_descriptors(const SpawnPlan& plan) {
  for (std::size_t i = 0; i < plan.map_count; ++i) {
    plan.report->map = i;
    DescriptorMap& map = plan.maps[i];
    if (map.ours == map.theirs) continue;
    const long copy = ::syscall(SYS_fcntl, map.ours, F_DUPFD_CLOEXEC, plan.above_all);
    if (copy < 0) return false;
    map.ours = static_cast<int>(copy);
  }
  for (std::size_t i = 0; i < plan.map_count; ++i) {
    plan.report->map = i;
    const DescriptorMap& map = plan.maps[i];
    if (map.ours == map.theirs) {
      const long flags = ::syscall(SYS_fcntl, map.ours, F_GETFD);
      if (flags < 0 || ::syscall(SYS_fcntl, map.ours, F_SETFD, flags & ~FD_CLOEXEC) < 0) {
        return false;
      }
    } else if (::syscall(SYS_dup3, map.ours, map.theirs, 0) < 0) {
      return false;
    }
  }
  return true;
}

BRIO_IN_CHILD bool is_kept(const SpawnPlan& plan, int fd) {
  if (fd <= 2) return true;
  for (std::size_t i = 0; i < plan.kept_count; ++i) {
    if (plan.kept[i] == fd) return true;
  }
  return false;
}

// For kernels before 5.9 and sandboxes that forbid close_range: what /proc lists, or else all that
// may be.
BRIO_IN_CHILD void close_one_by_one(const SpawnPlan& plan) {
  struct Entry {
    std::uint64_t inode;
    std::int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[1];
  };
  alignas(Entry) char buffer[4096];
  const long directory =
      ::syscall(SYS_openat, AT_FDCWD, "/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (directory < 0) {
    for (int fd = 3; fd < 65536; ++fd) {
      if (!is_kept(plan, fd)) ::syscall(SYS_close, fd);
    }
    return;
  }
  bool closed_any = true;
  // Closing changes what is being listed: again from the start until nothing is left.
  while (closed_any) {
    closed_any = false;
    ::syscall(SYS_lseek, directory, 0, SEEK_SET);
    long size = 0;
    while ((size = ::syscall(SYS_getdents64, directory, buffer, sizeof buffer)) > 0) {
      for (long at = 0; at < size;) {
        const auto* entry = reinterpret_cast<const Entry*>(buffer + at);
        at += entry->length;
        int fd = 0;
        const char* digit = entry->name;
        while (*digit >= '0' && *digit <= '9') fd = fd * 10 + (*digit++ - '0');
        if (digit == entry->name || fd == directory || is_kept(plan, fd)) continue;
        ::syscall(SYS_close, fd);
        closed_any = true;
      }
    }
  }
  ::syscall(SYS_close, directory);
}

BRIO_IN_CHILD bool close_range(unsigned first, unsigned last) {
#ifdef SYS_close_range
  return ::syscall(SYS_close_range, first, last, 0) == 0;
#else
  (void)first, (void)last;
  return false;
#endif
}

BRIO_IN_CHILD void close_others(const SpawnPlan& plan) {
  unsigned first = 3;
  for (std::size_t i = 0; i < plan.kept_count; ++i) {
    const auto kept = static_cast<unsigned>(plan.kept[i]);
    if (kept > first && !close_range(first, kept - 1)) return close_one_by_one(plan);
    first = kept + 1;
  }
  if (!close_range(first, ~0U)) close_one_by_one(plan);
}

BRIO_IN_CHILD int fail(const SpawnPlan& plan, SpawnStep step, int error) {
  plan.report->error = error;
  plan.report->step = step;
  return exit_status;
}

}  // namespace

BRIO_IN_CHILD int spawn_child(void* argument) noexcept {
  const SpawnPlan& plan = *static_cast<const SpawnPlan*>(argument);
  if (!place_descriptors(plan)) return fail(plan, SpawnStep::descriptors, errno);
  if (plan.directory != nullptr && ::syscall(SYS_chdir, plan.directory) != 0) {
    return fail(plan, SpawnStep::directory, errno);
  }
  if (plan.set_umask) ::syscall(SYS_umask, plan.umask);
  if (plan.restore_signals) {
    set_default(SIGPIPE);
    set_default(SIGXFSZ);
  }
  if (plan.new_session && ::syscall(SYS_setsid) < 0) {
    return fail(plan, SpawnStep::session, errno);
  }
  if (plan.set_group && ::syscall(SYS_setpgid, 0, plan.group) != 0) {
    return fail(plan, SpawnStep::group, errno);
  }
  if (plan.close_others) close_others(plan);
  forget_handlers();
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &plan.signal_mask, nullptr, sizeof plan.signal_mask);

  // As in CPython: a directory that lacks the program is no error as long as another has it.
  int error = ENOENT;
  for (const char* const* file = plan.executables; *file != nullptr; ++file) {
    ::syscall(SYS_execve, *file, plan.arguments, plan.environment);
    if (errno != ENOENT && errno != ENOTDIR) error = errno;
  }
  return fail(plan, SpawnStep::exec, error);
}

}  // namespace brio::os::detail
