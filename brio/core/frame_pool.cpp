#include <brio/core/detail/frame_pool.hpp>

#include <mutex>
#include <pthread.h>

namespace brio::detail {

constinit thread_local FramePool::Lists FramePool::lists_{};

/// Batches that no thread uses. Constant-initialised and never destroyed: threads may end after
/// main.
class FramePool::Depot {
public:
  constexpr Depot() noexcept = default;

  /// A full batch, or null.
  Block* take(std::size_t index) noexcept {
    const std::lock_guard lock(mutex_);
    Block* const head = batches_[index];
    if (!head) return nullptr;
    batches_[index] = head->next_batch;
    bytes_ -= batch * block_size(index);
    return head;
  }
  /// False if the depot has enough.
  bool give(std::size_t index, Block* head) noexcept {
    const std::lock_guard lock(mutex_);
    if (bytes_ + batch * block_size(index) > depot_limit) return false;
    bytes_ += batch * block_size(index);
    head->next_batch = batches_[index];
    batches_[index] = head;
    return true;
  }
  static Depot& get() noexcept {
    static constinit Depot depot;
    return depot;
  }
  // A fork must not catch another thread in here: the child would wait for it for ever.
  static void keep_over_fork() noexcept {
    [[maybe_unused]] static const int registered = pthread_atfork(
        [] { get().mutex_.lock(); }, [] { get().mutex_.unlock(); }, [] { get().mutex_.unlock(); });
  }

private:
  std::mutex mutex_;
  Block* batches_[classes] = {};
  std::size_t bytes_ = 0;
};

void FramePool::free_chain(Block* head) noexcept {
  while (head) {
    Block* const next = head->next;
    ::operator delete(head);
    head = next;
  }
}

// Empties the lists when the thread ends. What is freed after that (by other thread_local
// destructors) goes straight to operator delete, because the limit is zero again.
struct FramePool::Cleanup {
  Cleanup() noexcept {
    lists_.limit = batch;
    Depot::keep_over_fork();
  }
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;
  ~Cleanup() {
    lists_.limit = 0;
    ended = true;
    for (std::size_t i = 0; i < classes; ++i) {
      List& list = lists_.of[i];
      if (list.spare && !Depot::get().give(i, list.spare)) free_chain(list.spare);
      free_chain(list.head);
      list = {};
    }
  }
  static thread_local bool ended;
};
thread_local bool FramePool::Cleanup::ended = false;

void* FramePool::refill(std::size_t index) {
  List& list = lists_.of[index];
  Block* head = list.spare;
  if (head)
    list.spare = nullptr;
  else
    head = Depot::get().take(index);
  if (!head) {
    // At least a Block: it will stand in a list one day.
    const std::size_t size = block_size(index);
    return ::operator new(size < sizeof(Block) ? sizeof(Block) : size);
  }
  list.head = head->next;
  list.count = batch - 1;
  return head;
}

void FramePool::overflow(void* memory, std::size_t index) noexcept {
  if (lists_.limit == 0) {
    if (Cleanup::ended) {
      ::operator delete(memory);
      return;
    }
    static thread_local Cleanup cleanup;  // registers itself on first use
    (void)cleanup;
  } else {
    List& list = lists_.of[index];
    if (list.spare && !Depot::get().give(index, list.spare)) free_chain(list.spare);
    list.spare = list.head;
    list.head = nullptr;
    list.count = 0;
  }
  deallocate(memory, index * granule);
}

}  // namespace brio::detail
