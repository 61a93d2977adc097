// EventLoop: asyncio's loop over an I/O engine.
//
// One iteration: poll the engine (zero timeout if anything is ready), append what became ready,
// append the due timers, then run exactly the handles that are in the ready ring at that moment.
// A loop belongs to the thread that runs it; only call_soon_threadsafe may be called from others.
#pragma once

#include <brio/core/detail/function.hpp>
#include <brio/core/detail/inbox.hpp>
#include <brio/core/engine.hpp>
#include <brio/core/handle.hpp>
#include <brio/core/logging.hpp>
#include <brio/core/task.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace brio {

class Runner;

/// What the exception handler is told (asyncio's context dictionary).
struct ExceptionContext {
  /// What happened.
  std::string message;
  /// The error, if there is one.
  std::exception_ptr exception = nullptr;
  /// The future concerned, if there is one; a failed done-callback is `handle`.
  AnyFuture future{};
  /// The task concerned, if there is one.
  AnyTask task{};
  /// The callback concerned, if there is one. A done-callback's and a posted one's has run already,
  /// and tells context and place.
  Handle handle{};
  /// "transport" or "protocol", with what is known of it; "" otherwise.
  std::string source{};
  /// Where the callback, task or future was created.
  std::source_location where{};
};

class EventLoop;
/// What set_exception_handler takes.
using ExceptionHandler = detail::UniqueFunction<void(EventLoop&, const ExceptionContext&)>;

/// A task about to be made, for a task factory: look at it, change the options, start it.
class BRIO_API TaskRequest {
public:
  TaskRequest(const TaskRequest&) = delete;
  TaskRequest& operator=(const TaskRequest&) = delete;
  /// Name, context and eager start; may be changed before start().
  TaskOptions options;
  /// The coroutine function's name.
  [[nodiscard]] const char* function_name() const noexcept { return function_name_; }
  /// Tells the coroutine from others that live (Coro::address).
  [[nodiscard]] const void* coro_address() const noexcept { return address_; }
  /// Makes the task. Must be called exactly once.
  AnyTask start() { return make_(); }

  /// The loop's: `make` makes the task.
  TaskRequest(TaskOptions o, const char* name, const void* address,
              detail::UniqueFunction<AnyTask()> make)
      : options(std::move(o)), function_name_(name), address_(address), make_(std::move(make)) {}

private:
  const char* function_name_;
  const void* address_;
  detail::UniqueFunction<AnyTask()> make_;
};

/// Replaces how tasks are made: must return request.start(), before or after changing options.
using TaskFactory = detail::UniqueFunction<AnyTask(EventLoop&, TaskRequest&)>;

/// A task factory that starts every task eagerly (asyncio.eager_task_factory).
BRIO_API AnyTask eager_task_factory(EventLoop& loop, TaskRequest& request);

/// asyncio's event loop, over an Engine. Made by new_event_loop or Runner.
class BRIO_API EventLoop : public detail::LoopCore, private Engine::Sink {
public:
  // ---- running

  /// Runs until stop(). Throws RuntimeError if this loop or another one runs in this thread, if it
  /// is closed, and in a child process that was forked since the loop was made; SystemExit and
  /// KeyboardInterrupt of a callback leave it at once.
  void run_forever();
  /// Runs until `future` is done and gives its result; RuntimeError if the loop is stopped before.
  template <class T>
  T run_until_complete(Future<T> future);
  template <class T>
  T run_until_complete(Task<T> task) {
    return run_until_complete<T>(static_cast<Future<T>&&>(task));
  }
  template <class T>
  T run_until_complete(Coro<T> coro, std::source_location where = std::source_location::current());
  template <detail::PlainAwaitable A>
  auto run_until_complete(A awaitable,
                          std::source_location where = std::source_location::current()) {
    return run_until_complete(detail::as_coro(std::move(awaitable)), where);
  }
  /// Ends run_forever after the current iteration; called before it, lets it run one iteration.
  /// From another thread: call_soon_threadsafe([&] { loop.stop(); }).
  void stop() {
    if (debug_) [[unlikely]]
      check_thread();
    stopping_ = true;
  }
  /// Is it inside run_forever?
  [[nodiscard]] bool is_running() const noexcept { return running_; }
  /// Has close() been called?
  [[nodiscard]] bool is_closed() const noexcept { return closed_; }
  /// Drops what is queued and frees the engine. Unfinished tasks are reported and destroyed.
  /// Throws RuntimeError while running; a second call does nothing.
  void close();
  /// Closes every async generator that was started and not finished (loop.shutdown_asyncgens).
  Coro<void> shutdown_asyncgens();
  /// Waits until the default executor's threads have ended, at most `timeout`; then warns. From
  /// now on run_in_executor refuses to use it. Returns at once if there is none.
  Coro<void> shutdown_default_executor(std::optional<Duration> timeout = std::chrono::minutes(5));

  // ---- callbacks and timers

  /// Runs `function()` in the next iteration, FIFO.
  template <class F>
  Handle call_soon(F&& function, CallbackOptions options = {},
                   std::source_location where = std::source_location::current());
  /// Runs `function()` after `delay`. A negative delay is due now; NaN throws ValueError.
  template <class Rep, class Period, class F>
  TimerHandle call_later(std::chrono::duration<Rep, Period> delay, F&& function,
                         CallbackOptions options = {},
                         std::source_location where = std::source_location::current()) {
    return call_at(detail::after(time(), detail::to_duration(delay)), std::forward<F>(function),
                   std::move(options), where);
  }
  /// Runs `function()` at `when` on this loop's clock. Equal deadlines fire in creation order.
  template <class F>
  TimerHandle call_at(TimePoint when, F&& function, CallbackOptions options = {},
                      std::source_location where = std::source_location::current());
  /// call_soon from any thread; wakes the loop. FIFO per thread. RuntimeError once closed.
  template <class F>
  ThreadSafeHandle call_soon_threadsafe(
      F&& function, CallbackOptions options = {},
      std::source_location where = std::source_location::current());
  /// The loop's clock.
  [[nodiscard]] TimePoint time() { return engine_->now(); }

  // ---- futures and tasks

  /// A pending future of this loop.
  template <class T = void>
  [[nodiscard]] Future<T> create_future(
      std::source_location where = std::source_location::current());
  /// Schedules a coroutine; see brio::create_task. RuntimeError once closed.
  template <class T>
  Task<T> create_task(Coro<T> coro BRIO_CORO_BORROWS, TaskOptions options = {},
                      std::source_location where = std::source_location::current());
  /// The same for what asyncio has as a coroutine and brio as an awaitable of its own: sleep, a
  /// lock's acquire, a queue's get. `awaitable` is moved into the task.
  template <detail::PlainAwaitable A>
  auto create_task(A awaitable, TaskOptions options = {},
                   std::source_location where = std::source_location::current())
      -> Task<detail::await_result_t<A>> {
    return create_task(detail::as_coro(std::move(awaitable)), std::move(options), where);
  }
  /// Null: the default. See TaskFactory.
  void set_task_factory(TaskFactory factory) {
    task_factory_ = factory ? std::make_shared<TaskFactory>(std::move(factory)) : nullptr;
  }
  /// Null if there is none.
  [[nodiscard]] const TaskFactory* get_task_factory() const noexcept { return task_factory_.get(); }
  /// Has the factory make the task; there must be one.
  AnyTask run_task_factory(TaskRequest& request);

  // ---- errors and debugging

  /// Null: the default handler.
  void set_exception_handler(ExceptionHandler handler) {
    exception_handler_ = handler ? std::make_shared<ExceptionHandler>(std::move(handler)) : nullptr;
  }
  /// Null if there is none.
  [[nodiscard]] const ExceptionHandler* get_exception_handler() const noexcept {
    return exception_handler_.get();
  }
  /// Logs the context as an error.
  void default_exception_handler(const ExceptionContext& context);
  /// Calls the handler, in the context of the task or else the callback that `context` names; if
  /// that throws, the default one. Fatal errors pass.
  void call_exception_handler(const ExceptionContext& context);
  /// The same where nothing may be thrown, in destructors: a fatal error of the handler is logged.
  void report(const ExceptionContext& context) noexcept;
  /// Is debug mode on? At first: BRIO_DEBUG.
  [[nodiscard]] bool get_debug() const noexcept { return debug_; }
  /// Turns debug mode on or off.
  void set_debug(bool enabled) noexcept { debug_ = enabled; }
  /// In debug mode a callback or step that takes at least this long is logged.
  Duration slow_callback_duration = std::chrono::milliseconds(100);

  // ---- descriptors (selector style)

  /// Calls `function()` whenever fd is readable; replaces an earlier one, whose handle is
  /// cancelled.
  template <class F>
  Handle add_reader(int fd, F&& function,
                    std::source_location where = std::source_location::current()) {
    return watch_descriptor(fd, false, make_handle(std::forward<F>(function), {}, where));
  }
  /// The same for writability.
  template <class F>
  Handle add_writer(int fd, F&& function,
                    std::source_location where = std::source_location::current()) {
    return watch_descriptor(fd, true, make_handle(std::forward<F>(function), {}, where));
  }
  /// True if there was one.
  bool remove_reader(int fd) { return unwatch_descriptor(fd, false); }
  /// True if there was one.
  bool remove_writer(int fd) { return unwatch_descriptor(fd, true); }
  /// Descriptor `fd` is about to be closed: its reader and writer go, uncalled, sock_recv and its
  /// kin that wait for it throw OSError (EBADF), and the kernel lets go of it, so that closing
  /// really closes. brio's sockets, pipes and descriptors call this themselves, in the loop's
  /// thread.
  void forget(int fd) noexcept;

  // ---- for the layers above and for embedding

  /// The engine beneath.
  [[nodiscard]] Engine& engine() noexcept { return *engine_; }
  /// One iteration that does not block, for a loop that lives inside another one: call it when
  /// engine().descriptor() is readable or until_due() has passed. True while anything is pending.
  bool run_once();
  /// How long the next run_once can wait: zero if something is ready, nothing if only I/O or
  /// another thread can bring work. To be asked each time before waiting for the descriptor, which
  /// becomes readable for either.
  [[nodiscard]] std::optional<Duration> until_due();
  /// Lets the loop's poll return; any thread and signal handlers.
  void wake() noexcept { engine_->wake(); }
  /// Is told before each handle is run; for tests and tracing. Null: none. What it throws leaves
  /// the loop, and the handle is run when the loop runs again. It must not replace itself.
  void set_step_hook(detail::UniqueFunction<void()> hook) {
    step_hook_ = std::move(hook);
    watched_steps_ = static_cast<bool>(step_hook_);
  }
  /// State of a higher room that lives as long as the loop (resolver, executor, read buffer, …).
  /// One object per type T, made by its default constructor on first use and destroyed by close().
  template <class T>
  T& local();
  /// Interrupt flag of Runner's SIGINT handler: looked at once per iteration. Null: none.
  void set_interrupt_check(void (*check)(void*), void* argument) noexcept {
    interrupt_check_ = check;
    interrupt_argument_ = argument;
  }
  /// Has the interrupt check called as soon as the current callback returns. Signal handlers.
  void interrupt() noexcept {
    interrupted_.store(true, std::memory_order_relaxed);
    engine_->wake();
  }

  /// fork's: this is now the child's copy of a loop that runs in the parent.
  void interrupt_forked() noexcept { interrupted_.store(true, std::memory_order_relaxed); }

  /// How shutdown_default_executor waits; set by the room that makes the default executor.
  using ExecutorShutdown = Coro<void> (*)(EventLoop&, std::optional<Duration> timeout);
  /// What shutdown_default_executor runs; the executors' room registers it.
  void set_executor_shutdown(ExecutorShutdown shutdown) noexcept { executor_shutdown_ = shutdown; }
  /// Has shutdown_default_executor been called?
  [[nodiscard]] bool executor_shutdown_called() const noexcept { return executor_shutdown_called_; }
  /// Is told of each descriptor that forget() is told of; set by the room that waits for them.
  using ForgetHook = void (*)(EventLoop&, int fd);
  /// Makes `hook` the one; null: none.
  void set_forget_hook(ForgetHook hook) noexcept { forget_hook_ = hook; }
  /// Takes callbacks from other threads, and may be kept by them longer than the loop lives.
  [[nodiscard]] const detail::Ref<detail::Inbox>& inbox() const noexcept { return inbox_; }

  explicit EventLoop(std::unique_ptr<Engine> engine);
  /// Throws RuntimeError if closed.
  void check_closed() const {
    if (closed_) [[unlikely]]
      throw_closed();
  }
  using LoopCore::check_thread;

private:
  friend class detail::LoopCore;
  friend class Runner;
  ~EventLoop() override;

  struct Descriptor {
    Handle reader;
    Handle writer;
  };
  struct LocalSlot {
    const void* key;
    std::shared_ptr<void> object;
  };

  template <class F>
  Handle make_handle(F&& function, CallbackOptions options, std::source_location where);

  [[noreturn]] static void throw_closed();
  void check_not_running() const;
  void check_not_forked() const;
  void iterate(bool may_block);
  void look_outside();
  void wait_for_work();
  void take_due_timers();
  void check_interrupt();
  void run_ready(std::size_t count);
  void run_ready_watched(std::size_t count);
  void run_timed(detail::Node& node);
  void take_posted();
  static void drop_posted(detail::PostedState* posted) noexcept;
  void post(detail::PostedState& posted);
  void descriptor_ready(int fd, Interest ready) override;
  Handle watch_descriptor(int fd, bool writer, Handle handle);
  bool unwatch_descriptor(int fd, bool writer);
  void apply_interest(int fd, const Descriptor& descriptor);
  void run_until_done(detail::FutureBase& future, bool fresh_task);
  std::shared_ptr<void>* find_local(const void* key) noexcept;

  std::unique_ptr<Engine> engine_;
  std::vector<Descriptor> descriptors_;  // by descriptor number
  detail::Ref<detail::Inbox> inbox_;
  bool stopping_ = false;
  bool running_ = false;
  bool watched_steps_ = false;
  bool watching_ = false;  // what engine_->watching() said last
  bool executor_shutdown_called_ = false;
  ExecutorShutdown executor_shutdown_ = nullptr;
  ForgetHook forget_hook_ = nullptr;
  void (*interrupt_check_)(void*) = nullptr;
  void* interrupt_argument_ = nullptr;
  std::atomic<bool> interrupted_{false};
  unsigned fork_depth_;
  const void* thread_ = nullptr;  // address of the running thread's state
  std::shared_ptr<TaskFactory> task_factory_;
  std::shared_ptr<ExceptionHandler> exception_handler_;
  detail::UniqueFunction<void()> step_hook_;
  std::vector<LocalSlot> locals_;
};

namespace detail {

/// create_task by reference.
template <class T>
Task<T> make_task(EventLoop& loop, Coro<T>& coro, TaskOptions& options, std::source_location where);
[[noreturn]] BRIO_API void throw_no_running_loop();
/// To be called before `fd` is closed: this thread's loop forgets it (EventLoop::forget).
BRIO_API void descriptor_closes(int fd) noexcept;

}  // namespace detail

// ---- the current loop

/// The loop that runs in this thread. Throws RuntimeError if there is none.
[[nodiscard]] inline EventLoop& get_running_loop() {
  if (!detail::thread_state.running) [[unlikely]]
    detail::throw_no_running_loop();
  return *detail::thread_state.running;
}
/// The same without a throw.
[[nodiscard]] inline EventLoop* running_loop_or_null() noexcept {
  return detail::thread_state.running;
}

/// Owns a loop: closes it when it goes (unless it runs).
struct BRIO_API LoopDeleter {
  void operator()(EventLoop* loop) const noexcept;
};
/// A loop that is closed when the pointer goes.
using LoopPtr = std::unique_ptr<EventLoop, LoopDeleter>;

/// A new loop over `engine`, by default over the one that policy and BRIO_LOOP choose. Close it, or
/// let the pointer do so.
[[nodiscard]] BRIO_API LoopPtr new_event_loop(std::unique_ptr<Engine> engine = nullptr);

/// The task that runs now, or an empty handle.
[[nodiscard]] BRIO_API AnyTask current_task();
/// The unfinished tasks of the running loop (or `loop`), in order of creation.
[[nodiscard]] BRIO_API std::vector<AnyTask> all_tasks(EventLoop* loop = nullptr);

/// Schedules a coroutine on the running loop (asyncio.create_task). Its first step runs in the next
/// iteration. Throws RuntimeError without a running loop.
template <class T>
Task<T> create_task(Coro<T> coro BRIO_CORO_BORROWS, TaskOptions options = {},
                    std::source_location where = std::source_location::current()) {
  return detail::make_task(get_running_loop(), coro, options, where);
}

/// The same for another awaitable: `create_task(sleep(1s))`, `create_task(queue.get())`.
template <detail::PlainAwaitable A>
auto create_task(A awaitable, TaskOptions options = {},
                 std::source_location where = std::source_location::current())
    -> Task<detail::await_result_t<A>> {
  return get_running_loop().create_task(std::move(awaitable), std::move(options), where);
}

namespace detail {

template <class T, class F, class... Args>
Task<T> start_closure(EventLoop& loop, TaskOptions options, std::source_location where,
                      F&& function, Args&&... args);

}  // namespace detail

/// Calls `function(args…)`, which must return a Coro, and schedules it. Callable and arguments are
/// copied into the task and live as long as it, so a capturing lambda is safe here.
//
// One overload per arity: a parameter pack would leave no room for the defaulted location.
template <class F>
  requires detail::CoroFunction<F>
auto create_task(F&& function, std::source_location where = std::source_location::current()) {
  return detail::start_closure<detail::coro_value_t<F>>(get_running_loop(), TaskOptions{}, where,
                                                        std::forward<F>(function));
}
template <class F, class A1>
  requires detail::CoroFunction<F, A1>
auto create_task(F&& function, A1&& a1,
                 std::source_location where = std::source_location::current()) {
  return detail::start_closure<detail::coro_value_t<F, A1>>(
      get_running_loop(), TaskOptions{}, where, std::forward<F>(function), std::forward<A1>(a1));
}
template <class F, class A1, class A2>
  requires detail::CoroFunction<F, A1, A2>
auto create_task(F&& function, A1&& a1, A2&& a2,
                 std::source_location where = std::source_location::current()) {
  return detail::start_closure<detail::coro_value_t<F, A1, A2>>(
      get_running_loop(), TaskOptions{}, where, std::forward<F>(function), std::forward<A1>(a1),
      std::forward<A2>(a2));
}
template <class F, class A1, class A2, class A3>
  requires detail::CoroFunction<F, A1, A2, A3>
auto create_task(F&& function, A1&& a1, A2&& a2, A3&& a3,
                 std::source_location where = std::source_location::current()) {
  return detail::start_closure<detail::coro_value_t<F, A1, A2, A3>>(
      get_running_loop(), TaskOptions{}, where, std::forward<F>(function), std::forward<A1>(a1),
      std::forward<A2>(a2), std::forward<A3>(a3));
}
template <class F, class A1, class A2, class A3, class A4>
  requires detail::CoroFunction<F, A1, A2, A3, A4>
auto create_task(F&& function, A1&& a1, A2&& a2, A3&& a3, A4&& a4,
                 std::source_location where = std::source_location::current()) {
  return detail::start_closure<detail::coro_value_t<F, A1, A2, A3, A4>>(
      get_running_loop(), TaskOptions{}, where, std::forward<F>(function), std::forward<A1>(a1),
      std::forward<A2>(a2), std::forward<A3>(a3), std::forward<A4>(a4));
}
/// The same with options behind: `create_task(f, {.name = "n"})`.
template <class F>
  requires detail::CoroFunction<F>
auto create_task(F&& function, TaskOptions options) {
  const std::source_location where = options.where;
  return detail::start_closure<detail::coro_value_t<F>>(get_running_loop(), std::move(options),
                                                        where, std::forward<F>(function));
}
/// The same with options, for any number of arguments: `create_task({.name = "n"}, f, a, b)`, and
/// with more than four `create_task({}, f, a, b, c, d, e)`.
template <class F, class... Args>
  requires detail::CoroFunction<F, Args...>
auto create_task(TaskOptions options, F&& function, Args&&... args) {
  const std::source_location where = options.where;
  return detail::start_closure<detail::coro_value_t<F, Args...>>(
      get_running_loop(), std::move(options), where, std::forward<F>(function),
      std::forward<Args>(args)...);
}

/// A value of the loop's future (loop.create_future on the running loop).
template <class T = void>
[[nodiscard]] Future<T> create_future(
    std::source_location where = std::source_location::current()) {
  return get_running_loop().create_future<T>(where);
}

}  // namespace brio

#include <brio/core/detail/loop_inline.hpp>
