// Size-class free lists for coroutine frames, tasks, futures, handles and callbacks.
//
// Each thread has its own lists; whole batches go to and from a depot that the threads share, so a
// block may be freed on another thread than it came from (a callback posted to a loop, a Coro moved
// into a worker) and still find its way back. Blocks come one by one from operator new, and what
// the depot may not keep goes back to operator delete. Off under sanitizers.
#pragma once

#include <brio/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace brio::detail {

class FramePool {
public:
  // Blocks of 8, 24, 40, … bytes: malloc adds a header of 8 to each and rounds up to 16, so these
  // sizes waste nothing.
  static constexpr std::size_t granule = 16;
  static constexpr std::size_t classes = 65;  // blocks up to 1 KiB are pooled
  /// A thread keeps at most twice this many blocks of a size.
  static constexpr std::uint32_t batch = 64;
  /// What all threads together leave unused for later, at most; the rest is freed.
  static constexpr std::size_t depot_limit = std::size_t{256} << 20;

  static BRIO_ALWAYS_INLINE void* allocate(std::size_t size) {
#if !BRIO_SANITIZED
    const std::size_t index = class_of(size);
    if (index < classes) [[likely]] {
      List& list = lists_.of[index];
      if (Block* block = list.head) [[likely]] {
        list.head = block->next;
        --list.count;
        return block;
      }
      return refill(index);
    }
#endif
    return ::operator new(size);
  }

  static BRIO_ALWAYS_INLINE void deallocate(void* memory, std::size_t size) noexcept {
#if !BRIO_SANITIZED
    const std::size_t index = class_of(size);
    if (index < classes) [[likely]] {
      List& list = lists_.of[index];
      if (list.count < lists_.limit) [[likely]] {
        Block* block = static_cast<Block*>(memory);
        block->next = list.head;
        list.head = block;
        ++list.count;
        return;
      }
      overflow(memory, index);
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
    Block* next_batch;  // in the depot, of the first block of each batch
  };
  struct List {
    Block* head;
    Block* spare;  // a full batch, or nothing
    std::uint32_t count;
  };
  struct Lists {
    List of[classes];
    std::uint32_t limit;  // 0 until the thread's clean-up is registered, and after it has run
  };
  struct Cleanup;
  class Depot;
  static constexpr std::size_t class_of(std::size_t size) noexcept {
    return (size + granule / 2 - 1) / granule;
  }
  static constexpr std::size_t block_size(std::size_t index) noexcept {
    return index * granule + granule / 2;
  }
  /// A block when the list is empty: from the spare batch, the depot or operator new.
  BRIO_API static void* refill(std::size_t index);
  /// Takes a block back when the list is full.
  BRIO_API static void overflow(void* memory, std::size_t index) noexcept;
  static void free_chain(Block* head) noexcept;
  BRIO_API static constinit thread_local Lists lists_ __attribute__((tls_model("initial-exec")));
};

/// Base of what is allocated from the pool.
struct Pooled {
  static void* operator new(std::size_t size) { return FramePool::allocate(size); }
  static void operator delete(void* memory, std::size_t size) noexcept {
    FramePool::deallocate(memory, size);
  }
};

/// Destroys an object whose own type is T and gives its memory back. What derives from T must not
/// come here as a T.
template <class T>
void destroy_pooled(T* object) noexcept {
  object->T::~T();
  FramePool::deallocate(object, sizeof(T));
}

}  // namespace brio::detail
