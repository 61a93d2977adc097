// Generator<T>: a synchronous generator, with `yield from` as `co_yield` of another Generator.
//
//     brio::Generator<int> tree(const Node* n) {
//       if (!n) co_return;
//       co_yield tree(n->left);
//       co_yield n->value;
//       co_yield tree(n->right);
//     }
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/detail/frame_pool.hpp>

#include <concepts>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

namespace brio {

namespace detail {
[[noreturn]] BRIO_API void throw_generator_running();
}  // namespace detail

/// A lazy sequence (a Python generator). Move-only; an input range, or next() by hand. A nested
/// generator costs one resume per value however deep it is. co_await is not allowed inside.
template <class T>
class [[nodiscard]] Generator {
public:
  class promise_type;
  using value_type = std::remove_cvref_t<T>;

  Generator() noexcept = default;
  Generator(Generator&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Generator& operator=(Generator&& other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~Generator() {
    if (frame_) dismantle();
  }

  /// The next value, or nothing at the end. Throws what the body throws; then it has ended.
  /// Throws ValueError inside the body itself, where it is already executing.
  std::optional<value_type> next() {
    if (!advance()) return std::nullopt;
    return *frame_.promise().value();
  }

  class iterator {
  public:
    using value_type = Generator::value_type;
    using difference_type = std::ptrdiff_t;
    iterator() noexcept = default;
    explicit iterator(Generator* generator) : generator_(generator) { ++*this; }
    iterator& operator++() {
      if (!generator_->advance()) generator_ = nullptr;
      return *this;
    }
    void operator++(int) { ++*this; }
    const value_type& operator*() const { return *generator_->frame_.promise().value(); }
    friend bool operator==(const iterator& it, std::default_sentinel_t) {
      return it.generator_ == nullptr;
    }

  private:
    Generator* generator_ = nullptr;
  };
  /// Starts or goes on; a generator is iterated once.
  iterator begin() { return iterator(this); }
  std::default_sentinel_t end() const noexcept { return {}; }

private:
  explicit Generator(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
  bool advance() {
    if (!frame_ || frame_.done()) return false;
    promise_type& root = frame_.promise();
    if (root.running_) detail::throw_generator_running();
    root.running_ = true;
    root.leaf().resume();
    root.running_ = false;
    if (!frame_.done()) return true;
    root.rethrow();
    return false;
  }
  // Innermost first: destroying the outermost frame would recurse, as deep as they nest.
  void dismantle() noexcept {
    promise_type& root = frame_.promise();
    promise_type* at = root.leaf_;
    while (at != &root) {
      promise_type* const outer = at->outer_;
      std::exchange(at->holder_->frame_, nullptr).destroy();
      at = outer;
    }
    std::exchange(frame_, nullptr).destroy();
  }
  std::coroutine_handle<promise_type> frame_;
};

template <class T>
class Generator<T>::promise_type {
  using Handle = std::coroutine_handle<promise_type>;

public:
  static void* operator new(std::size_t size) { return detail::FramePool::allocate(size); }
  static void operator delete(void* memory, std::size_t size) noexcept {
    detail::FramePool::deallocate(memory, size);
  }

  Generator get_return_object() noexcept { return Generator(Handle::from_promise(*this)); }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  struct FinalAwaiter {
    bool await_ready() const noexcept { return false; }
    // A nested generator that ends gives control back to the one that yields from it.
    std::coroutine_handle<> await_suspend(Handle self) const noexcept {
      promise_type& ended = self.promise();
      promise_type* outer = std::exchange(ended.outer_, nullptr);
      if (!outer) return std::noop_coroutine();
      outer->root_->leaf_ = outer;
      return Handle::from_promise(*outer);
    }
    void await_resume() const noexcept {}
  };
  FinalAwaiter final_suspend() const noexcept { return {}; }
  void return_void() const noexcept {}
  void unhandled_exception() noexcept { error_ = std::current_exception(); }

  std::suspend_always yield_value(const value_type& value) noexcept {
    root_->value_ = std::addressof(value);
    return {};
  }
  struct FromAwaiter {
    Generator inner;
    bool await_ready() const noexcept { return !inner.frame_ || inner.frame_.done(); }
    std::coroutine_handle<> await_suspend(Handle self) {
      promise_type& outer = self.promise();
      promise_type& nested = inner.frame_.promise();
      if (nested.running_) detail::throw_generator_running();
      nested.outer_ = &outer;
      nested.holder_ = &inner;
      // One that was begun already may stand in a nested one of its own.
      promise_type* const leaf = std::exchange(nested.leaf_, &nested);
      for (promise_type* at = leaf; at != &outer; at = at->outer_) at->root_ = outer.root_;
      outer.root_->leaf_ = leaf;
      return Handle::from_promise(*leaf);
    }
    void await_resume() {
      if (inner.frame_) inner.frame_.promise().rethrow();
    }
  };
  /// `co_yield inner()`: all of its values (yield from).
  FromAwaiter yield_value(Generator inner) noexcept { return {std::move(inner)}; }
  void await_transform() = delete;

private:
  friend class Generator;
  const value_type* value() const noexcept { return value_; }
  Handle leaf() noexcept { return Handle::from_promise(*leaf_); }
  void rethrow() {
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }
  promise_type* root_ = this;
  promise_type* leaf_ = this;  // of a root: where the values come from now
  promise_type* outer_ = nullptr;
  Generator* holder_ = nullptr;  // of a nested one: the object that owns it, in the outer's frame
  bool running_ = false;
  const value_type* value_ = nullptr;
  std::exception_ptr error_;
};

}  // namespace brio
