// Queue, LifoQueue, PriorityQueue: items on their way between tasks (asyncio.Queue and its kin).
#pragma once

#include <brio/sync/detail/stores.hpp>
#include <brio/sync/event.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

namespace brio {

namespace detail {

class QueueBase;

enum class QueueSide : std::uint8_t { get, put };

/// The wait of a get or a put. Woken, it looks again when it has its turn, and if there is still
/// nothing to get, or no room, it waits on, at the end of the line.
class BRIO_API QueueWait final : public WaitNode {
public:
  QueueWait(QueueBase& queue, QueueSide side) noexcept
      : WaitNode(Turn::node), side_(side), queue_(queue) {}
  bool begin(PromiseBase& promise);
  void run() override;
  /// On resumption: throws if the wait was cancelled, after passing the wake-up on.
  void finish();

private:
  [[nodiscard]] WaitList& line() const noexcept;
  /// Nothing to get, or no room to put.
  [[nodiscard]] bool blocked() const noexcept;
  QueueSide side_;
  QueueBase& queue_;
};

/// `co_await queue.join()`.
class [[nodiscard]] QueueJoin : public EventAwaiter {
public:
  explicit QueueJoin(Event& finished) noexcept : EventAwaiter(finished) {}
  void await_resume() { EventAwaiter::await_resume(); }
};

/// All of a queue but its items.
class BRIO_API QueueBase : private LoopBound {
public:
  QueueBase(const QueueBase&) = delete;
  QueueBase& operator=(const QueueBase&) = delete;

  /// Items in it.
  [[nodiscard]] std::size_t qsize() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  /// Are there maxsize() items? Never, if that is 0.
  [[nodiscard]] bool full() const noexcept { return size_ >= limit_; }
  /// The bound given at construction; 0: none.
  [[nodiscard]] std::size_t maxsize() const noexcept {
    return limit_ == std::numeric_limits<std::size_t>::max() ? 0 : limit_;
  }
  /// Was shutdown() called?
  [[nodiscard]] bool is_shutdown() const noexcept { return shutdown_; }

  /// One item that was got is done with. Throws ValueError if called more often than items were
  /// put.
  void task_done();
  /// Waits until every item that was put has been got and task_done() was called for it. Does not
  /// suspend if that is so. Cancellation leaves nothing behind.
  [[nodiscard]] QueueJoin join() noexcept { return QueueJoin(finished_); }

protected:
  explicit QueueBase(std::size_t maxsize)
      : limit_(maxsize == 0 ? std::numeric_limits<std::size_t>::max() : maxsize) {
    finished_.set();
  }
  ~QueueBase() = default;

  void item_added() {
    ++size_;
    ++unfinished_;
    finished_.clear();
    getters_.wake_next();
  }
  void item_taken() {
    --size_;
    putters_.wake_next();
  }
  void require_open() const {
    if (shutdown_) [[unlikely]]
      throw_shut_down();
  }
  /// `immediate`: the items have been dropped.
  void shut_down(bool immediate);
  [[noreturn]] static void throw_shut_down();
  [[noreturn]] static void throw_full();
  [[noreturn]] static void throw_empty();

private:
  friend class QueueWait;
  std::size_t size_ = 0;
  std::size_t limit_;
  std::size_t unfinished_ = 0;  // put and not yet task_done
  bool shutdown_ = false;
  WaitList getters_;
  WaitList putters_;
  Event finished_;  // set while unfinished_ is 0
};

/// `co_await queue.get()`.
template <class Q>
class [[nodiscard]] QueueGet {
public:
  explicit QueueGet(Q& queue) noexcept : queue_(&queue) {}
  [[nodiscard]] bool await_ready() noexcept {
    wait_.reset();
    return !queue_->empty() || queue_->is_shutdown();
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return wait_.make(*queue_, QueueSide::get).begin(caller.promise());
  }
  typename Q::value_type await_resume() {
    if (wait_) [[unlikely]]
      wait_->finish();
    return queue_->take();
  }

private:
  Q* queue_;
  LateWait<QueueWait> wait_;
};

/// `co_await queue.put(item)`.
template <class Q>
class [[nodiscard]] QueuePut {
public:
  QueuePut(Q& queue, typename Q::value_type&& item) : queue_(&queue), item_(std::move(item)) {}
  [[nodiscard]] bool await_ready() {
    if (!queue_) [[unlikely]]
      throw_awaited_twice();
    wait_.reset();
    return !queue_->full() || queue_->is_shutdown();
  }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> caller) {
    return wait_.make(*queue_, QueueSide::put).begin(caller.promise());
  }
  void await_resume() {
    if (wait_) [[unlikely]]
      wait_->finish();
    queue_->add(std::move(item_));
    queue_ = nullptr;
  }

private:
  Q* queue_;  // null once the item is in it
  LateWait<QueueWait> wait_;
  typename Q::value_type item_;
};

/// What the three queues share; see Queue. `Store` decides the order.
template <class T, class Store>
class BasicQueue : public QueueBase {
public:
  using value_type = T;

  /// Waits while the queue is full, then adds `item`. Throws QueueShutDown once the queue is shut
  /// down, RuntimeError if it is bound to another loop. Does not suspend unless full().
  ///
  /// Cancellation: the item is not in the queue and goes with this call; a slot that was free for
  /// it is passed on.
  [[nodiscard]] QueuePut<BasicQueue> put(T item) {
    return QueuePut<BasicQueue>(*this, std::move(item));
  }
  /// Adds `item` or throws QueueFull; QueueShutDown once shut down.
  void put_nowait(T item) { add(std::move(item)); }
  /// Adds `item`, or leaves it as it is and gives false if the queue is full or shut down.
  [[nodiscard]] bool try_put(T&& item) {
    if (full() || is_shutdown()) return false;
    add(std::move(item));
    return true;
  }
  [[nodiscard]] bool try_put(const T& item) {
    return !full() && !is_shutdown() && try_put(T(item));
  }

  /// Waits while the queue is empty, then takes an item. Throws QueueShutDown once the queue is
  /// shut down and empty, RuntimeError if it is bound to another loop. Does not suspend unless
  /// empty().
  ///
  /// Cancellation: no item is taken; one that this was woken for goes to the next getter.
  [[nodiscard]] QueueGet<BasicQueue> get() noexcept { return QueueGet<BasicQueue>(*this); }
  /// Takes an item or throws QueueEmpty; QueueShutDown once shut down.
  [[nodiscard]] T get_nowait() {
    if (empty() && !is_shutdown()) throw_empty();
    return take();
  }
  /// Takes an item, or gives nothing if there is none.
  [[nodiscard]] std::optional<T> try_get() {
    if (empty()) return std::nullopt;
    return take();
  }

  /// Ends the queue: put throws QueueShutDown from now on, also in those that wait; get does once
  /// the queue is empty. `immediate` drops the items, each counting as done for join(). May be
  /// called again.
  void shutdown(bool immediate = false) {
    if (immediate) items_.clear();
    shut_down(immediate);
  }

protected:
  explicit BasicQueue(std::size_t maxsize) : QueueBase(maxsize) {}
  BasicQueue(std::size_t maxsize, Store store) : QueueBase(maxsize), items_(std::move(store)) {}
  ~BasicQueue() = default;

private:
  friend class QueueGet<BasicQueue>;
  friend class QueuePut<BasicQueue>;
  T take() {
    if (empty()) [[unlikely]]
      throw_shut_down();
    T item = items_.pop();
    item_taken();
    return item;
  }
  void add(T&& item) {
    require_open();
    if (full()) [[unlikely]]
      throw_full();
    items_.push(std::move(item));
    item_added();
  }
  Store items_;
};

}  // namespace detail

/// First in, first out (asyncio.Queue). Of one loop; not for threads.
///
/// `maxsize` is the number of items at which put() waits; 0, the default, means no bound. A getter
/// that was woken for an item looks again when it runs: if another task took the item meanwhile, it
/// waits on, at the end of the line. A queue that is destroyed leaves those that wait on it waiting
/// until they are cancelled.
template <class T>
class Queue : public detail::BasicQueue<T, detail::FifoStore<T>> {
public:
  explicit Queue(std::size_t maxsize = 0) : detail::BasicQueue<T, detail::FifoStore<T>>(maxsize) {}
};

/// Newest first (asyncio.LifoQueue); otherwise as Queue.
template <class T>
class LifoQueue : public detail::BasicQueue<T, detail::LifoStore<T>> {
public:
  explicit LifoQueue(std::size_t maxsize = 0)
      : detail::BasicQueue<T, detail::LifoStore<T>>(maxsize) {}
};

/// Least first (asyncio.PriorityQueue); otherwise as Queue. `Compare` must not throw. Items that
/// compare equal come out in no promised order (it is the order that Python's heapq gives).
template <class T, class Compare = std::less<T>>
class PriorityQueue : public detail::BasicQueue<T, detail::HeapStore<T, Compare>> {
public:
  explicit PriorityQueue(std::size_t maxsize = 0, Compare less = Compare())
      : detail::BasicQueue<T, detail::HeapStore<T, Compare>>(
            maxsize, detail::HeapStore<T, Compare>(std::move(less))) {}
};

}  // namespace brio
