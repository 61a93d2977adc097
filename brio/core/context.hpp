// Context variables (Python's contextvars): values that follow a task.
//
// A Context is copied when a task or a callback is created; the copy is O(1) because the map
// inside is shared until someone sets a variable. A program that sets none pays one null pointer.
#pragma once

#include <brio/core/config.hpp>
#include <brio/core/detail/ref.hpp>
#include <brio/core/detail/thread_state.hpp>
#include <brio/core/exceptions.hpp>

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace brio {

class Context;

namespace detail {

using ContextValue = std::shared_ptr<const void>;

/// The mapping, immutable once shared: sorted by variable, copied on write.
struct ContextMap {
  std::vector<std::pair<std::uint64_t, ContextValue>> entries;
};

/// What a Context handle points to. Atomic counts: contexts go to threads with to_thread.
class BRIO_API ContextState {
public:
  void ref() noexcept { refs_.fetch_add(1, std::memory_order_relaxed); }
  void unref() noexcept {
    if (refs_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  [[nodiscard]] const ContextValue* find(std::uint64_t variable) const noexcept;
  /// Sets (or, with a null value, erases) and returns what was there.
  ContextValue set(std::uint64_t variable, ContextValue value);

  std::shared_ptr<ContextMap> map;
  bool entered = false;  // Context::run is not reentrant

private:
  std::atomic<unsigned> refs_{0};
};

/// A place for a Context that is made only when something asks for it.
class BRIO_API ContextSlot {
public:
  constexpr ContextSlot() noexcept = default;
  explicit ContextSlot(Ref<ContextState> state) noexcept : state_(std::move(state)) {}
  [[nodiscard]] ContextState* peek() const noexcept { return state_.get(); }
  ContextState& materialise();
  [[nodiscard]] Ref<ContextState> share() { return Ref<ContextState>(&materialise()); }
  /// A copy of this slot's context for a new task or callback.
  [[nodiscard]] ContextSlot copy() const {
    if (!state_ || !state_->map) [[likely]]
      return {};
    return copy_slow();
  }

  /// The slot of the code that runs now.
  static ContextSlot& current() noexcept {
    ContextSlot* slot = thread_state.context;
    return slot ? *slot : of_thread();
  }

private:
  [[nodiscard]] ContextSlot copy_slow() const;
  static ContextSlot& of_thread() noexcept;
  Ref<ContextState> state_;
};

/// Makes a slot current for a scope.
class ContextSwitch {
public:
  explicit ContextSwitch(ContextSlot& slot) noexcept
      : before_(std::exchange(thread_state.context, &slot)) {}
  ContextSwitch(const ContextSwitch&) = delete;
  ContextSwitch& operator=(const ContextSwitch&) = delete;
  ~ContextSwitch() { thread_state.context = before_; }

private:
  ContextSlot* before_;
};

BRIO_API std::uint64_t next_context_variable() noexcept;

}  // namespace detail

/// What ContextVar::set returns: gives the variable back its earlier value (contextvars.Token).
template <class T>
class Token {
public:
  /// The value before set, or nothing if the variable had none in that context.
  [[nodiscard]] std::optional<T> old_value() const {
    if (!old_) return std::nullopt;
    return *static_cast<const T*>(old_.get());
  }

private:
  template <class>
  friend class ContextVar;
  Token(std::uint64_t variable, detail::ContextState* state, detail::ContextValue old)
      : variable_(variable), state_(state), old_(std::move(old)) {}
  std::uint64_t variable_;
  detail::Ref<detail::ContextState> state_;
  detail::ContextValue old_;
  bool used_ = false;
};

/// A variable whose value belongs to the current context (contextvars.ContextVar). Declare it at
/// namespace scope; it must outlive the contexts that name it only in so far as it is asked for.
template <class T>
class ContextVar {
public:
  explicit ContextVar(std::string name)
      : name_(std::move(name)), id_(detail::next_context_variable()) {}
  ContextVar(std::string name, T default_value)
      : name_(std::move(name)),
        id_(detail::next_context_variable()),
        default_(std::move(default_value)) {}
  ContextVar(const ContextVar&) = delete;
  ContextVar& operator=(const ContextVar&) = delete;

  /// The name given at construction, for error texts.
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// The value in the current context, or the variable's default. Throws LookupError without one.
  [[nodiscard]] T get() const {
    if (const T* value = find()) return *value;
    if (default_) return *default_;
    throw LookupError("context variable '" + name_ + "' has no value");
  }
  /// The value in the current context, else `fallback`.
  [[nodiscard]] T get(T fallback) const {
    if (const T* value = find()) return *value;
    return fallback;
  }
  /// Sets the value in the current context.
  Token<T> set(T value) const {
    detail::ContextState& state = detail::ContextSlot::current().materialise();
    return Token<T>(id_, &state, state.set(id_, std::make_shared<const T>(std::move(value))));
  }
  /// Undoes the set that gave `token`. Throws RuntimeError for a used token, ValueError for one of
  /// another variable or another context.
  void reset(Token<T>& token) const {
    if (token.used_) throw RuntimeError("this token has already been used once");
    if (token.variable_ != id_) throw ValueError("token was created by a different ContextVar");
    detail::ContextState& state = detail::ContextSlot::current().materialise();
    if (token.state_.get() != &state) throw ValueError("token was created in a different Context");
    token.used_ = true;
    state.set(id_, token.old_);
  }

private:
  friend class Context;
  [[nodiscard]] const T* find() const noexcept {
    const detail::ContextState* state = detail::ContextSlot::current().peek();
    const detail::ContextValue* value = state ? state->find(id_) : nullptr;
    return value ? static_cast<const T*>(value->get()) : nullptr;
  }
  std::string name_;
  std::uint64_t id_;
  std::optional<T> default_;
};

/// A mapping of context variables to values (contextvars.Context). A handle: copies of it name the
/// same context; `copy()` makes a new one in O(1).
class BRIO_API Context {
public:
  /// An empty context.
  Context();
  explicit Context(detail::Ref<detail::ContextState> state) noexcept : state_(std::move(state)) {}

  /// A new context with the same values.
  [[nodiscard]] Context copy() const;
  /// Calls `function()` with this context as the current one. Throws RuntimeError if it is entered
  /// already.
  template <class F>
  decltype(auto) run(F&& function) {
    Entered entered(*state_);
    detail::ContextSlot slot(state_);
    detail::ContextSwitch switched(slot);
    return std::forward<F>(function)();
  }
  /// The value of `variable` here, if it was set.
  template <class T>
  [[nodiscard]] std::optional<T> get(const ContextVar<T>& variable) const {
    const detail::ContextValue* value = state_->find(variable.id_);
    if (!value) return std::nullopt;
    return *static_cast<const T*>(value->get());
  }
  /// How many variables have a value.
  [[nodiscard]] std::size_t size() const noexcept;
  bool operator==(const Context& other) const noexcept { return state_ == other.state_; }

  [[nodiscard]] const detail::Ref<detail::ContextState>& state() const noexcept { return state_; }

private:
  struct BRIO_API Entered {
    explicit Entered(detail::ContextState& s);
    Entered(const Entered&) = delete;
    Entered& operator=(const Entered&) = delete;
    ~Entered();
    detail::ContextState& state;
  };
  detail::Ref<detail::ContextState> state_;
};

/// A copy of the current context (contextvars.copy_context).
[[nodiscard]] BRIO_API Context copy_context();

}  // namespace brio
