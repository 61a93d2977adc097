// Held<Lock> and its like: what `co_await lock.scoped()` gives.
#pragma once

#include <brio/core/config.hpp>

#include <exception>
#include <utility>

namespace brio {

namespace detail {
/// Logs that a guard found what it guards released already. Silent while a loop is closed: the
/// frames of unfinished tasks are destroyed then, some of them in the middle of a Condition.wait.
BRIO_API void report_bad_release(const char* what) noexcept;
}  // namespace detail

/// Holds a Lock, Semaphore or Condition to the end of the scope (`async with`). Move-only.
///
/// Releasing by hand what a guard still holds is an error: release() through the guard throws
/// then, and the destructor, which cannot, logs it.
template <class Primitive>
class [[nodiscard]] Held {
public:
  Held() noexcept = default;
  /// Takes over one acquisition of `primitive`, which must outlive this.
  explicit Held(Primitive& primitive) noexcept : primitive_(&primitive) {}
  Held(Held&& other) noexcept : primitive_(std::exchange(other.primitive_, nullptr)) {}
  Held& operator=(Held&& other) noexcept {
    std::swap(primitive_, other.primitive_);
    return *this;
  }
  ~Held() {
    if (!primitive_) return;
    try {
      primitive_->release();
    } catch (const std::exception& error) {
      detail::report_bad_release(error.what());
    }
  }

  /// Releases before the end of the scope. Throws what the primitive's release() throws. Does
  /// nothing the second time.
  void release() {
    if (Primitive* held = std::exchange(primitive_, nullptr)) held->release();
  }
  /// Is it still held by this guard?
  [[nodiscard]] explicit operator bool() const noexcept { return primitive_ != nullptr; }

private:
  Primitive* primitive_ = nullptr;
};

namespace detail {

/// Acquires, and gives the guard instead of true.
template <class Acquire, class Primitive>
class [[nodiscard]] ScopedAcquire : public Acquire {
public:
  ScopedAcquire(Acquire acquire, Primitive& primitive) noexcept
      : Acquire(std::move(acquire)), primitive_(&primitive) {}
  Held<Primitive> await_resume() {
    Acquire::await_resume();
    return Held<Primitive>(*primitive_);
  }

private:
  Primitive* primitive_;
};

}  // namespace detail
}  // namespace brio
