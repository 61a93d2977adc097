// A clock that tests command: idle time is skipped, so an hour of timeouts takes no time and a
// trace does not depend on the machine's load (trio's MockClock with autojump).
//
//     auto loop = brio::testing::virtual_loop();
//     loop->run_until_complete(brio::ensure_future(brio::sleep(1h)));   // returns at once
//
// Real sockets work: when nothing is ready the engine beneath is given a moment, and the clock
// jumps to the next timer only if it has nothing either. A test that would wait for ever gets a
// HangError instead, which says what each task waits for.
#pragma once

#include <brio/core/engine.hpp>
#include <brio/core/exceptions.hpp>
#include <brio/core/loop.hpp>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

namespace brio::testing {

/// Nothing can happen any more, or too much time or too many steps have passed: the test would
/// hang. what() lists the unfinished tasks and where each of them waits.
class BRIO_API HangError : public RuntimeError {
public:
  using RuntimeError::RuntimeError;
  HangError(const HangError&) = default;
  HangError& operator=(const HangError&) = default;
  ~HangError() override;
};

/// The time of a VirtualClockEngine. Shared, so that a test can read it when the loop is gone.
struct VirtualTime {
  /// The simulated moment.
  TimePoint now{};
};

/// How a VirtualClockEngine behaves.
struct VirtualClockOptions {
  /// The first reading. Not zero, so that code which takes "time zero" for "never" is found out.
  TimePoint start = TimePoint(std::chrono::seconds(1000));
  /// What each reading adds. With zero, the default, a sleep takes exactly what it was told to.
  Duration tick = Duration::zero();
  /// Real time that watched descriptors get before the clock jumps.
  Duration io_wait = std::chrono::milliseconds(2);
  /// Real time to wait for descriptors or other threads when there is no timer to jump to, and for
  /// work that another thread has in hand (run_in_executor) even when there is one.
  Duration patience = std::chrono::seconds(20);
  /// Virtual time after which the test counts as hanging. Null: never.
  std::optional<Duration> time_limit = std::nullopt;
};

/// An engine with a simulated clock around a real one.
///
/// When nothing is ready: work of other threads that will come back to the loop is waited for;
/// watched descriptors are polled for `io_wait`; then the clock jumps to the next timer. Without a
/// timer, descriptors and threads get `patience`, and then poll throws HangError; at once if there
/// are neither, because nothing could come.
class BRIO_API VirtualClockEngine final : public Engine {
public:
  /// Around `inner`, by default the engine that policy and BRIO_LOOP choose.
  explicit VirtualClockEngine(VirtualClockOptions options = {},
                              std::unique_ptr<Engine> inner = nullptr);
  ~VirtualClockEngine() override;

  [[nodiscard]] const char* name() const noexcept override { return "virtual"; }
  [[nodiscard]] TimePoint now() override { return time_->now += options_.tick; }
  void watch(int fd, Interest interest) override { inner_->watch(fd, interest); }
  void adopt(int fd, Purpose purpose) override { inner_->adopt(fd, purpose); }
  void forget(int fd) noexcept override { inner_->forget(fd); }
  [[nodiscard]] Transfer receive(int fd, std::span<char> scratch) noexcept override {
    return inner_->receive(fd, scratch);
  }
  [[nodiscard]] int accept(int fd, sockaddr* peer, unsigned* length) noexcept override {
    return inner_->accept(fd, peer, length);
  }
  [[nodiscard]] int accept_rest(int fd, sockaddr* peer, unsigned* length) noexcept override {
    return inner_->accept_rest(fd, peer, length);
  }
  [[nodiscard]] Transfer send(int fd, const iovec* parts, std::size_t count) noexcept override {
    return inner_->send(fd, parts, count);
  }
  [[nodiscard]] bool watching() const noexcept override { return inner_->watching(); }
  void poll(Duration timeout, Sink& sink) override;
  void wake() noexcept override;
  void rest() noexcept override { inner_->rest(); }
  void close() noexcept override { inner_->close(); }

  /// Moves the clock by hand, as code that blocks the thread would. Not backwards.
  void advance(Duration by);
  /// The time, readable also when the loop is gone.
  [[nodiscard]] const std::shared_ptr<VirtualTime>& time() const noexcept { return time_; }
  /// Is called each time that nothing is ready, before the clock jumps. True: it has made something
  /// ready, do not jump. Null: none.
  void set_idle_hook(detail::UniqueFunction<bool()> hook) { idle_hook_ = std::move(hook); }
  /// The engine beneath.
  [[nodiscard]] Engine& inner() noexcept { return *inner_; }

private:
  bool wait_really(Duration at_most, Sink& sink);
  bool wait_for_threads(Sink& sink);
  void jump(Duration by);

  VirtualClockOptions options_;
  std::unique_ptr<Engine> inner_;
  std::shared_ptr<VirtualTime> time_;
  TimePoint limit_;
  std::atomic<bool> woken_{false};
  detail::UniqueFunction<bool()> idle_hook_;
};

/// A new loop on a virtual clock.
[[nodiscard]] BRIO_API LoopPtr virtual_loop(VirtualClockOptions options = {},
                                            std::unique_ptr<Engine> inner = nullptr);

/// The clock of a loop that virtual_loop made, by default the running one. Throws TypeError for a
/// loop with another engine.
[[nodiscard]] BRIO_API VirtualClockEngine& virtual_clock(EventLoop& loop = get_running_loop());

/// The unfinished tasks of a loop, one paragraph each: name, and its coroutines with file and line.
[[nodiscard]] BRIO_API std::string describe_tasks(EventLoop& loop);

}  // namespace brio::testing
