// What the queues keep their items in. None gives memory back while it lives, so a queue in steady
// state allocates nothing (std::deque does, every few hundred bytes that pass through it).
#pragma once

#include <brio/core/config.hpp>

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

namespace brio::detail {

/// First in, first out: a ring that doubles when it is full.
template <class T>
class FifoStore {
public:
  FifoStore() = default;
  FifoStore(const FifoStore&) = delete;
  FifoStore& operator=(const FifoStore&) = delete;
  ~FifoStore() {
    clear();
    if (slots_) std::allocator<T>().deallocate(slots_, mask_ + 1);
  }

  [[nodiscard]] std::size_t size() const noexcept { return tail_ - head_; }
  void push(T&& item) {
    if (!slots_ || size() > mask_) [[unlikely]]
      grow();
    std::construct_at(slots_ + (tail_ & mask_), std::move(item));
    ++tail_;
  }
  /// Moves the item out; must not be empty.
  T pop() {
    T* const slot = slots_ + (head_ & mask_);
    const Leave leave{*this, slot};
    return std::move(*slot);
  }
  void clear() noexcept {
    while (head_ != tail_) std::destroy_at(slots_ + (head_++ & mask_));
  }
  /// Drops the newest until `count` are left.
  void truncate(std::size_t count) noexcept {
    while (size() > count) std::destroy_at(slots_ + (--tail_ & mask_));
  }

private:
  // After the move, also when the move throws: the slot is no item any more.
  struct Leave {
    FifoStore& store;
    T* slot;
    ~Leave() {
      std::destroy_at(slot);
      ++store.head_;
    }
  };
  BRIO_NOINLINE void grow() {
    const std::size_t wider = slots_ ? (mask_ + 1) * 2 : 8;
    T* const slots = std::allocator<T>().allocate(wider);
    const std::size_t count = size();
    std::size_t moved = 0;
    try {
      for (; moved < count; ++moved)
        std::construct_at(slots + moved, std::move_if_noexcept(slots_[(head_ + moved) & mask_]));
    } catch (...) {
      std::destroy_n(slots, moved);
      std::allocator<T>().deallocate(slots, wider);
      throw;
    }
    clear();
    if (slots_) std::allocator<T>().deallocate(slots_, mask_ + 1);
    slots_ = slots;
    mask_ = wider - 1;
    head_ = 0;
    tail_ = count;
  }

  T* slots_ = nullptr;
  std::size_t mask_ = 0;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

/// Last in, first out.
template <class T>
class LifoStore {
public:
  [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
  void push(T&& item) { items_.push_back(std::move(item)); }
  T pop() {
    T item = std::move(items_.back());
    items_.pop_back();
    return item;
  }
  void clear() noexcept { items_.clear(); }

private:
  std::vector<T> items_;
};

/// Least first: a binary heap that makes the comparisons and moves of Python's heapq, so that items
/// which compare equal come out as they do there.
template <class T, class Compare>
class HeapStore {
public:
  explicit HeapStore(Compare less = Compare()) : less_(std::move(less)) {}

  [[nodiscard]] std::size_t size() const noexcept { return items_.size(); }
  void push(T&& item) {
    items_.push_back(std::move(item));
    up(0, items_.size() - 1);
  }
  T pop() {
    using std::swap;
    swap(items_.front(), items_.back());
    T item = std::move(items_.back());
    items_.pop_back();
    if (items_.size() > 1) down();
    return item;
  }
  void clear() noexcept { items_.clear(); }

private:
  // Lifts the item at `at` until its parent is not greater, at most to `start`.
  void up(std::size_t start, std::size_t at) {
    using std::swap;
    while (at > start) {
      const std::size_t parent = (at - 1) / 2;
      if (!less_(items_[at], items_[parent])) break;
      swap(items_[at], items_[parent]);
      at = parent;
    }
  }
  // Sinks the root to a leaf along the lesser children, then lifts it: fewer comparisons than
  // stopping on the way, as it came from a leaf.
  void down() {
    using std::swap;
    const std::size_t size = items_.size();
    std::size_t at = 0;
    for (std::size_t child = 1; child < size; child = 2 * at + 1) {
      const std::size_t right = child + 1;
      if (right < size && !less_(items_[child], items_[right])) child = right;
      swap(items_[at], items_[child]);
      at = child;
    }
    up(0, at);
  }

  std::vector<T> items_;
  [[no_unique_address]] Compare less_;
};

}  // namespace brio::detail
