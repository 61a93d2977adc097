// What concurrent::Future handles point to: counted, locked, and perhaps with the work that will
// complete it.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/detail/function.hpp>
#include <brio/core/detail/ref.hpp>
#include <brio/core/time.hpp>
#include <brio/exec/errors.hpp>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace brio::detail {

class SharedState;

/// Is told of completions (concurrent::wait, as_completed).
class BRIO_API SharedListener {
public:
  /// Called with the state's lock held, in whichever thread completes it: must only take notes.
  virtual void completed(SharedState& state) noexcept = 0;

protected:
  SharedListener() = default;
  ~SharedListener() = default;
  SharedListener(const SharedListener&) = default;
  SharedListener& operator=(const SharedListener&) = default;
};

enum class SharedStatus : std::uint8_t {
  pending,
  running,
  cancelled,
  cancelled_and_notified,  // the executor has seen the cancellation
  finished,
};

class BRIO_API SharedState {
public:
  SharedState() = default;
  SharedState(const SharedState&) = delete;
  SharedState& operator=(const SharedState&) = delete;

  void ref() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void unref() noexcept {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  /// Is the caller's reference the only one? Then nobody else can be looking.
  [[nodiscard]] bool sole_owner() const noexcept {
    return refs_.load(std::memory_order_acquire) == 1;
  }

  [[nodiscard]] SharedStatus status() const;
  [[nodiscard]] bool done() const { return status() >= SharedStatus::cancelled; }
  /// False if it runs or has finished.
  bool cancel();
  /// True: it is running now. False: it was cancelled. RuntimeError otherwise.
  bool set_running_or_notify_cancel();
  void set_exception(std::exception_ptr error);
  /// Waits until done; false when `timeout` has passed before.
  bool wait(std::optional<Duration> timeout) const;
  /// Waits for a value: throws TimeoutError, CancelledError, the error, or InvalidStateError if a
  /// move-only value was moved out.
  void require_value(std::optional<Duration> timeout) const;
  /// Waits for the end and gives the error, or null.
  [[nodiscard]] std::exception_ptr exception(std::optional<Duration> timeout) const;
  /// The error of a future that is done; null if there is none.
  [[nodiscard]] std::exception_ptr stored_error() const;
  /// Calls `callback` when done, in the thread that completes it; at once if it is done.
  void add_done_callback(UniqueFunction<void()> callback);
  /// If it is done already, the listener is told now, and is not kept.
  void add_listener(SharedListener& listener);
  void remove_listener(SharedListener& listener);
  /// A move-only value goes to one asker. Throws InvalidStateError the second time.
  void take_once();
  [[nodiscard]] std::string repr() const;
  /// For a listener, while it is told: is there an error?
  [[nodiscard]] bool has_error() const noexcept { return error_ != nullptr; }

  /// Does the work, if there is any and nobody has completed the future before.
  virtual void run_work() noexcept {}

protected:
  virtual ~SharedState();
  /// pending → running; false in any other state.
  bool begin_work();
  /// Destroys the callable of work that will not be done.
  virtual void drop_work() noexcept {}
  /// Throws InvalidStateError if it is done. The lock is held.
  void require_unfinished() const;
  /// Ends it, releases the lock, and tells everyone.
  void finish(std::unique_lock<std::mutex> lock, SharedStatus status);
  /// The work has ended with `error`.
  void fail_work(std::exception_ptr error) noexcept;
  [[nodiscard]] std::unique_lock<std::mutex> locked() const { return std::unique_lock(mutex_); }

private:
  bool wait_locked(std::unique_lock<std::mutex>& lock, std::optional<Duration> timeout) const;
  [[nodiscard]] bool done_locked() const noexcept { return status_ >= SharedStatus::cancelled; }

  mutable std::mutex mutex_;
  mutable std::condition_variable done_;
  std::atomic<unsigned> refs_{0};
  SharedStatus status_ = SharedStatus::pending;
  bool taken_ = false;
  std::exception_ptr error_;
  std::vector<UniqueFunction<void()>> callbacks_;
  std::vector<SharedListener*> listeners_;
};

/// Adds the place for a value.
template <class T>
class SharedValue : public SharedState {
public:
  SharedValue() noexcept {}
  [[nodiscard]] Stored<T>& value() noexcept { return value_; }
  template <class... Args>
  void set_value(Args&&... args) {
    std::unique_lock lock = locked();
    require_unfinished();
    std::construct_at(&value_, std::forward<Args>(args)...);
    has_value_ = true;
    finish(std::move(lock), SharedStatus::finished);
  }

protected:
  ~SharedValue() override {
    if (has_value_) std::destroy_at(&value_);
  }

private:
  union {
    Stored<T> value_;
  };
  bool has_value_ = false;
};

/// A future together with the call that will complete it: one allocation for each submit.
template <class R, class F, class... Args>
class JobState final : public SharedValue<R> {
public:
  template <class G, class... As>
  explicit JobState(G&& function, As&&... args)
      : work_(std::in_place, std::forward<G>(function),
              std::tuple<Args...>(std::forward<As>(args)...)) {}

  void run_work() noexcept override {
    if (!this->begin_work()) return;
    std::exception_ptr error;
    std::optional<Stored<R>> value;
    try {
      if constexpr (std::is_void_v<R>) {
        call();
        value.emplace();
      } else {
        value.emplace(call());
      }
    } catch (...) {
      error = std::current_exception();
    }
    // Before anyone hears of the result: destructors in here may touch what the waiter owns.
    work_.reset();
    if (!error) {
      try {
        this->set_value(std::move(*value));
        return;
      } catch (...) {  // the move threw, or someone else has set a result
        error = std::current_exception();
      }
    }
    this->fail_work(std::move(error));
  }

private:
  decltype(auto) call() { return std::apply(std::move(work_->first), std::move(work_->second)); }
  void drop_work() noexcept override { work_.reset(); }

  std::optional<std::pair<F, std::tuple<Args...>>> work_;
};

/// What a callable gives when it is called as a job: the decayed callable with decayed arguments,
/// as rvalues. A reference is copied.
template <class F, class... Args>
using job_result_t =
    std::remove_cvref_t<std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>>;
template <class F, class... Args>
concept JobFunction = std::is_invocable_v<std::decay_t<F>, std::decay_t<Args>...>;

}  // namespace brio::detail
