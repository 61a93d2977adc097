// Held<Lock> and its like: what `co_await lock.scoped()` gives.
#pragma once

#include <brio/core/config.hpp>
#include <brio/sync/detail/links.hpp>

#include <exception>
#include <utility>

namespace brio {

namespace detail {

/// A guard of any primitive. A primitive that dies first lets its guards go: when main returns, its
/// locals die before the tasks that it has left behind are cancelled and unwind.
struct HeldBase : Links {
  HeldBase() noexcept = default;
  HeldBase(const HeldBase&) = delete;
  HeldBase& operator=(const HeldBase&) = delete;
  ~HeldBase() {
    if (linked()) unlink();
  }
  void let_go() noexcept {
    if (linked()) unlink();
    primitive_ = nullptr;
  }
  void* primitive_ = nullptr;
};

/// The guards that hold a primitive.
class Holders {
public:
  Holders() noexcept = default;
  Holders(const Holders&) = delete;
  Holders& operator=(const Holders&) = delete;
  ~Holders() {
    while (!guards_.empty()) static_cast<HeldBase*>(guards_.next_)->let_go();
  }
  void add(HeldBase& guard) noexcept { guard.link_before(guards_); }

private:
  ListHead guards_;
};

/// Logs that a guard found what it guards released already. Silent while a loop is closed: the
/// frames of unfinished tasks are destroyed then, some of them in the middle of a Condition.wait.
BRIO_API void report_bad_release(const char* what) noexcept;

}  // namespace detail

/// Holds a Lock, Semaphore or Condition to the end of the scope (`async with`). Move-only.
///
/// Releasing by hand what a guard still holds is an error: release() through the guard throws
/// then, and the destructor, which cannot, logs it. A guard may outlive what it holds.
template <class Primitive>
class [[nodiscard]] Held : private detail::HeldBase {
public:
  Held() noexcept = default;
  /// Takes over one acquisition of `primitive`.
  explicit Held(Primitive& primitive) noexcept { hold(&primitive); }
  Held(Held&& other) noexcept { hold(other.take()); }
  /// Releases what this held before.
  Held& operator=(Held&& other) noexcept {
    Primitive* const taken = other.take();
    leave();
    hold(taken);
    return *this;
  }
  ~Held() { leave(); }

  /// Releases before the end of the scope. Throws what the primitive's release() throws. Does
  /// nothing the second time.
  void release() {
    if (Primitive* const held = take()) held->release();
  }
  /// Is it still held by this guard?
  [[nodiscard]] explicit operator bool() const noexcept { return primitive_ != nullptr; }

private:
  void hold(Primitive* primitive) noexcept {
    primitive_ = primitive;
    if (primitive) primitive->holders_.add(*this);
  }
  Primitive* take() noexcept {
    auto* const held = static_cast<Primitive*>(primitive_);
    let_go();
    return held;
  }
  void leave() noexcept {
    try {
      release();
    } catch (const std::exception& error) {
      detail::report_bad_release(error.what());
    }
  }
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
