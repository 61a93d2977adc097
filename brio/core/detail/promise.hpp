// The part that every brio coroutine's promise shares: who awaits it, and where it stands.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/detail/frame_pool.hpp>

#include <coroutine>
#include <cstdint>
#include <source_location>

namespace brio::detail {

enum class FrameKind : std::uint8_t {
  coro,       // owned by the awaiter in its parent's frame, or by a task
  generator,  // owned by its AsyncGenerator object
};

enum class Outcome_ : std::uint8_t { none, value, error };

/// First (and never polymorphic) base of each promise, so that a frame's address follows from it.
struct PromiseBase {
  /// The coroutine that awaits this one: the continuation, and the next line of the async stack.
  PromiseBase* awaiter_ = nullptr;
  /// The function, from its creation on, and the line of its latest await.
  std::source_location where_;
  FrameKind kind_ = FrameKind::coro;
  Outcome_ outcome_ = Outcome_::none;
  bool started_ = false;

  // Promises align to at most 16, as the frame header does: the frame's address does not depend
  // on the derived type.
  [[nodiscard]] std::coroutine_handle<> frame() noexcept {
    return std::coroutine_handle<PromiseBase>::from_promise(*this);
  }

  static void* operator new(std::size_t size) { return FramePool::allocate(size); }
  static void operator delete(void* memory, std::size_t size) noexcept {
    FramePool::deallocate(memory, size);
  }
};

/// The frame that a task being torn down destroyed last: its parent's awaiter must not do it again.
BRIO_API extern constinit thread_local void* dismantled_child
    __attribute__((tls_model("initial-exec")));

/// Destroys a child frame unless the teardown of its task has done so.
inline void destroy_child(std::coroutine_handle<> child) noexcept {
  if (child.address() == dismantled_child) [[unlikely]]
    dismantled_child = nullptr;
  else
    child.destroy();
}

}  // namespace brio::detail
