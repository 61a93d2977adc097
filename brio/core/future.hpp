// Future<T>: a value that will be there. A handle on counted state; copies name the same future.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/detail/future_base.hpp>
#include <brio/core/detail/repr.hpp>

#include <concepts>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <type_traits>
#include <utility>

namespace brio {

template <class T = void>
class Future;
template <class T = void>
class Task;
class AnyFuture;

namespace detail {

/// Adds the place for a value to FutureBase or TaskBase.
template <class T, class Base>
class Valued : public Base {
public:
  template <class... Rest>
  explicit Valued(LoopCore& loop, std::source_location where, Rest... rest)
      : Base(loop, where, rest...) {}
  [[nodiscard]] Stored<T>& value() noexcept { return value_; }
  [[nodiscard]] bool has_value() const noexcept { return has_value_; }
  template <class... Args>
  void emplace(Args&&... args) {
    std::construct_at(&value_, std::forward<Args>(args)...);
    has_value_ = true;
  }

protected:
  ~Valued() {
    if (has_value_) std::destroy_at(&value_);
  }
  [[nodiscard]] std::string repr_value() const override { return value_repr(value_); }

private:
  union {
    Stored<T> value_;
  };
  bool has_value_ = false;
};

template <class T>
class FutureState : public Valued<T, FutureBase>, public Pooled {
public:
  FutureState(LoopCore& loop, std::source_location where) : Valued<T, FutureBase>(loop, where) {}
  template <class... Args>
  void set_value(Args&&... args) {
    this->require_pending();
    this->emplace(std::forward<Args>(args)...);
    this->finish(FutureStatus::finished);
  }

protected:
  ~FutureState() = default;
  void destroy() noexcept override { destroy_pooled(this); }

private:
  friend void destroy_pooled<FutureState>(FutureState*) noexcept;
};

template <class T>
Stored<T>& value_of(FutureBase& future) noexcept {
  return future.is_task() ? static_cast<Valued<T, TaskBase>&>(future).value()
                          : static_cast<Valued<T, FutureBase>&>(future).value();
}

/// A user's done-callback.
class BRIO_API CallbackBase : public DoneCallback, public Pooled {
public:
  CallbackBase(LoopCore& loop, ContextSlot context, std::source_location where)
      : id_(loop.next_callback_++), context_(std::move(context)), where_(where) {}
  CallbackBase(const CallbackBase&) = delete;
  CallbackBase& operator=(const CallbackBase&) = delete;
  virtual ~CallbackBase() = default;

  void on_done(FutureBase& future) override;
  void run() override;
  void drop() noexcept override;
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] std::string label() const override;
  [[nodiscard]] CallbackBase* user_callback() noexcept override { return this; }
  /// Is this the same callback as `function` of type `type`?
  [[nodiscard]] virtual bool same(const void* type, const void* function) const = 0;
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }

protected:
  virtual void call(FutureBase& future) = 0;

private:
  std::uint64_t id_;
  Ref<FutureBase> future_;  // from completion until the call
  ContextSlot context_;
  std::source_location where_;
};

template <class F>
inline constexpr char callback_type = 0;

template <class F, class Arg>
class CallbackOf final : public CallbackBase {
public:
  template <class G>
  CallbackOf(G&& function, LoopCore& loop, ContextSlot context, std::source_location where)
      : CallbackBase(loop, std::move(context), where), function_(std::forward<G>(function)) {}
  [[nodiscard]] bool same(const void* type, const void* function) const override {
    if constexpr (std::equality_comparable<F>) {
      return type == &callback_type<F> && *static_cast<const F*>(function) == function_;
    } else {
      return false;
    }
  }

  [[nodiscard]] FutureBase* awaiting() const noexcept override {
    if constexpr (requires { function_.awaiting(); })
      return function_.awaiting();
    else
      return nullptr;
  }

private:
  void call(FutureBase& future) override {
    if constexpr (std::is_invocable_v<F&, Arg>)
      function_(Arg(Ref<FutureBase>(&future)));
    else
      function_();
  }
  F function_;
};

BRIO_API std::size_t remove_callbacks(FutureBase& future, const void* type, const void* function);
BRIO_API std::size_t remove_callback_id(FutureBase& future, std::uint64_t id);

class AnyFutureAwaiter;

/// An empty future handle was used.
[[noreturn]] BRIO_API void throw_empty_future();

}  // namespace detail

/// Names one registration of a done-callback, for remove_done_callback.
struct CallbackId {
  /// The registration's number; unique in its loop.
  std::uint64_t value = 0;
};

/// How a callback is registered.
struct CallbackOptions {
  /// The context to run in; default: a copy of the current one.
  std::optional<Context> context = std::nullopt;
};

/// A future whose type does not matter: what gather, wait and the call graph deal in. Every use of
/// an empty handle (default-constructed, moved from, awaited as an rvalue) but operator bool and ==
/// throws RuntimeError.
class BRIO_API AnyFuture {
public:
  AnyFuture() noexcept = default;
  explicit AnyFuture(detail::Ref<detail::FutureBase> state) noexcept : state_(std::move(state)) {}

  /// Finished or cancelled.
  [[nodiscard]] bool done() const { return checked().done(); }
  /// Did it end by cancellation?
  [[nodiscard]] bool cancelled() const { return checked().cancelled(); }
  /// The error, null when it has a value. Throws InvalidStateError while pending, CancelledError
  /// when cancelled. Counts as looking at the error.
  [[nodiscard]] std::exception_ptr exception() const { return checked().exception(); }
  /// Asks for cancellation: false if done already. For a task see Task::cancel.
  bool cancel(std::optional<std::string> message = std::nullopt) const {
    return checked().cancel(detail::SharedText::from(std::move(message)));
  }
  /// The loop that it belongs to.
  [[nodiscard]] EventLoop& get_loop() const { return checked().loop(); }
  /// Where it was created.
  [[nodiscard]] std::source_location where() const { return checked().where(); }
  /// Is there a task behind it?
  [[nodiscard]] bool is_task() const noexcept { return state_ && state_->is_task(); }
  /// State, name and place, for reports.
  [[nodiscard]] std::string repr() const { return checked().repr(); }

  /// Runs `function(AnyFuture)` or `function()` once this is done, through call_soon, in the order
  /// of registration; at once queued if it is done already. What it throws goes to the loop's
  /// exception handler.
  template <class F>
  CallbackId add_done_callback(F&& function, CallbackOptions options = {},
                               std::source_location where = std::source_location::current()) const {
    return add_callback<AnyFuture>(std::forward<F>(function), std::move(options), where);
  }
  /// Removes every registration that compares equal to `function` (function pointers, functors
  /// with ==) and tells how many there were.
  template <std::equality_comparable F>
  std::size_t remove_done_callback(const F& function) const {
    checked().check_thread();
    return detail::remove_callbacks(checked(), &detail::callback_type<std::decay_t<F>>, &function);
  }
  std::size_t remove_done_callback(CallbackId id) const {
    checked().check_thread();
    return detail::remove_callback_id(checked(), id.value);
  }

  /// Waits; throws the error or CancelledError, gives no value. Cancelling the awaiting task
  /// cancels this future.
  detail::AnyFutureAwaiter operator co_await() const;

  /// False for a default-constructed handle.
  explicit operator bool() const noexcept { return static_cast<bool>(state_); }
  bool operator==(const AnyFuture& other) const noexcept { return state_ == other.state_; }

  [[nodiscard]] detail::FutureBase* state() const { return &checked(); }

protected:
  [[nodiscard]] detail::FutureBase& checked() const {
    if (!state_) [[unlikely]]
      detail::throw_empty_future();
    return *state_;
  }
  template <class Self, class F>
  CallbackId add_callback(F&& function, CallbackOptions options, std::source_location where) const {
    using Fn = std::decay_t<F>;
    static_assert(std::is_invocable_v<Fn&, Self> || std::is_invocable_v<Fn&>,
                  "brio: a done-callback takes the future, or nothing");
    checked().check_thread();
    detail::ContextSlot context = options.context ? detail::ContextSlot(options.context->state())
                                                  : detail::ContextSlot::current().copy();
    auto* callback = new detail::CallbackOf<Fn, Self>(std::forward<F>(function), checked().core(),
                                                      std::move(context), where);
    const CallbackId id{callback->id()};
    checked().add(*callback);
    return id;
  }
  detail::Ref<detail::FutureBase> state_;
};

namespace detail {

class AnyFutureAwaiter : public FutureWait {
public:
  using FutureWait::FutureWait;
  void await_resume() {
    check();
    future_->require_value();
  }
};

/// co_await of an lvalue: the value stays and can be awaited again.
template <class T>
class FutureAwaiter : public FutureWait {
public:
  using FutureWait::FutureWait;
  decltype(auto) await_resume() {
    check();
    future_->require_value();
    if constexpr (!std::is_void_v<T>) return static_cast<const T&>(value_of<T>(*future_));
  }
};

/// co_await of an rvalue: the last handle gives its value away.
template <class T>
class FutureMover : public FutureWait {
public:
  explicit FutureMover(Ref<FutureBase> handle) noexcept : FutureWait(std::move(handle)) {}
  T await_resume() {
    check();
    future_->require_value();
    if constexpr (!std::is_void_v<T>) {
      if constexpr (std::is_copy_constructible_v<T>) {
        if (future_->refs() > 1) return value_of<T>(*future_);
        return std::move(value_of<T>(*future_));
      } else {
        future_->mark_taken();
        return std::move(value_of<T>(*future_));
      }
    }
  }
};

}  // namespace detail

inline detail::AnyFutureAwaiter AnyFuture::operator co_await() const {
  return detail::AnyFutureAwaiter(checked());
}

/// A result that is not there yet (asyncio.Future). Made by create_future; whoever holds a copy
/// can complete it. Belongs to one loop and its thread.
///
/// Awaiting throws the error, or CancelledError; cancelling the awaiting task cancels the future.
/// `co_await future` gives `const T&` and may be repeated; `co_await std::move(future)` moves the
/// value out if this is the last handle and copies it otherwise (a move-only value is always moved,
/// and later askers get InvalidStateError).
template <class T>
class Future : public AnyFuture {
public:
  using value_type = T;
  Future() noexcept = default;
  explicit Future(detail::Ref<detail::FutureBase> state) noexcept : AnyFuture(std::move(state)) {}

  /// The value. Throws the error, CancelledError, or InvalidStateError while pending.
  decltype(auto) result() const {
    checked().require_value();
    if constexpr (!std::is_void_v<T>) return static_cast<const T&>(detail::value_of<T>(*state_));
  }
  /// Completes it; the waiting tasks resume in the next iteration. Throws InvalidStateError if
  /// done.
  template <class... Args>
    requires std::constructible_from<detail::Stored<T>, Args...>
  void set_result(Args&&... args) const {
    checked().require_no_task("set_result");
    static_cast<detail::FutureState<T>&>(*state_).set_value(std::forward<Args>(args)...);
  }
  /// Completes it with an error. Throws InvalidStateError if done.
  void set_exception(std::exception_ptr error) const {
    checked().require_no_task("set_exception");
    state_->set_exception(std::move(error));
  }
  template <class E>
    requires(!std::same_as<std::remove_cvref_t<E>, std::exception_ptr>)
  void set_exception(E&& error) const {
    set_exception(std::make_exception_ptr(std::forward<E>(error)));
  }
  /// As AnyFuture's, and `function` may take a Future<T>.
  template <class F>
  CallbackId add_done_callback(F&& function, CallbackOptions options = {},
                               std::source_location where = std::source_location::current()) const {
    return add_callback<Future<T>>(std::forward<F>(function), std::move(options), where);
  }

  detail::FutureAwaiter<T> operator co_await() const& {
    return detail::FutureAwaiter<T>(checked());
  }
  detail::FutureMover<T> operator co_await() && {
    (void)checked();
    return detail::FutureMover<T>(std::exchange(state_, {}));
  }
};

/// Is this a future or a task (asyncio.isfuture)?
template <class T>
[[nodiscard]] constexpr bool isfuture(const T&) noexcept {
  return std::derived_from<T, AnyFuture>;
}

}  // namespace brio
