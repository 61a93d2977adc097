// Per-thread size-class free lists for coroutine frames, tasks, futures and handles.
//
// A frame may be freed on another thread than it came from (a Coro moved into a worker): blocks
// come one by one from operator new, so each thread's lists take whatever is freed there. Lists
// are bounded; what does not fit goes back to operator delete. Off under sanitizers.
#pragma once

#include <brio/core/config.hpp>

#include <cstddef>
#include <cstdint>
#include <new>

namespace brio::detail {

class FramePool {
public:
  static constexpr std::size_t granule = 32;
  static constexpr std::size_t classes = 32;  // blocks up to 1 KiB are pooled
  static constexpr std::uint32_t max_blocks = 1u << 17;

  static BRIO_ALWAYS_INLINE void* allocate(std::size_t size) {
#if !BRIO_SANITIZED
    const std::size_t index = (size + granule - 1) / granule;
    if (index < classes) [[likely]] {
      Lists& lists = lists_;
      if (Block* block = lists.head[index]) [[likely]] {
        lists.head[index] = block->next;
        --lists.count[index];
        return block;
      }
      return ::operator new(index * granule);
    }
#endif
    return ::operator new(size);
  }

  static BRIO_ALWAYS_INLINE void deallocate(void* memory, std::size_t size) noexcept {
#if !BRIO_SANITIZED
    const std::size_t index = (size + granule - 1) / granule;
    if (index < classes) [[likely]] {
      Lists& lists = lists_;
      if (lists.count[index] < lists.limit) [[likely]] {
        Block* block = static_cast<Block*>(memory);
        block->next = lists.head[index];
        lists.head[index] = block;
        ++lists.count[index];
        return;
      }
      return_block(memory, index);
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
  };
  struct Lists {
    Block* head[classes];
    std::uint32_t count[classes];
    std::uint32_t limit;  // 0 until the thread's clean-up is registered, and after it has run
  };
  struct Cleanup;
  BRIO_API static void return_block(void* memory, std::size_t index) noexcept;
  BRIO_API static constinit thread_local Lists lists_ __attribute__((tls_model("initial-exec")));
};

/// Base of what is allocated from the pool.
struct Pooled {
  static void* operator new(std::size_t size) { return FramePool::allocate(size); }
  static void operator delete(void* memory, std::size_t size) noexcept {
    FramePool::deallocate(memory, size);
  }
};

}  // namespace brio::detail
