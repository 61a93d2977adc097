// The limit: what the jobs cost by hand. A coroutine loop with nothing in it but what the jobs
// need: no cancellation, no exceptions, no names, no contexts, no locations, one waiter for each
// thing, one thread. brio is measured against it, built with the same compiler and the same flags.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>
#include <variant>
#include <vector>

namespace limit {

/// Frames and futures come from free lists, one for each multiple of 32 bytes.
class Pool {
public:
  static void* allocate(std::size_t size) {
    const std::size_t index = (size + 31) / 32;
    if (index < lists_.size()) [[likely]] {
      if (Block* block = lists_[index]) [[likely]] {
        lists_[index] = block->next;
        return block;
      }
      return ::operator new(index * 32);
    }
    return ::operator new(size);
  }
  static void deallocate(void* memory, std::size_t size) noexcept {
    const std::size_t index = (size + 31) / 32;
    if (index >= lists_.size()) [[unlikely]]
      return ::operator delete(memory);
    auto* block = static_cast<Block*>(memory);
    block->next = lists_[index];
    lists_[index] = block;
  }

private:
  struct Block {
    Block* next;
  };
  static inline constinit std::array<Block*, 32> lists_{};
};

struct Pooled {
  static void* operator new(std::size_t size) { return Pool::allocate(size); }
  static void operator delete(void* memory, std::size_t size) noexcept {
    Pool::deallocate(memory, size);
  }
};

/// FIFO of what runs next.
template <class T>
class Ring {
public:
  [[nodiscard]] std::size_t size() const noexcept { return tail_ - head_; }
  void push(T entry) {
    if (tail_ - head_ == slots_.size()) [[unlikely]]
      grow();
    slots_[tail_++ & (slots_.size() - 1)] = entry;
  }
  T pop() noexcept { return slots_[head_++ & (slots_.size() - 1)]; }

private:
  void grow() {
    std::vector<T> wider(slots_.empty() ? 256 : slots_.size() * 2);
    const std::size_t count = tail_ - head_;
    for (std::size_t i = 0; i < count; ++i) wider[i] = slots_[(head_ + i) & (slots_.size() - 1)];
    slots_ = std::move(wider);
    head_ = 0;
    tail_ = count;
  }
  std::vector<T> slots_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

/// What to call, and with what.
struct Callback {
  void (*call)(void*);
  void* argument;
};

/// A timer: what to resume, and its place in the heap.
struct Timer {
  std::coroutine_handle<> handle;
  std::uint32_t index = 0;
};

/// A 4-ary heap of timers that know their place.
class TimerHeap {
public:
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] std::int64_t earliest() const noexcept { return entries_.front().when; }
  void add(Timer& timer, std::int64_t when) {
    entries_.push_back({when, &timer});
    up(entries_.size() - 1, {when, &timer});
  }
  void remove(const Timer& timer) noexcept {
    const std::size_t hole = timer.index;
    const Entry last = entries_.back();
    entries_.pop_back();
    if (hole == entries_.size()) return;
    if (hole > 0 && last.when < entries_[(hole - 1) / 4].when)
      up(hole, last);
    else
      down(hole, last);
  }
  Timer* pop() noexcept {
    Timer* timer = entries_.front().timer;
    remove(*timer);
    return timer;
  }

private:
  struct Entry {
    std::int64_t when;
    Timer* timer;
  };
  void place(std::size_t index, Entry entry) noexcept {
    entries_[index] = entry;
    entry.timer->index = static_cast<std::uint32_t>(index);
  }
  void up(std::size_t index, Entry entry) noexcept {
    while (index > 0) {
      const std::size_t parent = (index - 1) / 4;
      if (entries_[parent].when <= entry.when) break;
      place(index, entries_[parent]);
      index = parent;
    }
    place(index, entry);
  }
  void down(std::size_t index, Entry entry) noexcept {
    const std::size_t size = entries_.size();
    while (true) {
      const std::size_t first = index * 4 + 1;
      if (first >= size) break;
      std::size_t best = first;
      for (std::size_t i = first + 1; i < std::min(first + 4, size); ++i)
        if (entries_[i].when < entries_[best].when) best = i;
      if (entries_[best].when >= entry.when) break;
      place(index, entries_[best]);
      index = best;
    }
    place(index, entry);
  }
  std::vector<Entry> entries_;
};

inline std::int64_t now() noexcept {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

/// What another thread posts.
struct Posted : Callback {
  Posted* next;
};

/// The ready ring, the timers and the inbox of the one loop.
class Loop {
public:
  static Loop& get() noexcept {
    static Loop loop;
    return loop;
  }
  void ready(std::coroutine_handle<> handle) { ready_.push(handle); }
  TimerHeap& timers() noexcept { return timers_; }
  /// Runs until `root` is done.
  void run(std::coroutine_handle<> root) {
    ready(root);
    while (!root.done()) {
      if (inbox_.load(std::memory_order_relaxed)) take_posted();
      if (!timers_.empty()) {
        const std::int64_t time = now();
        while (!timers_.empty() && timers_.earliest() <= time) ready(timers_.pop()->handle);
      }
      if (ready_.size() == 0) sleep();
      for (std::size_t count = ready_.size(); count > 0; --count) ready_.pop().resume();
    }
  }
  /// Any thread.
  void post(void (*call)(void*), void* argument) {
    auto* node = new Posted{{call, argument}, nullptr};
    Posted* head = inbox_.load(std::memory_order_relaxed);
    do node->next = head == asleep() ? nullptr : head;
    while (!inbox_.compare_exchange_weak(head, node, std::memory_order_acq_rel,
                                         std::memory_order_relaxed));
    if (head == asleep()) {
      const std::uint64_t one = 1;
      (void)!write(event_, &one, sizeof one);
    }
  }

private:
  static Posted* asleep() noexcept { return reinterpret_cast<Posted*>(std::uintptr_t{1}); }
  void take_posted() {
    Posted* newest = inbox_.exchange(nullptr, std::memory_order_acq_rel);
    if (newest == asleep()) return;
    Posted* oldest = nullptr;
    while (newest) oldest = std::exchange(newest, std::exchange(newest->next, oldest));
    while (oldest) {
      oldest->call(oldest->argument);
      delete std::exchange(oldest, oldest->next);
    }
  }
  void sleep() {
    Posted* nothing = nullptr;
    if (inbox_.compare_exchange_strong(nothing, asleep())) {
      pollfd woken{event_, POLLIN, 0};
      const std::int64_t left =
          timers_.empty() ? 0 : std::max<std::int64_t>(timers_.earliest() - now(), 0);
      const timespec timeout{left / 1'000'000'000, left % 1'000'000'000};
      std::uint64_t value = 0;
      if (ppoll(&woken, 1, timers_.empty() ? nullptr : &timeout, nullptr) > 0)
        (void)!read(event_, &value, sizeof value);
    }
    take_posted();
  }
  Ring<std::coroutine_handle<>> ready_;
  TimerHeap timers_;
  std::atomic<Posted*> inbox_{nullptr};
  int event_ = eventfd(0, 0);
};

template <class T>
using Stored = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

/// Where a promise keeps its result.
template <class T>
struct Result {
  std::optional<T> value;
  void return_value(T result) { value.emplace(std::move(result)); }
  T take() { return std::move(*value); }
};
template <>
struct Result<void> {
  void return_void() noexcept {}
  void take() noexcept {}
};

/// A lazy coroutine, entered and left by symmetric transfer.
template <class T = void>
class [[nodiscard]] Coro {
public:
  struct promise_type : Result<T>, Pooled {
    std::coroutine_handle<> continuation = std::noop_coroutine();
    Coro get_return_object() noexcept { return Coro(Handle::from_promise(*this)); }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    struct Final {
      bool await_ready() const noexcept { return false; }
      std::coroutine_handle<> await_suspend(
          std::coroutine_handle<promise_type> self) const noexcept {
        return self.promise().continuation;
      }
      void await_resume() const noexcept {}
    };
    Final final_suspend() const noexcept { return {}; }
    void unhandled_exception() noexcept { std::terminate(); }
  };
  Coro(Coro&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Coro& operator=(Coro&&) = delete;
  ~Coro() {
    if (frame_) frame_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
    frame_.promise().continuation = caller;
    return frame_;
  }
  T await_resume() { return frame_.promise().take(); }
  std::coroutine_handle<> handle() const noexcept { return frame_; }

private:
  using Handle = std::coroutine_handle<promise_type>;
  explicit Coro(Handle frame) noexcept : frame_(frame) {}
  Handle frame_;
};

/// A coroutine that the loop runs; await it to join it. Its frame goes with this handle.
template <class T = void>
class [[nodiscard]] Task {
public:
  explicit Task(Coro<T> coro) : coro_(std::move(coro)) { Loop::get().ready(coro_.handle()); }
  bool await_ready() const noexcept { return coro_.handle().done(); }
  // The coroutine that ends goes straight to its joiner: the hop through the ring is saved.
  void await_suspend(std::coroutine_handle<> caller) noexcept { coro_.await_suspend(caller); }
  T await_resume() { return coro_.await_resume(); }

private:
  Coro<T> coro_;
};

struct Yield {
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) { Loop::get().ready(caller); }
  void await_resume() const noexcept {}
};

struct Cancelled {};

/// Sleeps until `when`, or until somebody cancels it: then it throws Cancelled.
class SleepUntil : Timer {
public:
  explicit SleepUntil(std::int64_t when) noexcept : when_(when) {}
  void cancel() {
    cancelled_ = true;
    Loop::get().timers().remove(*this);
    Loop::get().ready(handle);
  }
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) {
    handle = caller;
    Loop::get().timers().add(*this, when_);
  }
  void await_resume() const {
    if (cancelled_) throw Cancelled();
  }

private:
  bool cancelled_ = false;
  std::int64_t when_;
};

/// A value for one waiter.
template <class T>
class Future : public Pooled {
public:
  void set(T value) {
    value_.emplace(std::move(value));
    if (waiter_) Loop::get().ready(waiter_);
  }
  bool await_ready() const noexcept { return value_.has_value(); }
  void await_suspend(std::coroutine_handle<> caller) noexcept { waiter_ = caller; }
  T await_resume() { return *value_; }

private:
  std::optional<T> value_;
  std::coroutine_handle<> waiter_;
};

/// A bounded queue for one producer and one consumer.
template <class T>
class Queue {
public:
  explicit Queue(std::size_t capacity) : slots_(capacity) {}
  struct Get {
    Queue& queue;
    bool await_ready() const noexcept { return queue.head_ != queue.tail_; }
    void await_suspend(std::coroutine_handle<> caller) noexcept { queue.getter_ = caller; }
    T await_resume() { return queue.take(); }
  };
  struct Put {
    Queue& queue;
    T item;
    bool await_ready() const noexcept { return queue.tail_ - queue.head_ < queue.slots_.size(); }
    void await_suspend(std::coroutine_handle<> caller) noexcept { queue.putter_ = caller; }
    void await_resume() { queue.add(std::move(item)); }
  };
  Get get() noexcept { return {*this}; }
  Put put(T item) noexcept { return {*this, std::move(item)}; }

private:
  void add(T item) {
    slots_[tail_++ & (slots_.size() - 1)] = std::move(item);
    wake(getter_);
  }
  T take() {
    T item = std::move(slots_[head_++ & (slots_.size() - 1)]);
    wake(putter_);
    return item;
  }
  static void wake(std::coroutine_handle<>& waiter) {
    if (waiter) Loop::get().ready(std::exchange(waiter, nullptr));
  }
  std::vector<T> slots_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::coroutine_handle<> getter_;
  std::coroutine_handle<> putter_;
};

/// A lock with a line of waiters.
class Lock {
public:
  struct Acquire {
    Lock& lock;
    std::coroutine_handle<> caller{};
    Acquire* next = nullptr;
    bool await_ready() const noexcept { return !std::exchange(lock.locked_, true); }
    void await_suspend(std::coroutine_handle<> waiter) noexcept {
      caller = waiter;
      *lock.last_ = this;
      lock.last_ = &next;
    }
    void await_resume() const noexcept {}
  };
  Acquire acquire() noexcept { return {*this}; }
  /// Gives it to the first in line.
  void release() {
    if (!first_) {
      locked_ = false;
      return;
    }
    Loop::get().ready(first_->caller);
    first_ = first_->next;
    if (!first_) last_ = &first_;
  }

private:
  bool locked_ = false;
  Acquire* first_ = nullptr;
  Acquire** last_ = &first_;
};

/// Runs the coroutines concurrently and gives their results.
template <class T>
Coro<std::vector<T>> gather(std::vector<Coro<T>> coros) {
  std::vector<Task<T>> tasks;
  tasks.reserve(coros.size());
  for (Coro<T>& coro : coros) tasks.emplace_back(std::move(coro));
  std::vector<T> results;
  results.reserve(tasks.size());
  for (Task<T>& task : tasks) results.push_back(co_await task);
  co_return results;
}

/// Runs `main` to its end.
inline void run(Coro<> main) { Loop::get().run(main.handle()); }

}  // namespace limit
