// Memory for what is made in one thread and ends in another, as posted callbacks do. An allocator
// with a heap for each thread is at its worst there: every block goes home under a lock.
//
// Each thread keeps a small stock of blocks; whole batches go through a common store. Off under
// sanitizers.
#pragma once

#include <brio/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace brio::detail {

class CrossThreadPool {
public:
  static constexpr std::size_t granule = 64;
  static constexpr std::size_t classes = 5;  // blocks of up to 256 bytes are pooled
  static constexpr std::uint32_t batch = 32;

  static BRIO_ALWAYS_INLINE void* allocate(std::size_t size) {
#if !BRIO_SANITIZED
    const std::size_t index = (size + granule - 1) / granule;
    if (index < classes) [[likely]] {
      Stock& stock = stocks_[index];
      if (!stock.head) [[unlikely]]
        return refill(index);
      Block* const block = stock.head;
      stock.head = block->next;
      --stock.count;
      return block;
    }
#endif
    return ::operator new(size);
  }

  static BRIO_ALWAYS_INLINE void deallocate(void* memory, std::size_t size) noexcept {
#if !BRIO_SANITIZED
    const std::size_t index = (size + granule - 1) / granule;
    if (index < classes) [[likely]] {
      Stock& stock = stocks_[index];
      if (stock.count == stock.limit && !make_room(index)) [[unlikely]] {
        ::operator delete(memory);
        return;
      }
      Block* const block = static_cast<Block*>(memory);
      block->next = stock.head;
      stock.head = block;
      ++stock.count;
      return;
    }
#else
    (void)size;
#endif
    ::operator delete(memory);
  }

private:
  struct Block {
    Block* next;
    Block* next_batch;  // of the first block of a batch in the store
  };
  struct Stock {
    Block* head;
    std::uint32_t count;
    std::uint32_t limit;  // 0 until the thread's clean-up is registered, and once it has run
  };
  struct Store;
  struct Cleanup;
  static bool stocked() noexcept;
  BRIO_API static void* refill(std::size_t index);
  BRIO_API static bool make_room(std::size_t index) noexcept;
  BRIO_API static constinit thread_local Stock stocks_[classes]
      __attribute__((tls_model("initial-exec")));
};

/// Base of what is allocated from this pool.
struct CrossThread {
  static void* operator new(std::size_t size) { return CrossThreadPool::allocate(size); }
  static void operator delete(void* memory, std::size_t size) noexcept {
    CrossThreadPool::deallocate(memory, size);
  }
};

}  // namespace brio::detail
