// One child process of ours: told apart, signalled, waited for and reaped, whatever happens.
#pragma once

#include <brio/core/detail/function.hpp>
#include <brio/core/loop.hpp>
#include <brio/os/descriptor.hpp>

#include <optional>
#include <sys/types.h>

namespace brio::os::detail {

/// A child that was started and is not reaped yet (asyncio's PidfdChildWatcher; where the kernel or
/// a sandbox has no pidfd, its ThreadedChildWatcher).
///
/// Only this object reaps it, in the loop's thread: until then the pid is nobody else's, and a
/// signal cannot hit a stranger. Not so if other code of the program waits for any child; that is
/// noticed, and reported as in asyncio.
class BRIO_API Child {
public:
  explicit Child(pid_t pid) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// Kills and reaps what is not reaped.
  ~Child();

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  /// Calls `exited(returncode)` from a callback of the loop when the child has ended; the child is
  /// reaped then. The return code is negative for a signal, and 255 with a warning when somebody
  /// else has reaped the child. `exited` should hold the owner of this. Throws OSError.
  void watch(EventLoop& loop, brio::detail::UniqueFunction<void(int)> exited);
  /// For who has no loop: reaps the child if it has ended and gives its return code, as `exited`
  /// would get it; once. Not for a watched one (subprocess.Popen.poll).
  [[nodiscard]] std::optional<int> poll() noexcept;
  /// Readable once the child has ended; -1 where there is none. Not for a watched one.
  [[nodiscard]] int pidfd() const noexcept { return pidfd_.fileno(); }
  /// In a forked process, whose sibling the child is: closes the descriptor, reaps and kills
  /// nothing.
  void forget() noexcept;
  /// Has it not ended yet? Does not reap.
  [[nodiscard]] bool running() const noexcept;
  /// kill(2). Does nothing to a child that is reaped. Throws OSError, but not for a missing one.
  void send_signal(int number);
  /// Nobody will be told any more: stops the watch, kills the child if it runs, and reaps it. True
  /// if it did run.
  bool abandon() noexcept;

  /// For tests: false makes every new watch take the way without pidfd. True at first.
  static void allow_pidfd(bool allowed) noexcept;

private:
  void watch_by_thread(EventLoop& loop);
  void ended();
  int reap() noexcept;

  pid_t pid_;
  Descriptor pidfd_;
  EventLoop* loop_ = nullptr;
  bool watched_ = false;  // pidfd_ has a reader
  bool reaped_ = false;
  brio::detail::UniqueFunction<void(int)> exited_;
  Future<> thread_done_;
};

}  // namespace brio::os::detail
