#include <brio/core/detail/cross_thread.hpp>

#include <mutex>
#include <type_traits>
#include <utility>

namespace brio::detail {

constinit thread_local CrossThreadPool::Stock CrossThreadPool::stocks_[classes]{};

// Full batches on their way from the threads that free to those that allocate.
struct CrossThreadPool::Store {
  static constexpr std::uint32_t most_batches = 256;
  std::mutex mutex;
  Block* first = nullptr;
  std::uint32_t count = 0;

  static Store& of(std::size_t index) noexcept {
    // Without a destructor: threads may outlive static objects.
    static constinit Store stores[classes];
    static_assert(std::is_trivially_destructible_v<Store>);
    return stores[index];
  }
  Block* take() noexcept {
    const std::lock_guard lock(mutex);
    Block* const taken = first;
    if (taken) {
      first = taken->next_batch;
      --count;
    }
    return taken;
  }
  bool put(Block* blocks) noexcept {
    const std::lock_guard lock(mutex);
    if (count == most_batches) return false;
    blocks->next_batch = first;
    first = blocks;
    ++count;
    return true;
  }
};

// Frees the stocks when the thread ends. What other thread_local destructors free after that goes
// straight to operator delete, because the limit is zero again.
struct CrossThreadPool::Cleanup {
  Cleanup() noexcept {
    for (Stock& stock : stocks_) stock.limit = 2 * batch;
  }
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;
  ~Cleanup() {
    ended = true;
    for (Stock& stock : stocks_) {
      while (Block* const block = stock.head) {
        stock.head = block->next;
        ::operator delete(block);
      }
      stock.count = stock.limit = 0;
    }
  }
  static thread_local bool ended;
};
thread_local bool CrossThreadPool::Cleanup::ended = false;

// May this thread keep blocks? From its first use of the pool until it ends.
bool CrossThreadPool::stocked() noexcept {
  if (Cleanup::ended) return false;
  static thread_local Cleanup cleanup;
  (void)cleanup;
  return true;
}

void* CrossThreadPool::refill(std::size_t index) {
  Block* const blocks = stocked() ? Store::of(index).take() : nullptr;
  if (!blocks) return ::operator new(index * granule);
  Stock& stock = stocks_[index];
  stock.head = blocks->next;
  stock.count = batch - 1;
  return blocks;
}

bool CrossThreadPool::make_room(std::size_t index) noexcept {
  if (!stocked()) return false;
  Stock& stock = stocks_[index];
  if (stock.count < stock.limit) return true;
  Block* last = stock.head;
  for (std::uint32_t i = 1; i < batch; ++i) last = last->next;
  Block* const rest = std::exchange(last->next, nullptr);
  if (!Store::of(index).put(stock.head)) {
    last->next = rest;
    return false;
  }
  stock.head = rest;
  stock.count -= batch;
  return true;
}

}  // namespace brio::detail
