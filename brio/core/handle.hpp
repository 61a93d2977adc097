// Handle and TimerHandle: what call_soon, call_later and call_at return.
#pragma once

#include <brio/core/context.hpp>
#include <brio/core/detail/frame_pool.hpp>
#include <brio/core/detail/loop_core.hpp>
#include <brio/core/detail/ref.hpp>

#include <atomic>
#include <optional>
#include <source_location>
#include <string>
#include <utility>

namespace brio {

namespace detail {

class BRIO_API HandleState : public TimedNode, public Pooled {
public:
  HandleState(LoopCore& loop, ContextSlot context, std::source_location where)
      : loop_(&loop), context_(std::move(context)), where_(where) {
    loop.ref();
  }
  HandleState(const HandleState&) = delete;
  HandleState& operator=(const HandleState&) = delete;
  virtual ~HandleState();

  void ref() noexcept { ++refs_; }
  void unref() noexcept {
    if (--refs_ == 0) delete this;
  }

  void run() override;
  void drop() noexcept override { unref(); }
  [[nodiscard]] bool live() const noexcept override { return !cancelled_; }
  void cancel() noexcept;
  [[nodiscard]] bool cancelled() const noexcept { return cancelled_; }
  [[nodiscard]] TimePoint when() const noexcept { return when_; }
  [[nodiscard]] Context context() { return Context(context_.share()); }
  [[nodiscard]] ContextSlot& context_slot() noexcept { return context_; }
  [[nodiscard]] std::source_location where() const noexcept { return where_; }
  [[nodiscard]] LoopCore& core() const noexcept { return *loop_; }
  /// Runs the callback in its context; errors go to the exception handler, fatal ones leave.
  void invoke();
  [[nodiscard]] std::string repr() const;
  [[nodiscard]] std::string describe() const override;

  /// Puts it into the ready ring, or into the heap. The queue holds a reference.
  void schedule();
  void schedule_at(TimePoint when);

protected:
  virtual void call() = 0;
  /// Destroys the callable (cancel drops references at once).
  virtual void clear() noexcept = 0;

private:
  std::uint32_t refs_ = 0;
  bool cancelled_ = false;
  bool running_ = false;  // the callable must outlive its own call
  LoopCore* loop_;
  ContextSlot context_;
  std::source_location where_;
  TimePoint when_{};
};

template <class F>
class HandleOf final : public HandleState {
public:
  template <class G>
  HandleOf(G&& function, LoopCore& loop, ContextSlot context, std::source_location where)
      : HandleState(loop, std::move(context), where), function_(std::forward<G>(function)) {}

private:
  void call() override { (*function_)(); }
  void clear() noexcept override { function_.reset(); }
  std::optional<F> function_;
};

}  // namespace detail

/// A scheduled callback (asyncio.Handle). Copies name the same one. Dropping it changes nothing.
class BRIO_API Handle {
public:
  Handle() noexcept = default;
  explicit Handle(detail::Ref<detail::HandleState> state) noexcept : state_(std::move(state)) {}

  /// The callback will not run, and is destroyed now. Does nothing afterwards or twice. In debug
  /// mode throws RuntimeError in a thread that is not the running loop's.
  void cancel() {
    if (!state_) return;
    if (state_->core().debug_) [[unlikely]]
      state_->core().check_thread();
    state_->cancel();
  }
  /// Was it cancelled?
  [[nodiscard]] bool cancelled() const noexcept { return state_ && state_->cancelled(); }
  /// The context in which the callback runs (Handle.get_context); an empty one for an empty handle.
  [[nodiscard]] Context get_context() const { return state_ ? state_->context() : Context(); }
  /// False for a default-constructed handle.
  explicit operator bool() const noexcept { return static_cast<bool>(state_); }
  bool operator==(const Handle& other) const noexcept = default;

  [[nodiscard]] const detail::Ref<detail::HandleState>& state() const noexcept { return state_; }

protected:
  detail::Ref<detail::HandleState> state_;
};

/// A callback with a deadline (asyncio.TimerHandle).
class BRIO_API TimerHandle : public Handle {
public:
  using Handle::Handle;
  /// The deadline on the loop's clock; its beginning for an empty handle.
  [[nodiscard]] TimePoint when() const noexcept { return state_ ? state_->when() : TimePoint{}; }
};

namespace detail {

/// A callback posted from another thread; its count is atomic and cancel may meet a running call.
/// Born with one reference, its maker's.
class BRIO_API PostedState : public Node, public Pooled {
public:
  PostedState(LoopCore& loop, ContextSlot context, std::source_location where)
      : loop_(&loop), context_(std::move(context)), where_(where) {}
  PostedState(const PostedState&) = delete;
  PostedState& operator=(const PostedState&) = delete;
  virtual ~PostedState() = default;

  void ref() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void unref() noexcept {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  /// A second reference while no other thread knows of this: no atomic operation needed.
  void ref_unshared() noexcept { refs_.store(2, std::memory_order_relaxed); }
  void run() override;
  void drop() noexcept override {
    clear();
    unref();
  }
  [[nodiscard]] bool live() const noexcept override { return !cancelled(); }
  void cancel();
  [[nodiscard]] bool cancelled() const noexcept { return cancelled_.load(); }
  [[nodiscard]] std::string describe() const override;

  PostedState* next_ = nullptr;  // in the loop's inbox

protected:
  virtual void call() = 0;
  virtual void clear() noexcept = 0;

private:
  // awaited: running, and someone waits for the end
  enum class Phase : std::uint8_t { queued, running, awaited, over };
  void invoke();
  void end() noexcept;

  std::atomic<unsigned> refs_{1};  // the maker's
  std::atomic<Phase> phase_{Phase::queued};
  std::atomic<bool> cancelled_{false};
  LoopCore* loop_;
  ContextSlot context_;
  std::source_location where_;
};

template <class F>
class PostedOf final : public PostedState {
public:
  template <class G>
  PostedOf(G&& function, LoopCore& loop, ContextSlot context, std::source_location where)
      : PostedState(loop, std::move(context), where), function_(std::forward<G>(function)) {}

private:
  void call() override { (*function_)(); }
  void clear() noexcept override { function_.reset(); }
  std::optional<F> function_;
};

}  // namespace detail

/// What call_soon_threadsafe returns; may be used from any thread (asyncio's _ThreadSafeHandle).
class BRIO_API ThreadSafeHandle {
public:
  ThreadSafeHandle() noexcept = default;
  explicit ThreadSafeHandle(detail::Ref<detail::PostedState> state) noexcept
      : state_(std::move(state)) {}
  /// The callback will not run. While it runs in the loop's thread, blocks until it has returned.
  void cancel() {
    if (state_) state_->cancel();
  }
  /// Was it cancelled?
  [[nodiscard]] bool cancelled() const noexcept { return state_ && state_->cancelled(); }

private:
  detail::Ref<detail::PostedState> state_;
};

}  // namespace brio
