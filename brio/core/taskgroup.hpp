// TaskGroup: children that do not outlive their block; the first error cancels the others.
#pragma once

#include <brio/core/exception_group.hpp>
#include <brio/core/loop.hpp>
#include <brio/core/outcome.hpp>

#include <exception>
#include <memory>
#include <utility>
#include <vector>

namespace brio {

namespace detail {
class GroupChild;
}

/// asyncio.TaskGroup. Use it through task_group(); enter() and leave() are there for code that
/// cannot have its body in a callable, and then leave() must be awaited on every path.
class BRIO_API TaskGroup {
public:
  TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;
  ~TaskGroup();

  /// Starts a child. Throws RuntimeError before the block, after it, and once the group is shutting
  /// down; the coroutine is closed then.
  template <class T>
  Task<T> create_task(Coro<T> coro BRIO_CORO_BORROWS, TaskOptions options = {},
                      std::source_location where = std::source_location::current()) {
    if (const char* refusal = refuses()) {
      coro.close();
      throw_refusal(refusal);
    }
    const Spawning spawning(scope_);
    Task<T> task = loop_->create_task(std::move(coro), std::move(options), where);
    adopt(task);
    return task;
  }
  /// The same for another awaitable, such as sleep.
  template <detail::PlainAwaitable A>
  auto create_task(A awaitable, TaskOptions options = {},
                   std::source_location where = std::source_location::current())
      -> Task<detail::await_result_t<A>> {
    return create_task(detail::as_coro(std::move(awaitable)), std::move(options), where);
  }
  /// Calls `function(args…)` and keeps it and the arguments alive with the child.
  //
  // One overload per arity, as with brio::create_task: a pack leaves no room for the location.
  template <class F>
    requires detail::CoroFunction<F>
  auto create_task(F&& function, std::source_location where = std::source_location::current())
      -> Task<detail::coro_value_t<F>> {
    return start_child<detail::coro_value_t<F>>({.where = where}, std::forward<F>(function));
  }
  template <class F, class A1>
    requires detail::CoroFunction<F, A1>
  auto create_task(F&& function, A1&& a1,
                   std::source_location where = std::source_location::current())
      -> Task<detail::coro_value_t<F, A1>> {
    return start_child<detail::coro_value_t<F, A1>>({.where = where}, std::forward<F>(function),
                                                    std::forward<A1>(a1));
  }
  template <class F, class A1, class A2>
    requires detail::CoroFunction<F, A1, A2>
  auto create_task(F&& function, A1&& a1, A2&& a2,
                   std::source_location where = std::source_location::current())
      -> Task<detail::coro_value_t<F, A1, A2>> {
    return start_child<detail::coro_value_t<F, A1, A2>>({.where = where}, std::forward<F>(function),
                                                        std::forward<A1>(a1), std::forward<A2>(a2));
  }
  template <class F, class A1, class A2, class A3>
    requires detail::CoroFunction<F, A1, A2, A3>
  auto create_task(F&& function, A1&& a1, A2&& a2, A3&& a3,
                   std::source_location where = std::source_location::current())
      -> Task<detail::coro_value_t<F, A1, A2, A3>> {
    return start_child<detail::coro_value_t<F, A1, A2, A3>>(
        {.where = where}, std::forward<F>(function), std::forward<A1>(a1), std::forward<A2>(a2),
        std::forward<A3>(a3));
  }
  template <class F, class A1, class A2, class A3, class A4>
    requires detail::CoroFunction<F, A1, A2, A3, A4>
  auto create_task(F&& function, A1&& a1, A2&& a2, A3&& a3, A4&& a4,
                   std::source_location where = std::source_location::current())
      -> Task<detail::coro_value_t<F, A1, A2, A3, A4>> {
    return start_child<detail::coro_value_t<F, A1, A2, A3, A4>>(
        {.where = where}, std::forward<F>(function), std::forward<A1>(a1), std::forward<A2>(a2),
        std::forward<A3>(a3), std::forward<A4>(a4));
  }
  /// The same with options behind.
  template <class F>
    requires detail::CoroFunction<F>
  auto create_task(F&& function, TaskOptions options) -> Task<detail::coro_value_t<F>> {
    return start_child<detail::coro_value_t<F>>(std::move(options), std::forward<F>(function));
  }
  /// The same with options, for any number of arguments.
  template <class F, class... Args>
    requires detail::CoroFunction<F, Args...>
  auto create_task(TaskOptions options, F&& function, Args&&... args)
      -> Task<detail::coro_value_t<F, Args...>> {
    return start_child<detail::coro_value_t<F, Args...>>(
        std::move(options), std::forward<F>(function), std::forward<Args>(args)...);
  }
  /// Starts a child and waits until it has called `status.started(value)`; gives the value (trio's
  /// nursery.start). `function` takes a TaskStatus<V>& first. An error before started() is thrown
  /// here and is not the group's; a child that ends without started() is a RuntimeError. Cancelling
  /// the start cancels the child and waits for it.
  template <class V = void, class F, class... Args>
  Coro<V> start(F function, Args... args);
  /// Ends the group quietly: children and body are cancelled, and the block ends without an error
  /// (3.15's TaskGroup.cancel). Before entry it takes effect at entry; afterwards, or a second
  /// time, it does nothing.
  void cancel();
  /// State and number of children, for reports.
  [[nodiscard]] std::string repr() const;
  /// How many children have not ended.
  [[nodiscard]] std::size_t size() const noexcept { return unfinished_; }

  /// The block begins, in the current task. Throws RuntimeError outside a task or a second time.
  void enter();
  /// The block ends with `error` (null: normally): waits for every child, then gives what to throw:
  /// an ExceptionGroup of the errors, a fatal error bare, a CancelledError, or null.
  [[nodiscard]] Coro<std::exception_ptr> leave(std::exception_ptr error);

private:
  friend class detail::GroupChild;
  friend class CancelScope;
  friend class TaskStatusBase;
  // A task made while it lives belongs to the group's scope.
  class Spawning {
  public:
    explicit Spawning(CancelScope* scope) noexcept
        : before_(std::exchange(detail::thread_state.spawn_scope, scope)) {}
    Spawning(const Spawning&) = delete;
    Spawning& operator=(const Spawning&) = delete;
    ~Spawning() { detail::thread_state.spawn_scope = before_; }

  private:
    CancelScope* before_;
  };
  template <class T, class F, class... Args>
  Task<T> start_child(TaskOptions options, F&& function, Args&&... args) {
    if (const char* refusal = refuses()) throw_refusal(refusal);
    const Spawning spawning(scope_);
    const std::source_location where = options.where;
    auto task = detail::start_closure<T>(*loop_, std::move(options), where,
                                         std::forward<F>(function), std::forward<Args>(args)...);
    adopt(task);
    return task;
  }
  void each_child(const detail::UniqueFunction<void(detail::TaskBase&)>& visit);
  void join_scope();
  void leave_scope() noexcept;
  static Coro<void> await_start(AnyFuture started, AnyTask task);
  [[nodiscard]] const char* refuses() const noexcept;
  [[noreturn]] void throw_refusal(const char* reason) const;
  void adopt(const AnyTask& task);
  void abort();
  void child_done(detail::GroupChild& child);
  void cancel_parent();

  EventLoop* loop_ = nullptr;
  detail::Ref<detail::FutureBase> parent_;
  detail::GroupChild* first_ = nullptr;  // unfinished children in order of creation
  detail::GroupChild* last_ = nullptr;
  std::size_t unfinished_ = 0;
  detail::Pause* completed_ = nullptr;  // while leave() waits
  std::vector<std::exception_ptr> errors_;
  std::exception_ptr base_error_;
  bool entered_ = false;
  bool exiting_ = false;
  bool aborting_ = false;
  bool parent_cancel_requested_ = false;
  // The scope around the block, and its list of groups.
  CancelScope* scope_ = nullptr;
  TaskGroup* next_in_scope_ = nullptr;
  TaskGroup* previous_in_scope_ = nullptr;
};

/// The untyped half of TaskStatus.
class BRIO_API TaskStatusBase {
public:
  TaskStatusBase(const TaskStatusBase&) = delete;
  TaskStatusBase& operator=(const TaskStatusBase&) = delete;

protected:
  explicit TaskStatusBase(TaskGroup& group) noexcept : group_(&group) {}
  ~TaskStatusBase() = default;
  /// The child is the group's from now on. Throws RuntimeError a second time.
  void hand_over();
  AnyTask task_;

private:
  friend class TaskGroup;
  TaskGroup* group_;
  bool started_ = false;
};

/// How a child that was begun with TaskGroup::start says that it is ready. Lives until the child
/// has ended.
template <class V = void>
class TaskStatus : public TaskStatusBase {
public:
  TaskStatus(TaskGroup& group, Future<V> future) noexcept
      : TaskStatusBase(group), future_(std::move(future)) {}
  /// Lets start() return with `value`. A second call throws RuntimeError. If the start was
  /// cancelled meanwhile, it does nothing: the child is being cancelled.
  template <class... Args>
  void started(Args&&... value) {
    hand_over();
    if (!future_.done()) future_.set_result(std::forward<Args>(value)...);
  }

private:
  friend class TaskGroup;
  Future<V> future_;
};

template <class V, class F, class... Args>
Coro<V> TaskGroup::start(F function, Args... args) {
  if (const char* refusal = refuses()) throw_refusal(refusal);
  const Future<V> started = loop_->create_future<V>();
  auto status = std::make_shared<TaskStatus<V>>(*this, started);
  // The closure keeps status, callable and arguments alive with the child.
  auto child = [status, function = std::move(function),
                ... rest = std::move(args)]() mutable -> Coro<void> {
    co_await function(*status, std::move(rest)...);
  };
  {
    const Spawning spawning(scope_);
    status->task_ = detail::start_closure<void>(*loop_, TaskOptions{},
                                                std::source_location::current(), std::move(child));
  }
  auto outcome = co_await as_outcome(await_start(started, status->task_));
  status->task_ = AnyTask();
  outcome.raise();
  co_return detail::take_result(started);
}

namespace detail {
[[nodiscard]] inline TaskBase& task_of(const Ref<FutureBase>& future) noexcept {
  return static_cast<TaskBase&>(*future);
}
}  // namespace detail

namespace detail {
template <class F>
using group_body_t = typename CoroValue<std::invoke_result_t<F&, TaskGroup&>>::type;

// One coroutine for both forms: a frame less, and a throw less on the way of an error.
template <class F>
auto run_in_group(F body, TaskGroup* given) -> Coro<group_body_t<F>> {
  using T = group_body_t<F>;
  std::optional<TaskGroup> own;
  TaskGroup& group = given ? *given : own.emplace();
  group.enter();
  Outcome<T> outcome = co_await as_outcome(body(group));
  if (std::exception_ptr error = co_await group.leave(outcome.error()))
    std::rethrow_exception(std::move(error));
  if constexpr (std::is_void_v<T>) {
    co_return;
  } else {
    // A body that group.cancel() cut short has no value to give.
    if (!outcome.has_value())
      throw RuntimeError("the TaskGroup was cancelled before its body gave a value");
    co_return std::move(outcome).value();
  }
}

}  // namespace detail

/// Runs `body(TaskGroup&)` as the body of Python's `async with asyncio.TaskGroup()`, waits for all
/// children, and gives the body's value. The closure lives until then. Throws an ExceptionGroup of
/// what failed; a cancelled child is no error. Cancellation cancels the children and waits for
/// them.
template <class F>
BRIO_CORO_WRAPPER auto task_group(F body) {
  return detail::run_in_group(std::move(body), nullptr);
}
/// The same in a TaskGroup of the caller's, which can be cancelled before its block and asked
/// after it (`async with asyncio.TaskGroup() as group`).
template <class F>
BRIO_CORO_WRAPPER auto task_group(TaskGroup& group, F body) {
  return detail::run_in_group(std::move(body), &group);
}

}  // namespace brio
