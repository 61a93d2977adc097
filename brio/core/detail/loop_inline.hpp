// The template bodies of EventLoop: thin shells over what is compiled in loop.cpp.
#pragma once

#include <brio/core/loop.hpp>

namespace brio {

template <class F>
Handle EventLoop::make_handle(F&& function, CallbackOptions options, std::source_location where) {
  using Fn = std::decay_t<F>;
  static_assert(!iscoroutine_v<std::invoke_result_t<Fn&>>,
                "brio: a coroutine function cannot be a callback; use create_task");
  check_closed();
  return Handle(detail::Ref<detail::HandleState>(
      new detail::HandleOf<Fn>(std::forward<F>(function), *this,
                               options.context ? detail::ContextSlot(options.context->state())
                                               : detail::ContextSlot::current().copy(),
                               where)));
}

template <class F>
Handle EventLoop::call_soon(F&& function, CallbackOptions options, std::source_location where) {
  if (debug_) [[unlikely]]
    check_thread();
  Handle handle = make_handle(std::forward<F>(function), std::move(options), where);
  handle.state()->schedule();
  return handle;
}

template <class F>
TimerHandle EventLoop::call_at(TimePoint when, F&& function, CallbackOptions options,
                               std::source_location where) {
  if (debug_) [[unlikely]]
    check_thread();
  const Handle handle = make_handle(std::forward<F>(function), std::move(options), where);
  handle.state()->schedule_at(when);
  return TimerHandle(handle.state());
}

template <class F>
ThreadSafeHandle EventLoop::call_soon_threadsafe(F&& function, CallbackOptions options,
                                                 std::source_location where) {
  using Fn = std::decay_t<F>;
  static_assert(!iscoroutine_v<std::invoke_result_t<Fn&>>,
                "brio: a coroutine function cannot be a callback; use run_coroutine_threadsafe");
  detail::Ref<detail::PostedState> posted(
      new detail::PostedOf<Fn>(std::forward<F>(function), *this,
                               options.context ? detail::ContextSlot(options.context->state())
                                               : detail::ContextSlot::current().copy(),
                               where),
      detail::Adopt{});
  post(*posted);
  return ThreadSafeHandle(std::move(posted));
}

template <class T>
Future<T> EventLoop::create_future(std::source_location where) {
  return Future<T>(detail::Ref<detail::FutureBase>(new detail::FutureState<T>(*this, where)));
}

namespace detail {

template <class T>
Task<T> launch(TaskState<T>& state, TaskOptions& options) {
  Task<T> task{Ref<FutureBase>(&state)};
  state.launch(options);
  return task;
}

template <class T, class F, class... Args>
Task<T> start_closure(EventLoop& loop, TaskOptions options, std::source_location where,
                      F&& function, Args&&... args) {
  loop.check_closed();
  using State = TaskClosure<T, std::decay_t<F>, std::decay_t<Args>...>;
  // Held by a reference from the start, so that a throwing call leaves nothing behind.
  Ref<FutureBase> keep(
      new State(loop, where, std::forward<F>(function), std::forward<Args>(args)...));
  State& state = static_cast<State&>(*keep);
  Coro<T> coro = state.call();
  if (loop.get_task_factory()) [[unlikely]] {
    // The factory sees the coroutine; the closure is kept by a callback until the task is done.
    Task<T> task = loop.create_task(std::move(coro), std::move(options), where);
    task.add_done_callback([keep = std::move(keep)] {});
    return task;
  }
  state.drive(coro.release());
  return launch(static_cast<TaskState<T>&>(state), options);
}

// When there is a task factory, or something is wrong.
template <class T>
BRIO_NOINLINE Task<T> make_task_slowly(EventLoop& loop, Coro<T>& coro, TaskOptions& options,
                                       std::source_location where) {
  loop.check_closed();
  if (!coro.valid()) throw_awaited_twice();
  const char* name = coro.function_name();
  const void* address = coro.address();
  TaskRequest* self = nullptr;
  TaskRequest request(std::move(options), name, address, [&]() -> AnyTask {
    return launch(*new TaskState<T>(loop, where, &coro.release().promise()), self->options);
  });
  self = &request;
  return Task<T>(Ref<FutureBase>(loop.run_task_factory(request).state()));
}

template <class T>
Task<T> make_task(EventLoop& loop, Coro<T>& coro, TaskOptions& options,
                  std::source_location where) {
  if (loop.is_closed() || loop.get_task_factory() || !coro.valid()) [[unlikely]]
    return make_task_slowly(loop, coro, options, where);
  return launch(*new TaskState<T>(loop, where, &coro.release().promise()), options);
}

}  // namespace detail

template <class T>
Task<T> EventLoop::create_task(Coro<T> coro, TaskOptions options, std::source_location where) {
  return detail::make_task(*this, coro, options, where);
}

namespace detail {
/// The result of a done future for someone who will not ask again.
template <class T>
T take_result(const Future<T>& future) {
  future.state()->require_value();
  if constexpr (std::is_void_v<T>) {
    return;
  } else if constexpr (std::is_copy_constructible_v<T>) {
    return value_of<T>(*future.state());
  } else {
    future.state()->mark_taken();
    return std::move(value_of<T>(*future.state()));
  }
}
}  // namespace detail

template <class T>
T EventLoop::run_until_complete(Future<T> future) {
  run_until_done(*future.state(), false);
  return detail::take_result(future);
}

template <class T>
T EventLoop::run_until_complete(Coro<T> coro, std::source_location where) {
  check_closed();
  check_not_running();  // before there is a task, which would run all the same
  const Task<T> task = create_task(std::move(coro), {}, where);
  run_until_done(*task.state(), true);
  return detail::take_result(task);
}

template <class T>
T& EventLoop::local() {
  static constexpr char key = 0;
  if (std::shared_ptr<void>* found = find_local(&key)) return *static_cast<T*>(found->get());
  check_closed();
  auto object = std::make_shared<T>();
  T& result = *object;
  locals_.push_back({&key, std::move(object)});
  return result;
}

}  // namespace brio
