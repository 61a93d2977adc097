// What ties a future of a loop to a concurrent one. A bridge is a node for the loop's inbox, made
// beforehand: the other thread posts it, the loop's thread runs it.
#pragma once

#include <brio/core/loop.hpp>
#include <brio/exec/concurrent_future.hpp>

#include <exception>
#include <utility>

namespace brio::detail {

/// The loop's own future is held here and touched in the loop's thread alone. The loop keeps a list
/// of its bridges and cuts them when it closes.
class BRIO_API Bridge : public PostedState {
public:
  /// Begins in the loop's thread: joins the loop's list.
  Bridge(EventLoop& loop, FutureBase& future);
  ~Bridge() override;

  /// Any thread, once: have the loop's thread run this. Nothing happens if the loop is closed.
  void post() noexcept;
  /// Is the loop of this bridge running in the calling thread?
  [[nodiscard]] bool at_home() const noexcept { return thread_state.running == loop_; }
  /// The loop's thread: leaves the list and gives the future up; null if that has happened.
  Ref<FutureBase> cut() noexcept;

  /// A list that cuts all that is in it when it goes.
  struct BRIO_API List {
    List() = default;
    List(const List&) = delete;
    List& operator=(const List&) = delete;
    ~List();
    Bridge* first = nullptr;
  };

protected:
  [[nodiscard]] FutureBase* future() const noexcept { return future_.get(); }
  /// The loop is closing; the future is gone already.
  virtual void abandoned() noexcept {}

private:
  void clear() noexcept override {}

  EventLoop* loop_;
  Ref<Inbox> inbox_;
  Ref<FutureBase> future_;
  List* list_ = nullptr;  // while in it; the list holds a reference
  Bridge* next_ = nullptr;
  Bridge* previous_ = nullptr;
};

/// concurrent.futures' CancelledError becomes a loop's; other errors stay what they are.
BRIO_API std::exception_ptr convert_error(std::exception_ptr error);

/// Takes the outcome of a concurrent future to a future of the loop.
template <class T>
class ToLoop final : public Bridge {
public:
  ToLoop(EventLoop& loop, FutureState<T>& destination, concurrent::Future<T> source, bool exclusive)
      : Bridge(loop, destination), source_(std::move(source)), exclusive_(exclusive) {}

private:
  void call() override {
    const Ref<FutureBase> keep = cut();
    const concurrent::Future<T> taken = std::exchange(source_, {});
    if (!keep || keep->done()) return;
    auto& destination = static_cast<FutureState<T>&>(*keep);
    auto& source = static_cast<SharedValue<T>&>(*taken.state());
    if (taken.cancelled()) {
      destination.cancel(SharedText());
    } else if (std::exception_ptr error = source.stored_error()) {
      destination.set_exception(convert_error(std::move(error)));
    } else if constexpr (std::is_copy_constructible_v<Stored<T>>) {
      if (exclusive_)
        destination.set_value(std::move(source.value()));
      else
        destination.set_value(std::as_const(source.value()));
    } else {
      source.take_once();
      destination.set_value(std::move(source.value()));
    }
  }

  // The source's callback holds this bridge; this lets go of the source.
  void abandoned() noexcept override { source_ = {}; }

  concurrent::Future<T> source_;
  bool exclusive_;  // nobody else will ask for the value
};

/// Ties `destination` to `source` as asyncio's _chain_future does, in both directions.
template <class T>
void chain_to_loop(EventLoop& loop, const concurrent::Future<T>& source,
                   const Future<T>& destination, bool exclusive) {
  const Ref<PostedState> bridge(
      new ToLoop<T>(loop, static_cast<FutureState<T>&>(*destination.state()), source, exclusive),
      Adopt{});
  destination.add_done_callback([source](const AnyFuture& done) {
    if (done.cancelled()) source.cancel();
  });
  source.add_done_callback([bridge] { static_cast<Bridge&>(*bridge).post(); });
}

/// Takes the cancellation of a concurrent future to a task of the loop.
class BRIO_API ToTask final : public Bridge {
public:
  ToTask(EventLoop& loop, FutureBase& task, concurrent::AnyFuture destination)
      : Bridge(loop, task), destination_(std::move(destination)) {}
  /// Any thread: the concurrent future was cancelled.
  void cancel_task();

private:
  void call() override;
  void abandoned() noexcept override;
  concurrent::AnyFuture destination_;
};

/// Ties the concurrent `destination` to a task that only the loop knows.
template <class T>
void chain_to_thread(EventLoop& loop, const Task<T>& source,
                     const concurrent::Future<T>& destination) {
  const Ref<ToTask> bridge(new ToTask(loop, *source.state(), destination), Adopt{});
  destination.add_done_callback([bridge](const concurrent::AnyFuture& done) {
    if (done.cancelled()) bridge->cancel_task();
  });
  source.add_done_callback([bridge, destination](const AnyFuture& done) {
    bridge->cut();
    if (done.cancelled()) destination.cancel();
    if (!destination.set_running_or_notify_cancel()) return;
    if (std::exception_ptr error = done.exception())
      destination.set_exception(convert_error(std::move(error)));
    else
      destination.set_result(std::move(value_of<T>(*done.state())));
  });
}

/// Cancels a concurrent future unless it is taken over: what was promised to another thread must
/// not be waited for in vain when the loop closes first.
class BRIO_API Pledge {
public:
  explicit Pledge(concurrent::AnyFuture future) noexcept : future_(std::move(future)) {}
  Pledge(Pledge&&) noexcept = default;
  Pledge& operator=(Pledge&&) = delete;
  ~Pledge();
  void kept() noexcept { future_ = {}; }

private:
  concurrent::AnyFuture future_;
};

}  // namespace brio::detail
