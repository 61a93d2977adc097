#include <brio/core/context.hpp>

#include <algorithm>

namespace brio {

namespace detail {

constinit thread_local ThreadState thread_state{};

std::uint64_t next_context_variable() noexcept {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

namespace {
auto position(ContextMap& map, std::uint64_t variable) {
  return std::lower_bound(map.entries.begin(), map.entries.end(), variable,
                          [](const auto& entry, std::uint64_t id) { return entry.first < id; });
}
}  // namespace

const ContextValue* ContextState::find(std::uint64_t variable) const noexcept {
  if (!map) return nullptr;
  const auto at = position(*map, variable);
  return at != map->entries.end() && at->first == variable ? &at->second : nullptr;
}

ContextValue ContextState::set(std::uint64_t variable, ContextValue value) {
  if (!map) map = std::make_shared<ContextMap>();
  if (map.use_count() > 1) {
    map = std::make_shared<ContextMap>(*map);
  } else {
    // Another thread may have read the map and given up its share just now. use_count() orders
    // nothing; giving back a reference of our own puts this write after those reads.
    std::shared_ptr<const ContextMap>(map).reset();
  }
  const auto at = position(*map, variable);
  const bool known = at != map->entries.end() && at->first == variable;
  ContextValue old = known ? at->second : ContextValue();
  if (known && value)
    at->second = std::move(value);
  else if (known)
    map->entries.erase(at);
  else if (value)
    map->entries.emplace(at, variable, std::move(value));
  return old;
}

ContextState& ContextSlot::materialise() {
  if (!state_) state_ = Ref<ContextState>(new ContextState);
  return *state_;
}

ContextSlot ContextSlot::copy_slow() const {
  ContextSlot fresh;
  fresh.materialise().map = state_->map;
  return fresh;
}

ContextSlot& ContextSlot::of_thread() noexcept {
  static thread_local ContextSlot slot;
  return slot;
}

}  // namespace detail

Context::Context() : state_(new detail::ContextState) {}

Context Context::copy() const {
  Context fresh;
  fresh.state_->map = state_->map;
  return fresh;
}

std::size_t Context::size() const noexcept { return state_->map ? state_->map->entries.size() : 0; }

Context::Entered::Entered(detail::ContextState& s) : state(s) {
  if (state.entered) throw RuntimeError("cannot enter context: it is already entered");
  state.entered = true;
}
Context::Entered::~Entered() { state.entered = false; }

Context copy_context() {
  Context fresh;
  if (const detail::ContextState* now = detail::ContextSlot::current().peek())
    fresh.state()->map = now->map;
  return fresh;
}

}  // namespace brio
