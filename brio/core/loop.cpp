#include <brio/core/loop.hpp>
#include <brio/core/detail/descriptor_table.hpp>
#include <brio/core/detail/future_base.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <pthread.h>

namespace brio {

namespace detail {

EventLoop& LoopCore::loop() noexcept { return static_cast<EventLoop&>(*this); }
void LoopCore::destroy() noexcept { delete static_cast<EventLoop*>(this); }

bool debug_here() noexcept {
  if (const EventLoop* loop = thread_state.running) return loop->get_debug();
  static const bool from_environment = [] {
    const char* value = std::getenv("BRIO_DEBUG");
    return value && *value && std::strcmp(value, "0") != 0;
  }();
  return from_environment;
}

void throw_awaited_twice() { throw RuntimeError("cannot reuse already awaited coroutine"); }

void throw_empty_future() {
  throw RuntimeError(
      "empty future handle: default-constructed, moved from or awaited as an rvalue before");
}

void report_never_awaited(PromiseBase& promise) noexcept {
  try {
    const std::source_location& where = promise.where_;
    log(LogLevel::warning, "brio",
        std::string(where.file_name()) + ":" + std::to_string(where.line()) + ": coroutine '" +
            where.function_name() + "' was never awaited");
  } catch (...) {
    // No memory for a warning: nothing better can be done in a destructor.
  }
}

}  // namespace detail

using detail::thread_state;

namespace {
unsigned forks = 0;  // written where there is one thread alone: in a child that was just forked

// A forked child has no running loop: the parent's is the parent's. It may run one of its own. Code
// that comes back into the parent's loop gets an error as soon as the current callback returns.
void forget_parents_loop() {
  ++forks;
  if (thread_state.running) thread_state.running->interrupt_forked();
  const bool in_task = thread_state.task || thread_state.forked_in_task;
  thread_state = detail::ThreadState{};
  thread_state.forked_in_task = in_task;
}
[[maybe_unused]] const int fork_handler = pthread_atfork(nullptr, nullptr, forget_parents_loop);
}  // namespace

unsigned detail::fork_depth() noexcept { return forks; }

EventLoop::EventLoop(std::unique_ptr<Engine> engine)
    : engine_(std::move(engine)),
      inbox_(new detail::Inbox(*engine_)),
      fork_depth_(detail::fork_depth()) {
  debug_ = detail::debug_here();
}

EventLoop::~EventLoop() { drop_posted(inbox_->close()); }

void LoopDeleter::operator()(EventLoop* loop) const noexcept {
  if (!loop) return;
  try {
    if (!loop->is_running()) loop->close();
  } catch (...) {
    log(LogLevel::error, "brio",
        "closing the event loop failed: " + describe(std::current_exception()));
  }
  loop->unref();
}

void detail::throw_no_running_loop() { throw RuntimeError("no running event loop"); }

AnyTask current_task() { return AnyTask(thread_state.task); }

std::vector<AnyTask> all_tasks(EventLoop* loop) {
  const EventLoop& of = loop ? *loop : get_running_loop();
  std::vector<AnyTask> tasks;
  for (detail::TaskBase* task = of.first_task_; task; task = task->next_task())
    if (!task->done()) tasks.emplace_back(task);
  return tasks;
}

AnyTask eager_task_factory(EventLoop&, TaskRequest& request) {
  if (!request.options.eager_start) request.options.eager_start = true;
  return request.start();
}

AnyTask EventLoop::run_task_factory(TaskRequest& request) {
  const std::shared_ptr<TaskFactory> factory = task_factory_;  // which may replace itself
  return (*factory)(*this, request);
}

void EventLoop::throw_closed() { throw RuntimeError("Event loop is closed"); }

void detail::LoopCore::check_thread() const {
  const auto& loop = static_cast<const EventLoop&>(*this);
  if (loop.running_ && loop.thread_ != &thread_state)
    throw RuntimeError(
        "Non-thread-safe operation invoked on an event loop other than the current one");
}

// ---- running

void EventLoop::check_not_forked() const {
  if (fork_depth_ == detail::fork_depth()) return;
  throw RuntimeError(
      "this event loop belongs to the parent process: after a fork, make a loop of the child's "
      "own");
}

void EventLoop::check_not_running() const {
  check_not_forked();
  if (running_) throw RuntimeError("This event loop is already running");
  if (thread_state.running)
    throw RuntimeError("Cannot run the event loop while another loop is running");
}

namespace {
// The loop is this thread's running one for a scope, also when a fatal error leaves it.
class Running {
public:
  explicit Running(EventLoop& loop, bool& flag) : loop_(loop), flag_(flag) {
    flag_ = true;
    thread_state.running = &loop;
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    flag_ = false;
    thread_state.running = nullptr;
    loop_.engine().rest();
  }

private:
  EventLoop& loop_;
  bool& flag_;
};
}  // namespace

BRIO_ALWAYS_INLINE void EventLoop::run_ready(std::size_t count) {
  for (; count > 0; --count) {
    ready_.pop()->run();
    if (interrupted_.load(std::memory_order_relaxed)) [[unlikely]]
      check_interrupt();
  }
}

// The parts that most iterations skip stand apart, so that a switch between tasks pays for none.
BRIO_ALWAYS_INLINE void EventLoop::iterate(bool may_block) {
  if (inbox_->pending() || interrupted_.load(std::memory_order_relaxed)) [[unlikely]]
    look_outside();
  if (may_block && ready_.empty() && !stopping_)
    wait_for_work();
  else if (watching_ || !may_block)
    engine_->poll(Duration::zero(), *this);
  if (!timers_.empty()) take_due_timers();

  const std::size_t count = ready_.size();
  if (debug_ || watched_steps_) [[unlikely]]
    run_ready_watched(count);
  else
    run_ready(count);
}

void EventLoop::run_forever() {
  check_closed();
  check_not_running();
  const Running running(*this, running_);
  thread_ = &thread_state;
  struct Reset {
    bool& flag;
    ~Reset() { flag = false; }
  } const reset{stopping_};
  do iterate(true);
  while (!stopping_);
}

bool EventLoop::run_once() {
  check_closed();
  check_not_running();
  const Running running(*this, running_);
  thread_ = &thread_state;
  iterate(false);
  stopping_ = false;
  return !ready_.empty() || !timers_.empty() || first_task_ != nullptr;
}

std::optional<Duration> EventLoop::until_due() {
  take_posted();
  // From now on a post makes the engine's descriptor readable.
  if (!ready_.empty() || !inbox_->fall_asleep()) return Duration::zero();
  if (timers_.empty()) return std::nullopt;
  return detail::remaining(timers_.earliest(), engine_->now());
}

BRIO_NOINLINE void EventLoop::look_outside() {
  if (inbox_->pending()) take_posted();
  if (interrupted_.load(std::memory_order_relaxed)) check_interrupt();
}

BRIO_NOINLINE void EventLoop::wait_for_work() {
  Duration timeout(-1);
  if (!timers_.empty()) {
    timeout = std::min<Duration>(detail::remaining(timers_.earliest(), engine_->now()),
                                 std::chrono::hours(24));
  }
  if (!inbox_->fall_asleep()) timeout = Duration::zero();
  engine_->poll(timeout, *this);
  take_posted();
  if (interrupted_.load(std::memory_order_relaxed)) check_interrupt();
}

BRIO_NOINLINE void EventLoop::take_due_timers() {
  const TimePoint now = engine_->now();
  while (!timers_.empty() && timers_.earliest() <= now) ready_.push(timers_.pop());
}

void EventLoop::check_interrupt() {
  check_not_forked();
  interrupted_.store(false, std::memory_order_relaxed);
  if (interrupt_check_) interrupt_check_(interrupt_argument_);
}

void EventLoop::run_ready_watched(std::size_t count) {
  for (; count > 0; --count) {
    // The hook may throw: the node must then still be there for the next run.
    if (watched_steps_ && ready_.front()->live()) step_hook_();
    detail::Node* const node = ready_.pop();
    if (debug_ && node->live())
      run_timed(*node);
    else
      node->run();
    if (interrupted_.load(std::memory_order_relaxed)) check_interrupt();
  }
}

void EventLoop::run_timed(detail::Node& node) {
  const std::string what = node.describe();
  const TimePoint start = engine_->now();
  node.run();
  const Duration took = engine_->now() - start;
  if (took < slow_callback_duration) return;
  char text[32];
  std::snprintf(text, sizeof text, "%.3f", std::chrono::duration<double>(took).count());
  log(LogLevel::warning, "brio", "Executing " + what + " took " + text + " seconds");
}

void EventLoop::run_until_done(detail::FutureBase& future, bool fresh_task) {
  check_closed();
  check_not_running();
  if (&future.core() != this)
    throw ValueError("The future belongs to a different loop than the one it should run on");
  const AnyFuture handle{detail::Ref<detail::FutureBase>(&future)};
  // A fatal error leaves run_forever by itself; stopping as well would cut the next run short.
  const CallbackId stopper = handle.add_done_callback([this](AnyFuture done) {
    if (!done.cancelled() && done.state()->stored_error() &&
        detail::classify(done.state()->stored_error()) == detail::ErrorKind::fatal)
      return;
    stop();
  });
  try {
    run_forever();
  } catch (...) {
    if (fresh_task && future.done() && !future.cancelled()) future.mark_retrieved();
    handle.remove_done_callback(stopper);
    throw;
  }
  handle.remove_done_callback(stopper);
  if (!future.done()) throw RuntimeError("Event loop stopped before Future completed.");
}

void EventLoop::close() {
  if (running_) throw RuntimeError("Cannot close a running event loop");
  if (closed_) return;
  executor_shutdown_called_ = true;
  closing_ = true;
  drop_posted(inbox_->close());
  // Callbacks and timers first: they may hold the last references to what waits.
  const auto drop_queues = [this] {
    while (!ready_.empty()) ready_.pop()->drop();
    while (!timers_.empty()) timers_.pop()->drop();
  };
  drop_queues();
  for (detail::TaskBase* task = first_task_; task; task = first_task_) {
    ExceptionContext context;
    context.message = "Task was destroyed but it is pending!";
    context.task = AnyTask(task);
    context.where = task->where();
    report(context);
    task->abandon();
    drop_queues();  // what destructors in the frames have scheduled will not run any more
  }
  closed_ = true;
  for (Descriptor& descriptor : descriptors_) descriptor = {};
  while (!locals_.empty()) {
    const std::shared_ptr<void> last = std::move(locals_.back().object);
    locals_.pop_back();
  }
  drop_queues();
  detail::forget_errors();
  engine_->close();
  exception_handler_ = nullptr;
  task_factory_ = nullptr;
}

// ---- other threads

void EventLoop::post(detail::PostedState& posted) {
  // From the loop's own thread it is a plain call_soon, in order with the others.
  posted.ref_unshared();
  if (thread_state.running == this) {
    ready_.push(&posted);
  } else if (!inbox_->post(posted)) {
    posted.unref();
    throw RuntimeError("Event loop is closed");
  }
}

void EventLoop::take_posted() {
  detail::PostedState* posted = inbox_->take();
  while (posted) {
    detail::PostedState* const next = posted->next_;
    ready_.push(posted);
    posted = next;
  }
}

void EventLoop::drop_posted(detail::PostedState* posted) noexcept {
  while (posted) std::exchange(posted, posted->next_)->drop();
}

Coro<void> EventLoop::shutdown_default_executor(std::optional<Duration> timeout) {
  executor_shutdown_called_ = true;
  if (executor_shutdown_) co_await executor_shutdown_(*this, timeout);
}

// ---- descriptors

void EventLoop::descriptor_ready(int fd, Interest ready) {
  if (static_cast<std::size_t>(fd) >= descriptors_.size()) return;
  const Descriptor& descriptor = descriptors_[static_cast<std::size_t>(fd)];
  if ((ready & Interest::read) != Interest::none && descriptor.reader)
    descriptor.reader.state()->schedule();
  if ((ready & Interest::write) != Interest::none && descriptor.writer)
    descriptor.writer.state()->schedule();
}

void EventLoop::apply_interest(int fd, const Descriptor& descriptor) {
  engine_->watch(fd, (descriptor.reader ? Interest::read : Interest::none) |
                         (descriptor.writer ? Interest::write : Interest::none));
  watching_ = engine_->watching();
}

Handle EventLoop::watch_descriptor(int fd, bool writer, Handle handle) {
  check_closed();
  if (debug_) check_thread();
  if (fd < 0) throw ValueError("Invalid file descriptor: " + std::to_string(fd));
  if (static_cast<std::size_t>(fd) >= descriptors_.size()) {
    // The table grows for open descriptors only: a wild number would ask for all memory there is.
    if (fcntl(fd, F_GETFD) < 0) throw_oserror(errno, "watching descriptor " + std::to_string(fd));
    detail::place_of(descriptors_, static_cast<std::size_t>(fd));
  }
  Descriptor& descriptor = descriptors_[static_cast<std::size_t>(fd)];
  Handle& slot = writer ? descriptor.writer : descriptor.reader;
  if (slot) {
    slot.cancel();
    slot = Handle();
    apply_interest(fd, descriptor);  // the number may be another file's by now
  }
  slot = handle;
  try {
    apply_interest(fd, descriptor);
  } catch (...) {
    slot = Handle();
    throw;
  }
  return handle;
}

bool EventLoop::unwatch_descriptor(int fd, bool writer) {
  if (closed_ || fd < 0 || static_cast<std::size_t>(fd) >= descriptors_.size()) return false;
  Descriptor& descriptor = descriptors_[static_cast<std::size_t>(fd)];
  Handle& slot = writer ? descriptor.writer : descriptor.reader;
  if (!slot) return false;
  slot.cancel();
  slot = Handle();
  apply_interest(fd, descriptor);
  return true;
}

void EventLoop::forget(int fd) noexcept {
  if (closed_ || fd < 0 || static_cast<std::size_t>(fd) >= descriptors_.size()) return;
  if (forget_hook_) forget_hook_(*this, fd);
  Descriptor& descriptor = descriptors_[static_cast<std::size_t>(fd)];
  for (Handle* const slot : {&descriptor.reader, &descriptor.writer}) {
    if (*slot) slot->state()->cancel();
    *slot = Handle();
  }
  try {
    apply_interest(fd, descriptor);
  } catch (const std::exception&) {
    // It is closed already, and the engine finds that out by itself.
  }
  // Also where nobody watches it now: the kernel may not have been told of an end yet.
  engine_->forget(fd);
}

void detail::descriptor_closes(int fd) noexcept {
  EventLoop* const loop = thread_state.running ? thread_state.running : thread_state.set_loop;
  if (loop) loop->forget(fd);
}

std::shared_ptr<void>* EventLoop::find_local(const void* key) noexcept {
  for (LocalSlot& slot : locals_)
    if (slot.key == key) return &slot.object;
  return nullptr;
}

// ---- errors

void EventLoop::default_exception_handler(const ExceptionContext& context) {
  std::string text =
      context.message.empty() ? "Unhandled exception in event loop" : context.message;
  if (context.future) text += "\nfuture: " + context.future.repr();
  if (context.task) text += "\ntask: " + context.task.repr();
  if (context.handle) text += "\nhandle: " + context.handle.state()->repr();
  if (!context.source.empty()) text += "\n" + context.source;
  if (context.where.line() != 0)
    text += std::string("\ncreated at ") + context.where.file_name() + ":" +
            std::to_string(context.where.line()) + " in " + context.where.function_name();
  if (context.exception)
    text += "\n" + detail::error_trace(context.exception) + type_name(context.exception) + ": " +
            describe(context.exception);
  log(LogLevel::error, "brio", text);
}

namespace {
// That of the task or callback concerned; the first that is there decides, and a plain future has
// none. Null: the current one.
detail::ContextSlot* context_of(const ExceptionContext& context) {
  const AnyFuture& future = context.task ? context.task : context.future;
  if (!future) return context.handle ? &context.handle.state()->context_slot() : nullptr;
  if (!future.is_task()) return nullptr;
  return &static_cast<detail::TaskBase*>(future.state())->context_slot();
}
}  // namespace

void EventLoop::call_exception_handler(const ExceptionContext& context) {
  const auto pass_fatal = [](const std::exception_ptr& error) {
    if (detail::classify(error) == detail::ErrorKind::fatal) std::rethrow_exception(error);
  };
  if (!exception_handler_) {
    default_exception_handler(context);
    return;
  }
  std::exception_ptr failure;
  try {
    const std::shared_ptr<ExceptionHandler> handler = exception_handler_;
    std::optional<detail::ContextSwitch> switched;
    if (detail::ContextSlot* const slot = context_of(context)) switched.emplace(*slot);
    (*handler)(*this, context);
    return;
  } catch (...) {
    failure = std::current_exception();
  }
  pass_fatal(failure);
  ExceptionContext second;
  second.message = "Unhandled error in exception handler";
  second.exception = failure;
  second.source = "while handling: " + context.message;
  default_exception_handler(second);
}

void EventLoop::report(const ExceptionContext& context) noexcept {
  try {
    call_exception_handler(context);
  } catch (...) {
    log(LogLevel::error, "brio",
        "Exception ignored in the exception handler: " + type_name(std::current_exception()));
  }
}

}  // namespace brio
