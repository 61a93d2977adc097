#include <brio/core/detail/frame_pool.hpp>

namespace brio::detail {

constinit thread_local FramePool::Lists FramePool::lists_{};

// Empties the lists when the thread ends. Frames freed after that (by other thread_local
// destructors) go straight to operator delete, because the limit is zero again.
struct FramePool::Cleanup {
  Cleanup() noexcept { lists_.limit = max_blocks; }
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;
  ~Cleanup() {
    lists_.limit = 0;
    ended = true;
    for (std::size_t i = 0; i < classes; ++i) {
      while (Block* block = lists_.head[i]) {
        lists_.head[i] = block->next;
        ::operator delete(block);
      }
      lists_.count[i] = 0;
    }
  }
  static thread_local bool ended;
};
thread_local bool FramePool::Cleanup::ended = false;

void FramePool::return_block(void* memory, std::size_t index) noexcept {
  if (lists_.limit == 0 && !Cleanup::ended) {
    static thread_local Cleanup cleanup;  // registers itself on first use
    (void)cleanup;
    deallocate(memory, index * granule);
    return;
  }
  ::operator delete(memory);
}

}  // namespace brio::detail
