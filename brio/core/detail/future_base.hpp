// The untyped halves of Future and Task, and how a task waits. The laws are asyncio's:
// completing a future only queues its callbacks; a task waits on exactly one node at a time.
#pragma once

#include <brio/core/context.hpp>
#include <brio/core/detail/loop_core.hpp>
#include <brio/core/detail/promise.hpp>
#include <brio/core/detail/ref.hpp>
#include <brio/core/detail/thread_state.hpp>
#include <brio/core/exceptions.hpp>

#include <cstdint>
#include <exception>
#include <source_location>
#include <string>
#include <vector>

namespace brio {
class CancelScope;
struct TaskOptions;
}  // namespace brio

namespace brio::detail {

class TaskBase;
class CallbackBase;

enum class ErrorKind : std::uint8_t { ordinary, cancelled, fatal };
/// Which family an exception belongs to, without rethrowing it.
BRIO_API ErrorKind classify(const std::exception_ptr& error) noexcept;

/// Something to be queued when a future completes. Stands in the future's list, intrusively.
class BRIO_API DoneCallback : public Node {
public:
  /// The future has completed: queue what there is to do. Must not run user code.
  virtual void on_done(FutureBase& future) = 0;
  [[nodiscard]] bool linked() const noexcept { return next_ != nullptr; }
  /// What stands for it in the repr of its future.
  [[nodiscard]] virtual std::string label() const;
  /// Itself if it is one of add_done_callback's.
  [[nodiscard]] virtual CallbackBase* user_callback() noexcept { return nullptr; }

protected:
  ~DoneCallback() = default;

private:
  friend class FutureBase;
  DoneCallback* next_ = nullptr;
  DoneCallback* previous_ = nullptr;
};

enum class FutureStatus : std::uint8_t { pending, finished, cancelled };

class BRIO_API FutureBase : public Node {
public:
  FutureBase(LoopCore& loop, std::source_location where) noexcept : loop_(&loop), where_(where) {
    loop.ref();
  }
  FutureBase(const FutureBase&) = delete;
  FutureBase& operator=(const FutureBase&) = delete;

  void ref() noexcept { ++refs_; }
  void unref() noexcept {
    if (--refs_ > 0) return;
    if (log_error_) [[unlikely]]
      report_unretrieved();
    else
      destroy();
  }
  [[nodiscard]] std::uint32_t refs() const noexcept { return refs_; }

  [[nodiscard]] bool done() const noexcept { return status_ != FutureStatus::pending; }
  [[nodiscard]] bool cancelled() const noexcept { return status_ == FutureStatus::cancelled; }
  [[nodiscard]] bool failed() const noexcept {
    return status_ == FutureStatus::finished && error_ != nullptr;
  }
  [[nodiscard]] bool is_task() const noexcept { return is_task_; }
  [[nodiscard]] LoopCore& core() const noexcept { return *loop_; }
  [[nodiscard]] EventLoop& loop() const noexcept { return loop_->loop(); }
  [[nodiscard]] std::source_location where() const noexcept { return where_; }

  virtual bool cancel(const SharedText& message);
  void set_exception(std::exception_ptr error);
  /// Completes with `error` without asking the state; for the library's own futures.
  void fail(std::exception_ptr error, bool log = true);
  /// exception(): throws when pending or cancelled, null when there is none.
  std::exception_ptr exception();
  /// Throws unless there is a value.
  void require_value() {
    if (status_ == FutureStatus::finished && !error_ && !taken_) [[likely]]
      return;
    throw_no_value();
  }
  /// The error as one that was looked at; no "never retrieved" report will follow.
  void mark_retrieved() noexcept { log_error_ = false; }
  /// A move-only value goes to one awaiter; those who ask later get an InvalidStateError.
  void mark_taken() noexcept { taken_ = true; }
  [[nodiscard]] bool log_error() const noexcept { return log_error_; }
  /// Whoever asks first gets the error that the task raised; later ones a fresh one.
  std::exception_ptr make_cancelled_error();
  [[nodiscard]] const SharedText& cancel_message() const noexcept { return cancel_message_; }
  /// The stored error without marking it; null when there is none.
  [[nodiscard]] const std::exception_ptr& stored_error() const noexcept { return error_; }

  void add(DoneCallback& callback);
  void remove(DoneCallback& callback) noexcept;
  /// Puts `heir` in the place of `callback`.
  void replace(DoneCallback& callback, DoneCallback& heir) noexcept;
  template <class Visit>  // visit(DoneCallback&) must not change the list except by removing it
  void each_callback(Visit&& visit) const {
    if (!last_) return;
    std::vector<DoneCallback*> all;
    DoneCallback* at = last_->next_;
    do {
      all.push_back(at);
      at = at->next_;
    } while (at != last_->next_);
    for (DoneCallback* callback : all) visit(*callback);
  }

  /// Does nothing: a plain future never stands in the ring.
  void run() override;
  /// What it is, in Python's words and order: for reports.
  [[nodiscard]] std::string repr() const;
  /// Throws if it is done, and in debug mode in a thread that it does not belong to.
  void require_pending() const {
    if (done() || loop_->debug_) [[unlikely]]
      check_pending();
  }
  /// In debug mode: throws RuntimeError in a thread other than the running loop's.
  void check_thread() const {
    if (loop_->debug_) [[unlikely]]
      loop_->check_thread();
  }
  void require_no_task(const char* operation) const {
    if (is_task_) [[unlikely]]
      throw_task(operation);
  }

protected:
  ~FutureBase() {
    if (last_) [[unlikely]]
      drop_callbacks();
    loop_->unref();
  }
  [[nodiscard]] virtual const char* kind() const noexcept { return "Future"; }
  /// What repr() tells between the state and the outcome: a task's name, coroutine and wait.
  [[nodiscard]] virtual std::string repr_details() const;
  /// The value of a finished one, as repr() shows it.
  [[nodiscard]] virtual std::string repr_value() const;
  /// " cb=[…]", nothing when there is no callback.
  [[nodiscard]] std::string repr_callbacks() const;
  /// Destroys and frees the most derived object. Each class that can be one defines it.
  virtual void destroy() noexcept = 0;
  /// Leaves the pending state: queues the callbacks in order.
  void finish(FutureStatus status) {
    status_ = status;
    if (last_) queue_callbacks();
  }
  [[noreturn]] void throw_no_value();
  void check_pending() const;
  [[noreturn]] void throw_task(const char* operation) const;

  std::uint32_t refs_ = 0;
  FutureStatus status_ = FutureStatus::pending;
  bool log_error_ : 1 = false;
  bool is_task_ : 1 = false;
  bool taken_ : 1 = false;          // a move-only value was moved out
  bool awaits_itself_ : 1 = false;  // a task that tried to; see FutureWait::begin
  // TaskBase's, here because there is room.
  bool listed_ : 1 = false;
  bool must_cancel_ : 1 = false;
  bool passing_cancel_ : 1 = false;  // asks what it waits on to take a cancellation
  bool scope_cancelled_ : 1 = false;
  LoopCore* loop_;
  DoneCallback* last_ = nullptr;  // circular list: last_->next_ is the first
  std::exception_ptr error_;      // the error, or the CancelledError not yet handed out
  SharedText cancel_message_;
  std::source_location where_;

private:
  friend class FutureWait;
  void report_unretrieved() noexcept;
  void drop_callbacks() noexcept;
  void queue_callbacks();
};

/// The untyped half of a task: a future with a step function.
class BRIO_API TaskBase : public FutureBase {
public:
  TaskBase(LoopCore& loop, std::source_location where, PromiseBase* root) noexcept
      : FutureBase(loop, where),
        scope_(thread_state.spawn_scope),
        root_(root),
        name_(next_number() << 1) {
    is_task_ = true;
    if (scope_) [[unlikely]]
      enter_scope();
  }

  bool cancel(const SharedText& message) override;
  [[nodiscard]] std::uint32_t cancelling() const noexcept { return cancel_requests_; }
  std::uint32_t uncancel() noexcept {
    if (cancel_requests_ > 0 && --cancel_requests_ == 0) must_cancel_ = false;
    return cancel_requests_;
  }

  [[nodiscard]] std::string name() const;
  void set_name(std::string name);
  [[nodiscard]] Context context() { return Context(context_.share()); }
  [[nodiscard]] ContextSlot& context_slot() noexcept { return context_; }

  /// Gives it name and context, and queues the first step or runs it now (eager).
  void launch(TaskOptions& options);
  void run() override;  // a step
  /// The loop is closed under an unfinished task: its frames go, innermost first.
  void abandon() noexcept;
  [[nodiscard]] std::string describe() const override { return repr(); }

  /// The coroutine `promise`, running in this task, suspends on `node`. False: do not suspend,
  /// a cancelled scope interrupts the wait before it begins.
  [[nodiscard]] bool suspend(PromiseBase& promise, Node& node) {
    if (must_cancel_ || scope_cancelled_) [[unlikely]]
      return suspend_cancelled(promise, node);
    suspended_ = &promise;
    waiting_on_ = &node;
    return true;
  }
  /// What the task waited on has ended: resume it in the next iteration.
  void wake() {
    waiting_on_ = nullptr;
    loop_->ready(*this);
  }
  /// As wake, but `turn` runs in the task's place: it calls run() to resume the task, or suspend()
  /// again, where asyncio's code loops around its wait.
  void wake_through(Node& turn) {
    waiting_on_ = nullptr;
    loop_->ready(turn);
  }
  /// A cancellation requested while no wait could take it: true once, and then it is delivered.
  [[nodiscard]] bool take_must_cancel() noexcept {
    const bool taken = must_cancel_;
    must_cancel_ = false;
    return taken;
  }
  [[nodiscard]] bool must_cancel() const noexcept { return must_cancel_; }

  /// A scope was cancelled around this task: end its wait. No request is counted.
  void interrupt_wait() {
    if (waiting_on_ && scope_shields_ == 0) waiting_on_->cancel_wait({});
  }

  [[nodiscard]] Node* waiting_on() const noexcept { return done() ? nullptr : waiting_on_; }
  /// The coroutine function's name; "" when an eager first step was all there was of it.
  [[nodiscard]] const char* coro_name() const noexcept {
    return done() ? ended_coro_.function_name() : root_ ? root_->where_.function_name() : "";
  }
  /// Innermost suspended coroutine; null before the first suspension and while running.
  [[nodiscard]] PromiseBase* suspended() const noexcept { return suspended_; }
  [[nodiscard]] PromiseBase* root() const noexcept { return root_; }
  [[nodiscard]] TaskBase* next_task() const noexcept { return next_task_; }

  // The innermost cancel scope that the task is in, and its level-triggered state (CancelScope).
  CancelScope* scope_;
  using FutureBase::scope_cancelled_;

protected:
  ~TaskBase() {
    if (root_) [[unlikely]]
      destroy_frames();
    if (name_ & 1) [[unlikely]]
      drop_name();
  }
  [[nodiscard]] const char* kind() const noexcept override { return "Task"; }
  [[nodiscard]] std::string repr_details() const override;
  /// The root coroutine has returned: takes its value and destroys its frame.
  virtual void take_value() = 0;
  /// The error in the root coroutine's promise.
  virtual std::exception_ptr take_error() noexcept = 0;

  PromiseBase* root_;
  ContextSlot context_;

private:
  static std::uint64_t next_number() noexcept {
    if (thread_state.next_task_number == thread_state.task_numbers_end) [[unlikely]]
      take_numbers();
    return thread_state.next_task_number++;
  }
  static void take_numbers() noexcept;
  void enter_scope() noexcept;
  void first_step();
  void finish_step();
  void end(FutureStatus status, std::source_location coro) {
    ended_coro_ = coro;
    finish(status);
  }
  [[nodiscard]] TaskBase* awaited_task() const noexcept;
  void request_cancel(const SharedText& message);
  void pass_cancel_down(TaskBase* to, const SharedText& message);
  bool end_otherwise();
  bool suspend_cancelled(PromiseBase& promise, Node& node);
  void unlink() noexcept;
  void destroy_frames() noexcept;
  void drop_name() noexcept;

  PromiseBase* suspended_ = nullptr;
  union {
    Node* waiting_on_ = nullptr;       // until it is done
    std::source_location ended_coro_;  // from then on: what its root coroutine was
  };
  TaskBase* next_task_ = nullptr;
  TaskBase* previous_task_ = nullptr;
  std::uint64_t name_;  // a number, or a pointer to a string with the low bit set
  std::uint32_t cancel_requests_ = 0;

public:
  // Set while a wait must not be interrupted by a scope (leaving a group, re-acquiring a lock).
  std::uint16_t scope_shields_ = 0;
};

/// One wait of one task, on nothing but being woken: what asyncio does with a private future.
/// Lives in the frame of the awaiting coroutine.
class BRIO_API Waiter : public TimedNode {
public:
  Waiter() = default;
  /// An awaiter may be moved until it is awaited (into wait_for, gather, as_outcome).
  Waiter(Waiter&&) noexcept {}
  Waiter& operator=(Waiter&&) = delete;
  virtual ~Waiter() = default;

  /// Suspends the coroutine in the current task; false as TaskBase::suspend.
  [[nodiscard]] bool suspend(PromiseBase& promise) {
    task_ = thread_state.task;
    if (!task_) [[unlikely]]
      throw_no_task();
    state_ = State::pending;
    if (!task_->suspend(promise, *this)) [[unlikely]] {
      state_ = State::interrupted;
      return false;
    }
    return true;
  }
  /// Suspends as a bare yield does: ready at once. No wait is there to take a cancellation; it
  /// stays with the task until the step.
  [[nodiscard]] bool suspend_ready(PromiseBase& promise) {
    task_ = thread_state.task;
    if (!task_) [[unlikely]]
      throw_no_task();
    state_ = State::woken;
    if (!task_->suspend(promise, *this)) [[unlikely]] {
      state_ = State::interrupted;
      return false;
    }
    task_->wake();
    return true;
  }
  /// Neither woken nor cancelled yet.
  [[nodiscard]] bool pending() const noexcept { return state_ == State::pending; }
  [[nodiscard]] bool woken() const noexcept { return state_ == State::woken; }
  /// Ends the wait: the task resumes in the next iteration. Does nothing when it has ended.
  void wake() {
    if (state_ != State::pending) return;
    state_ = State::woken;
    task_->wake();
  }
  [[nodiscard]] TaskBase* task() const noexcept { return task_; }

  /// The turn of a timer that stands for this wait.
  void run() override { wake(); }
  bool cancel_wait(const SharedText& message) override;
  [[nodiscard]] FutureBase* awaiting() const noexcept override;

  /// After resumption: does a cancellation end this wait?
  [[nodiscard]] bool interrupted() const noexcept {
    return state_ >= State::cancelled || (task_ && task_->must_cancel());
  }
  /// Throws the CancelledError if interrupted(); to be called once, on resumption.
  void check() {
    if (interrupted()) [[unlikely]]
      throw_interrupted();
  }
  [[noreturn]] void throw_interrupted();
  /// The CancelledError that ends this wait, null if nothing does; to be called once, instead of
  /// check(), by those who go on without a throw.
  [[nodiscard]] std::exception_ptr interruption();
  /// A cancelled scope refused the wait before it began.
  [[nodiscard]] bool refused_by_scope() const noexcept { return state_ == State::interrupted; }

protected:
  enum class State : std::uint8_t { idle, pending, woken, cancelled, interrupted };
  [[noreturn]] static void throw_no_task();
  State state_ = State::idle;
  SharedText message_;  // of the cancellation that ended the wait

private:
  TaskBase* task_ = nullptr;
};

/// `if (auto error = co_await pause) …`: a bare wait until wake(), for library code that must do
/// something of its own when it is cancelled. Gives the CancelledError instead of throwing it.
class [[nodiscard]] Pause : public Waiter {
public:
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return suspend(caller.promise());
  }
  std::exception_ptr await_resume() { return interruption(); }
  /// To be awaited by reference: the object stays where others can wake it.
  Pause& operator co_await() noexcept { return *this; }
};

/// While it lives, no cancel scope interrupts the task's waits.
class ScopeShield {
public:
  explicit ScopeShield(TaskBase& task) noexcept : task_(task) { ++task_.scope_shields_; }
  ScopeShield(const ScopeShield&) = delete;
  ScopeShield& operator=(const ScopeShield&) = delete;
  ~ScopeShield() { --task_.scope_shields_; }

private:
  TaskBase& task_;
};

/// A task waiting for a future. Base of `co_await future`.
class BRIO_API FutureWait : public DoneCallback {
public:
  explicit FutureWait(FutureBase& future) noexcept : future_(&future) { future.ref(); }
  explicit FutureWait(Ref<FutureBase> future) noexcept : future_(future.release()) {}
  /// Before it is awaited.
  FutureWait(FutureWait&& other) noexcept : future_(std::exchange(other.future_, nullptr)) {}
  FutureWait& operator=(FutureWait&&) = delete;
  ~FutureWait() {
    if (linked()) future_->remove(*this);
    if (future_) future_->unref();
  }

  [[nodiscard]] bool await_ready() const noexcept { return future_->done(); }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return begin(caller.promise());
  }

  void run() override;
  void on_done(FutureBase&) override { task_->wake(); }
  /// A refused wait has ended already; the error comes with the next step.
  bool cancel_wait(const SharedText& message) override {
    return refused_ == Refused::no && future_->cancel(message);
  }
  [[nodiscard]] FutureBase* passes_cancel_to() const noexcept override {
    return refused_ == Refused::no ? future_ : nullptr;
  }
  [[nodiscard]] FutureBase* awaited() const noexcept override { return future_; }
  [[nodiscard]] FutureBase* awaiting() const noexcept override { return task_; }
  [[nodiscard]] std::string label() const override;

protected:
  /// Throws what interrupts the wait, if anything.
  void check() {
    if (task_ && (task_->must_cancel() || refused_ != Refused::no)) [[unlikely]]
      std::rethrow_exception(interruption());
  }
  /// What ends the wait instead of the future's result; null if nothing does.
  [[nodiscard]] std::exception_ptr interruption();
  FutureBase* future_;

private:
  enum class Refused : std::uint8_t { no, itself, blocked, other_loop, scope };
  bool begin(PromiseBase& promise);
  TaskBase* task_ = nullptr;
  Refused refused_ = Refused::no;
};

}  // namespace brio::detail
