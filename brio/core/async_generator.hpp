// AsyncGenerator<T>: a coroutine that yields values and may await in between (PEP 525).
//
//     brio::AsyncGenerator<int> count(int n) { for (int i = 0; i < n; ++i) co_yield i; }
//     while (auto x = co_await gen.next()) use(*x);
//
// It runs in the task and the context of whoever asks for the next value. One that is dropped
// before its end is closed by its loop soon afterwards, so that clean-up that awaits is not lost.
#pragma once

#include <brio/core/coro.hpp>
#include <brio/core/detail/loop_core.hpp>
#include <brio/core/detail/ref.hpp>

#include <concepts>
#include <coroutine>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

namespace brio {

template <class T>
class AsyncGenerator;

namespace detail {

/// How a generator is being driven.
enum class Drive : std::uint8_t { next, close, raise };

/// The untyped half of a generator's promise. Counted: the AsyncGenerator object holds one
/// reference and each operation under way another.
class BRIO_API GeneratorPromise : public AwaitTransform {
public:
  GeneratorPromise() noexcept { kind_ = FrameKind::generator; }
  GeneratorPromise(const GeneratorPromise&) = delete;
  GeneratorPromise& operator=(const GeneratorPromise&) = delete;

  void ref() noexcept { ++refs_; }
  void unref() noexcept {
    if (--refs_ == 0) last_ref_gone();
  }

  struct BRIO_API YieldAwaiter {
    GeneratorPromise& promise;
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<>) const noexcept {
      return promise.hand_over();
    }
    void await_resume() const { promise.rethrow_injected(); }
  };
  struct EndAwaiter {
    [[nodiscard]] bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) const noexcept {
      return self.promise().hand_over();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  EndAwaiter final_suspend() const noexcept { return {}; }
  void return_void() noexcept { finished_ = true; }
  void unhandled_exception() noexcept {
    error_ = catch_error(*this);
    finished_ = true;
  }

  /// May an operation named `what` begin? Throws RuntimeError while another one is under way.
  void check_idle(const char* what) const;
  /// Begins to drive: gives the frame to resume, or null when there is nothing to run (finished,
  /// or closed before it ever ran).
  std::coroutine_handle<> begin(PromiseBase& consumer, Drive drive, std::exception_ptr injected);
  /// After control came back: throws what left the body. True if a value was yielded.
  bool end(Drive drive);

protected:
  ~GeneratorPromise() = default;
  bool has_value_ = false;

private:
  friend struct GeneratorList;
  std::coroutine_handle<> hand_over() noexcept {
    running_ = false;
    return std::exchange(awaiter_, nullptr)->frame();
  }
  void rethrow_injected() {
    if (injected_) [[unlikely]]
      std::rethrow_exception(std::exchange(injected_, nullptr));
  }
  void enlist();
  void delist() noexcept;
  void last_ref_gone() noexcept;

  std::exception_ptr error_;
  std::exception_ptr injected_;
  LoopCore* loop_ = nullptr;  // where it was first driven
  GeneratorPromise* next_live_ = nullptr;
  GeneratorPromise* previous_live_ = nullptr;
  unsigned refs_ = 0;
  bool running_ = false;
  bool finished_ = false;
};

template <class T>
class AsyncGeneratorPromise : public GeneratorPromise {
public:
  AsyncGenerator<T> get_return_object(
      std::source_location where = std::source_location::current()) noexcept;
  template <class U>
    requires std::convertible_to<U&&, T>
  YieldAwaiter yield_value(U&& value,
                           std::source_location where = std::source_location::current()) {
    where_ = where;
    value_.emplace(std::forward<U>(value));
    has_value_ = true;
    return {*this};
  }
  T take() {
    has_value_ = false;
    T value = std::move(*value_);
    value_.reset();
    return value;
  }

private:
  std::optional<T> value_;
};

/// One anext, aclose or athrow.
class BRIO_API DriveAwaiter {
public:
  DriveAwaiter(Ref<GeneratorPromise> generator, Drive drive, std::exception_ptr injected)
      : generator_(std::move(generator)), injected_(std::move(injected)), drive_(drive) {}
  [[nodiscard]] bool await_ready() noexcept {
    nothing_to_run_ = !generator_;  // an empty handle is at its end
    return nothing_to_run_;
  }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> consumer) {
    const std::coroutine_handle<> frame =
        generator_->begin(consumer.promise(), drive_, std::move(injected_));
    if (frame) return frame;
    nothing_to_run_ = true;
    return consumer;
  }

protected:
  Ref<GeneratorPromise> generator_;
  std::exception_ptr injected_;
  Drive drive_;
  bool nothing_to_run_ = false;
};

template <class T>
class [[nodiscard]] NextAwaiter : public DriveAwaiter {
public:
  using DriveAwaiter::DriveAwaiter;
  std::optional<T> await_resume() {
    if (nothing_to_run_ || !generator_->end(drive_)) return std::nullopt;
    return static_cast<AsyncGeneratorPromise<T>&>(*generator_).take();
  }
};

class [[nodiscard]] CloseAwaiter : public DriveAwaiter {
public:
  using DriveAwaiter::DriveAwaiter;
  void await_resume() {
    if (!nothing_to_run_) generator_->end(drive_);
  }
};

}  // namespace detail

/// An asynchronous generator object (PEP 525). Move-only. Operations on one that is being driven by
/// somebody else throw RuntimeError.
template <class T>
class [[nodiscard]] BRIO_CORO_TYPE AsyncGenerator {
public:
  using promise_type = detail::AsyncGeneratorPromise<T>;
  using value_type = T;

  AsyncGenerator() noexcept = default;
  AsyncGenerator(AsyncGenerator&&) noexcept = default;
  AsyncGenerator& operator=(AsyncGenerator&&) noexcept = default;

  /// The next value, or nothing at the end (anext). An error of the body, or a cancellation that it
  /// lets through, is thrown here and ends the generator.
  detail::NextAwaiter<T> next() const { return {promise_, detail::Drive::next, nullptr}; }
  /// Throws GeneratorExit at the yield where it stands and waits until it has ended. A second call,
  /// or one before the first next(), does nothing. RuntimeError if it yields instead of ending.
  detail::CloseAwaiter aclose() const { return {promise_, detail::Drive::close, nullptr}; }
  /// Throws `error` at the yield where it stands; gives the next value, or nothing if it ends.
  detail::NextAwaiter<T> athrow(std::exception_ptr error) const {
    return {promise_, detail::Drive::raise, std::move(error)};
  }
  template <class E>
    requires(!std::same_as<std::remove_cvref_t<E>, std::exception_ptr>)
  detail::NextAwaiter<T> athrow(E&& error) const {
    return athrow(std::make_exception_ptr(std::forward<E>(error)));
  }
  /// False for a default-constructed or moved-from one.
  explicit operator bool() const noexcept { return static_cast<bool>(promise_); }

private:
  friend promise_type;
  explicit AsyncGenerator(promise_type& promise) : promise_(&promise) {}
  detail::Ref<detail::GeneratorPromise> promise_;
};

template <class T>
AsyncGenerator<T> detail::AsyncGeneratorPromise<T>::get_return_object(
    std::source_location where) noexcept {
  where_ = where;
  return AsyncGenerator<T>(*this);
}

}  // namespace brio
