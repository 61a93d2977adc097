#include <brio/core/detail/future_base.hpp>
#include <brio/core/loop.hpp>

#include <cxxabi.h>
#include <typeinfo>

namespace brio::detail {

namespace {
// catch_type.__do_catch(thrown) is what the unwinder asks at each handler: no throw needed.
bool is_a(const std::type_info& thrown, const std::type_info& catch_type) {
  void* object = nullptr;
  return thrown == catch_type || catch_type.__do_catch(&thrown, &object, 1);
}
}  // namespace

ErrorKind classify(const std::exception_ptr& error) noexcept {
  const std::type_info* type = error ? error.__cxa_exception_type() : nullptr;
  if (!type) return ErrorKind::ordinary;
  if (*type == typeid(CancelledError)) return ErrorKind::cancelled;
  // A class hierarchy below the fatal roots may exist; __do_catch looks through the bases. It may
  // adjust the object pointer, which is not used here.
  try {
    if (is_a(*type, typeid(CancelledError))) return ErrorKind::cancelled;
    if (is_a(*type, typeid(SystemExit)) || is_a(*type, typeid(KeyboardInterrupt)))
      return ErrorKind::fatal;
  } catch (...) {
    return ErrorKind::ordinary;
  }
  return ErrorKind::ordinary;
}

// ---- FutureBase

void FutureBase::drop_callbacks() noexcept {
  each_callback([this](DoneCallback& callback) {
    remove(callback);
    callback.drop();
  });
}

void FutureBase::run() {}

// The last reference is gone, and with it the error that nobody asked for.
void FutureBase::report_unretrieved() noexcept {
  log_error_ = false;
  if (error_) {
    // The handler may take a handle and keep the future alive.
    refs_ = 1;
    ExceptionContext context;
    context.message = std::string(kind()) + " exception was never retrieved";
    context.exception = error_;
    context.where = where_;
    context.future = AnyFuture(Ref<FutureBase>(this));
    loop().report(context);
    context.future = AnyFuture();
    if (--refs_ > 0) return;
  }
  destroy();
}

std::string FutureBase::repr_details() const { return {}; }
std::string FutureBase::repr_value() const { return "None"; }

std::string FutureBase::repr_callbacks() const {
  if (!last_) return {};
  const DoneCallback* const first = last_->next_;
  std::size_t count = 1;
  for (const DoneCallback* at = first; at != last_; at = at->next_) ++count;
  std::string text = " cb=[" + first->label();
  if (count > 2) text += ", <" + std::to_string(count - 2) + " more>";
  if (count > 1) text += ", " + last_->label();
  return text + "]";
}

std::string FutureBase::repr() const {
  const bool asked = is_task_ && static_cast<const TaskBase*>(this)->cancelling() > 0;
  const char* state = status_ == FutureStatus::finished    ? "finished"
                      : status_ == FutureStatus::cancelled ? "cancelled"
                      : asked                              ? "cancelling"
                                                           : "pending";
  std::string text = std::string("<") + kind() + " " + state + repr_details();
  if (failed())
    text += " exception=" + type_name(error_) + "('" + brio::describe(error_) + "')";
  else if (status_ == FutureStatus::finished)
    text += " result=" + (taken_ ? "<moved out>" : repr_value());
  text += repr_callbacks();
  if (loop_->debug_)
    text += std::string(" created at ") + where_.file_name() + ":" + std::to_string(where_.line());
  return text + ">";
}

bool FutureBase::cancel(const SharedText& message) {
  if (done()) return false;
  if (loop_->debug_) [[unlikely]]
    loop_->loop().check_thread();
  cancel_message_ = message;
  finish(FutureStatus::cancelled);
  return true;
}

void FutureBase::set_exception(std::exception_ptr error) {
  require_pending();
  if (!error) throw TypeError("set_exception: a null exception_ptr");
  fail(std::move(error));
}

void FutureBase::fail(std::exception_ptr error, bool log) {
  error_ = std::move(error);
  log_error_ = log;
  finish(FutureStatus::finished);
}

std::exception_ptr FutureBase::exception() {
  if (status_ == FutureStatus::cancelled) std::rethrow_exception(make_cancelled_error());
  if (status_ == FutureStatus::pending) throw InvalidStateError("Exception is not set.");
  log_error_ = false;
  return error_;
}

void FutureBase::throw_no_value() {
  if (status_ == FutureStatus::cancelled) {
    if (error_) std::rethrow_exception(make_cancelled_error());
    throw CancelledError(cancel_message_);
  }
  if (status_ == FutureStatus::pending) throw InvalidStateError("Result is not set.");
  if (error_) {
    log_error_ = false;
    std::rethrow_exception(error_);
  }
  throw InvalidStateError("The result was moved out by an earlier await.");
}

void FutureBase::check_pending() const {
  if (done()) throw InvalidStateError("invalid state");
  loop_->loop().check_thread();
}

void FutureBase::throw_task(const char* operation) const {
  throw RuntimeError(std::string("Task does not support ") + operation + " operation");
}

std::exception_ptr FutureBase::make_cancelled_error() {
  if (cancelled() && error_) return std::exchange(error_, nullptr);
  return std::make_exception_ptr(CancelledError(cancel_message_));
}

void FutureBase::add(DoneCallback& callback) {
  if (done()) {
    callback.on_done(*this);
    return;
  }
  if (last_) {
    callback.next_ = last_->next_;
    callback.previous_ = last_;
    last_->next_->previous_ = &callback;
    last_->next_ = &callback;
  } else {
    callback.next_ = callback.previous_ = &callback;
  }
  last_ = &callback;
}

void FutureBase::remove(DoneCallback& callback) noexcept {
  if (callback.next_ == &callback) {
    last_ = nullptr;
  } else {
    callback.previous_->next_ = callback.next_;
    callback.next_->previous_ = callback.previous_;
    if (last_ == &callback) last_ = callback.previous_;
  }
  callback.next_ = callback.previous_ = nullptr;
}

void FutureBase::replace(DoneCallback& callback, DoneCallback& heir) noexcept {
  const bool alone = callback.next_ == &callback;
  heir.next_ = alone ? &heir : callback.next_;
  heir.previous_ = alone ? &heir : callback.previous_;
  heir.next_->previous_ = &heir;
  heir.previous_->next_ = &heir;
  if (last_ == &callback) last_ = &heir;
  callback.next_ = callback.previous_ = nullptr;
}

void FutureBase::queue_callbacks() {
  if (loop_->closed_) [[unlikely]] {
    // A closed loop runs nothing more: what would be queued is given up at once.
    const Ref<FutureBase> keep(this);
    while (last_) {
      DoneCallback* first = last_->next_;
      remove(*first);
      first->drop();
    }
    return;
  }
  DoneCallback* const only = last_;
  if (only->next_ == only) [[likely]] {
    last_ = only->next_ = only->previous_ = nullptr;
    only->on_done(*this);  // and nothing after it: that may have been the last reference
    return;
  }
  // on_done only queues, so the list cannot change under us; but a callback may own the last
  // reference to this future, which must see the loop through.
  Ref<FutureBase> keep(this);
  while (last_) {
    DoneCallback* first = last_->next_;
    remove(*first);
    first->on_done(*this);
  }
}

std::string DoneCallback::label() const { return "callback()"; }

// ---- Waiter

void Waiter::throw_no_task() {
  if (thread_state.forked_in_task && !thread_state.running) {
    throw RuntimeError(
        "await in a forked child: this task belongs to the parent process; make a loop of the "
        "child's own, or leave by _exit");
  }
  throw RuntimeError("await outside of a task: run the coroutine with brio::run or create_task");
}

bool Waiter::cancel_wait(const SharedText& message) {
  if (state_ != State::pending) return false;
  state_ = State::cancelled;
  message_ = message;
  task_->wake();
  return true;
}

FutureBase* Waiter::awaiting() const noexcept { return task_; }

void Waiter::throw_interrupted() {
  if (state_ == State::interrupted) throw CancelledError();
  const bool by_wait = state_ == State::cancelled;
  (void)task_->take_must_cancel();
  throw CancelledError(by_wait ? message_ : task_->cancel_message());
}

std::exception_ptr Waiter::interruption() {
  if (!interrupted()) [[likely]]
    return nullptr;
  if (state_ == State::interrupted) return std::make_exception_ptr(CancelledError());
  const bool by_wait = state_ == State::cancelled;
  (void)task_->take_must_cancel();
  return std::make_exception_ptr(CancelledError(by_wait ? message_ : task_->cancel_message()));
}

// ---- FutureWait

void FutureWait::run() {}

std::string FutureWait::label() const { return "Task.task_wakeup()"; }

bool FutureWait::begin(PromiseBase& promise) {
  task_ = thread_state.task;
  if (!task_) [[unlikely]]
    throw RuntimeError("await outside of a task: run the coroutine with brio::run or create_task");
  if (future_->awaits_itself_) [[unlikely]] {
    refused_ = Refused::blocked;
    return false;
  }
  if (static_cast<FutureBase*>(task_) == future_ || &future_->core() != &task_->core())
      [[unlikely]] {
    // As in asyncio the error arrives with the task's next step, not inside this one. And as in
    // CPython, a task that once awaited itself stays marked as being awaited until it is done:
    // whoever awaits it then gets an error at once.
    refused_ = &future_->core() == &task_->core() ? Refused::itself : Refused::other_loop;
    future_->awaits_itself_ = refused_ == Refused::itself;
    if (!task_->suspend(promise, *this)) {
      refused_ = Refused::scope;
      return false;
    }
    task_->wake();
    return true;
  }
  future_->add(*this);
  if (!task_->suspend(promise, *this)) [[unlikely]] {
    if (linked()) future_->remove(*this);
    refused_ = Refused::scope;
    // As the scope would have done a moment later: the children of a gather are not left behind.
    future_->cancel({});
    return false;
  }
  return true;
}

std::exception_ptr FutureWait::interruption() {
  if (refused_ == Refused::scope) return std::make_exception_ptr(CancelledError());
  if (refused_ == Refused::blocked)
    return std::make_exception_ptr(RuntimeError("await wasn't used with future"));
  if (task_ && task_->take_must_cancel()) {
    if (future_->cancelled()) return future_->make_cancelled_error();
    future_->mark_retrieved();
    // A gather that was cancelled ends with a CancelledError as its exception: that one counts.
    if (classify(future_->stored_error()) == ErrorKind::cancelled) return future_->stored_error();
    return std::make_exception_ptr(CancelledError(task_->cancel_message()));
  }
  if (refused_ == Refused::itself)
    return std::make_exception_ptr(RuntimeError("Task cannot await on itself: " + task_->repr()));
  if (refused_ == Refused::other_loop)
    return std::make_exception_ptr(RuntimeError(task_->repr() + " got Future " + future_->repr() +
                                                " attached to a different loop"));
  return nullptr;
}

}  // namespace brio::detail
