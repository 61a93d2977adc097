// Task<T>: a coroutine that the loop runs. AnyTask is the same without the type.
#pragma once

#include <brio/core/future.hpp>

#include <concepts>
#include <optional>
#include <source_location>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

namespace brio {

/// One line of a task's stack: a suspended coroutine and where it stands.
struct StackFrame {
  /// The coroutine function, as the compiler writes it.
  const char* function_name;
  /// The source file.
  const char* file_name;
  /// The line of its latest await.
  unsigned line;
};

/// How much Task::get_stack and Task::print_stack show.
struct StackOptions {
  /// At most this many frames, the innermost ones; null: all. Not positive: none.
  std::optional<int> limit = std::nullopt;
};

namespace detail {

BRIO_API std::vector<StackFrame> task_stack(const TaskBase& task, StackOptions options = {});
BRIO_API void print_task_stack(const TaskBase& task, std::FILE* file, StackOptions options);

/// What Task<T> and AnyTask add to a future.
template <class Self>
class TaskApi {
public:
  /// Requests cancellation (Task.cancel): false if done already. CancelledError is thrown at the
  /// task's await in the next iteration; the request goes first to what the task waits for. A task
  /// may catch it and go on. Each call counts in cancelling().
  bool cancel(std::optional<std::string> message = std::nullopt) const {
    return base().cancel(SharedText::from(std::move(message)));
  }
  /// Cancellation requests not yet taken back.
  [[nodiscard]] int cancelling() const { return static_cast<int>(base().cancelling()); }
  /// Takes one request back and returns how many remain; at zero a request that has not been
  /// delivered is withdrawn.
  int uncancel() const { return static_cast<int>(base().uncancel()); }
  [[nodiscard]] std::string get_name() const { return base().name(); }
  void set_name(std::string name) const { base().set_name(std::move(name)); }
  /// The context that its steps run in.
  [[nodiscard]] Context get_context() const { return base().context(); }
  /// The name of its coroutine function (Task.get_coro); "" when it was started eagerly and ended
  /// at once.
  [[nodiscard]] const char* get_coro() const { return base().coro_name(); }
  /// Its suspended coroutines, outermost first; empty once done. Of the task that runs now only the
  /// outermost is known.
  [[nodiscard]] std::vector<StackFrame> get_stack(StackOptions options = {}) const {
    return task_stack(base(), options);
  }
  /// Writes the stack as Python would (default: standard error).
  void print_stack(std::FILE* file = nullptr, StackOptions options = {}) const {
    print_task_stack(base(), file, options);
  }

private:
  [[nodiscard]] TaskBase& base() const {
    return static_cast<TaskBase&>(*static_cast<const Self*>(this)->state());
  }
};

}  // namespace detail

/// A task whose result type does not matter: current_task, all_tasks, mixed wait.
class AnyTask : public AnyFuture, public detail::TaskApi<AnyTask> {
public:
  AnyTask() noexcept = default;
  explicit AnyTask(detail::Ref<detail::FutureBase> state) noexcept : AnyFuture(std::move(state)) {}
  explicit AnyTask(detail::TaskBase* task) noexcept
      : AnyFuture(detail::Ref<detail::FutureBase>(task)) {}
  /// The task behind a future whose type was forgotten. Throws TypeError if it is none.
  explicit AnyTask(const AnyFuture& future) : AnyFuture(future) {
    if (!is_task()) throw TypeError("AnyTask: this future is no task");
  }
  using detail::TaskApi<AnyTask>::cancel;
};

/// A coroutine scheduled on a loop, and a future of its result (asyncio.Task).
///
/// A handle: the loop owns a running task, so dropping the handle neither cancels nor ends it.
template <class T>
class Task : public Future<T>, public detail::TaskApi<Task<T>> {
public:
  Task() noexcept = default;
  explicit Task(detail::Ref<detail::FutureBase> state) noexcept : Future<T>(std::move(state)) {}
  using detail::TaskApi<Task<T>>::cancel;
  operator AnyTask() const { return AnyTask(this->state_); }
  /// As Future's, and `function` may take a Task<T>.
  template <class F>
  CallbackId add_done_callback(F&& function, CallbackOptions options = {},
                               std::source_location where = std::source_location::current()) const {
    return this->template add_callback<Task<T>>(std::forward<F>(function), std::move(options),
                                                where);
  }
};

/// How a task is made.
struct TaskOptions {
  /// Default: "Task-N".
  std::optional<std::string> name = std::nullopt;
  /// Run in this very context instead of a copy of the current one.
  std::optional<Context> context = std::nullopt;
  /// Run the first step inside create_task; default: as the loop's task factory says.
  std::optional<bool> eager_start = std::nullopt;
  /// Where it is created: here.
  std::source_location where = std::source_location::current();
};

namespace detail {

template <class T>
class TaskState : public Valued<T, TaskBase>, public Pooled {
public:
  TaskState(LoopCore& loop, std::source_location where, PromiseBase* root = nullptr)
      : Valued<T, TaskBase>(loop, where, root) {}
  void drive(std::coroutine_handle<CoroPromise<T>> frame) noexcept {
    this->root_ = &frame.promise();
  }

protected:
  ~TaskState() = default;
  void take_value() override {
    auto& promise = static_cast<CoroPromise<T>&>(*this->root_);
    if constexpr (!std::is_void_v<T>) this->emplace(std::move(promise.value()));
    this->root_ = nullptr;
    std::coroutine_handle<CoroPromise<T>>::from_promise(promise).destroy();
  }
  std::exception_ptr take_error() noexcept override {
    return static_cast<CoroPromise<T>&>(*this->root_).take_error();
  }
  void destroy() noexcept override { destroy_pooled(this); }

private:
  friend void destroy_pooled<TaskState>(TaskState*) noexcept;
};

/// A member function of an object or of what points to one.
template <class M, class O, class... Args>
BRIO_CORO_WRAPPER auto call_member(M member, O&& object, Args&&... args) {
  if constexpr (requires { (std::forward<O>(object).*member)(std::forward<Args>(args)...); })
    return (std::forward<O>(object).*member)(std::forward<Args>(args)...);
  else
    return ((*std::forward<O>(object)).*member)(std::forward<Args>(args)...);
}

/// A task that also owns the callable and the arguments that its coroutine refers to.
template <class T, class F, class... Args>
class TaskClosure final : public TaskState<T> {
public:
  template <class G, class... As>
  TaskClosure(LoopCore& loop, std::source_location where, G&& function, As&&... args)
      : TaskState<T>(loop, where),
        function_(std::forward<G>(function)),
        args_(std::forward<As>(args)...) {}
  BRIO_CORO_WRAPPER Coro<T> call() { return call(std::index_sequence_for<Args...>()); }

protected:
  ~TaskClosure() = default;
  void destroy() noexcept override { destroy_pooled(this); }

private:
  friend void destroy_pooled<TaskClosure>(TaskClosure*) noexcept;
  template <std::size_t... I>
  BRIO_CORO_WRAPPER Coro<T> call(std::index_sequence<I...>) {
    if constexpr (std::is_member_pointer_v<F>)
      return call_member(function_, std::move(std::get<I>(args_))...);
    else
      return std::move(function_)(std::move(std::get<I>(args_))...);
  }
  F function_;
  std::tuple<Args...> args_;
};

template <class C>
struct CoroValue;
template <class T>
struct CoroValue<Coro<T>> {
  using type = T;
};
/// The T of a callable that returns Coro<T>.
template <class F, class... Args>
using coro_value_t =
    typename CoroValue<std::invoke_result_t<std::decay_t<F>, std::decay_t<Args>...>>::type;
template <class F, class... Args>
concept CoroFunction = requires { typename coro_value_t<F, Args...>; };

}  // namespace detail
}  // namespace brio
