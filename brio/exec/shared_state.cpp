#include <brio/exec/detail/shared_state.hpp>

#include <brio/core/logging.hpp>

#include <algorithm>
#include <chrono>

namespace brio::detail {

namespace {

const char* name_of(SharedStatus status) noexcept {
  switch (status) {
    case SharedStatus::pending: return "pending";
    case SharedStatus::running: return "running";
    case SharedStatus::cancelled:
    case SharedStatus::cancelled_and_notified: return "cancelled";
    case SharedStatus::finished: return "finished";
  }
  return "?";
}

void call_guarded(const UniqueFunction<void()>& callback) noexcept {
  std::exception_ptr error;
  try {
    callback();
    return;
  } catch (...) {
    error = std::current_exception();
  }
  // There is no loop to take it to, and it must not stop whoever completed the future.
  try {
    log(LogLevel::error, "brio.concurrent",
        "exception calling a done-callback of a concurrent future: " + type_name(error) + ": " +
            describe(error));
  } catch (...) {
    log(LogLevel::error, "brio.concurrent",
        "exception calling a done-callback of a concurrent future");
  }
}

}  // namespace

// The count of an exception_ptr is kept inside libstdc++, where the thread sanitizer cannot see
// that it orders the last look at an error before its end in another thread. Under that sanitizer
// an error that threads have shared stays for good.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BRIO_KEEP_ERRORS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define BRIO_KEEP_ERRORS 1
#endif

SharedState::~SharedState() {
#ifdef BRIO_KEEP_ERRORS
  if (error_) new std::exception_ptr(std::move(error_));
#endif
}

SharedStatus SharedState::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

bool SharedState::cancel() {
  std::unique_lock lock = locked();
  if (status_ == SharedStatus::running || status_ == SharedStatus::finished) return false;
  if (done_locked()) return true;
  finish(std::move(lock), SharedStatus::cancelled);
  return true;
}

bool SharedState::set_running_or_notify_cancel() {
  const std::lock_guard lock(mutex_);
  if (status_ == SharedStatus::cancelled) {
    status_ = SharedStatus::cancelled_and_notified;
    return false;
  }
  if (status_ != SharedStatus::pending)
    throw RuntimeError(std::string("concurrent future in unexpected state: ") + name_of(status_));
  status_ = SharedStatus::running;
  return true;
}

bool SharedState::begin_work() {
  const std::lock_guard lock(mutex_);
  if (status_ == SharedStatus::cancelled) status_ = SharedStatus::cancelled_and_notified;
  if (status_ != SharedStatus::pending) return false;
  status_ = SharedStatus::running;
  return true;
}

void SharedState::require_unfinished() const {
  if (done_locked())
    throw InvalidStateError(std::string("the concurrent future is ") + name_of(status_));
}

void SharedState::finish(std::unique_lock<std::mutex> lock, SharedStatus status) {
  // Whoever we tell may drop the last handle.
  const Ref<SharedState> keep(this);
  const bool unused = status_ == SharedStatus::pending;
  status_ = status;
  for (SharedListener* listener : std::exchange(listeners_, {})) listener->completed(*this);
  const std::vector<UniqueFunction<void()>> callbacks = std::exchange(callbacks_, {});
  lock.unlock();
  if (unused) drop_work();
  done_.notify_all();
  for (const UniqueFunction<void()>& callback : callbacks) call_guarded(callback);
}

void SharedState::set_exception(std::exception_ptr error) {
  if (!error) throw TypeError("set_exception: a null exception_ptr");
  std::unique_lock lock = locked();
  require_unfinished();
  error_ = std::move(error);
  finish(std::move(lock), SharedStatus::finished);
}

void SharedState::fail_work(std::exception_ptr error) noexcept {
  try {
    set_exception(std::move(error));
  } catch (const InvalidStateError&) {
    log(LogLevel::error, "brio.concurrent",
        "the outcome of a job was dropped: someone else has completed its future");
  }
}

bool SharedState::wait_locked(std::unique_lock<std::mutex>& lock,
                              std::optional<Duration> timeout) const {
  const auto is_done = [this] { return done_locked(); };
  if (!timeout) {
    done_.wait(lock, is_done);
    return true;
  }
  return done_.wait_until(lock, after(std::chrono::steady_clock::now(), *timeout), is_done);
}

bool SharedState::wait(std::optional<Duration> timeout) const {
  std::unique_lock lock = locked();
  return wait_locked(lock, timeout);
}

void SharedState::require_value(std::optional<Duration> timeout) const {
  std::unique_lock lock = locked();
  if (!wait_locked(lock, timeout)) throw TimeoutError();
  if (status_ != SharedStatus::finished) throw concurrent::CancelledError();
  if (error_) {
    std::exception_ptr error = error_;
    lock.unlock();
    std::rethrow_exception(std::move(error));
  }
  if (taken_) throw InvalidStateError("The result was moved out by an earlier call.");
}

std::exception_ptr SharedState::exception(std::optional<Duration> timeout) const {
  std::unique_lock lock = locked();
  if (!wait_locked(lock, timeout)) throw TimeoutError();
  if (status_ != SharedStatus::finished) throw concurrent::CancelledError();
  return error_;
}

std::exception_ptr SharedState::stored_error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

void SharedState::take_once() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(taken_, true))
    throw InvalidStateError("The result was moved out by an earlier call.");
}

void SharedState::add_done_callback(UniqueFunction<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!done_locked()) {
      callbacks_.push_back(std::move(callback));
      return;
    }
  }
  call_guarded(callback);
}

void SharedState::add_listener(SharedListener& listener) {
  const std::lock_guard lock(mutex_);
  if (done_locked())
    listener.completed(*this);
  else
    listeners_.push_back(&listener);
}

void SharedState::remove_listener(SharedListener& listener) {
  const std::lock_guard lock(mutex_);
  std::erase(listeners_, &listener);
}

std::string SharedState::repr() const {
  const std::lock_guard lock(mutex_);
  std::string text = std::string("<concurrent future ") + name_of(status_);
  if (error_) text += " exception=" + type_name(error_) + "(" + describe(error_) + ")";
  return text + ">";
}

}  // namespace brio::detail
