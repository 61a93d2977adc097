// Items: the awaitables that a program combines (SPEC.md §1).
#pragma once

#include "interp.hpp"
#include "run.hpp"

#include <brio/core/ensure_future.hpp>

#include <algorithm>
#include <ranges>
#include <variant>
#include <vector>

namespace conformance {

/// Throws Unset if an item names an empty slot: before any coroutine is made.
inline void look_up(const Run& run, const Json& items) {
  for (const Json& item : items.array())
    if (item.is_string()) (void)run.slot(item.string());
}

/// Does the item give a Value? A gather's future does not: its type is a vector's.
inline bool is_typed(const Run& run, const Json& item) {
  return !item.is_string() || run.is_value_future(run.future(item.string()));
}
inline bool all_typed(const Run& run, const Json& items) {
  return std::ranges::all_of(items.array(), [&](const Json& item) { return is_typed(run, item); });
}

/// A typed item as what the library is given.
using Item = std::variant<brio::Coro<Value>, brio::Future<Value>>;
inline Item typed_item(Run& run, const Json& item) {
  if (item.is_string()) return as_value_future(run.future(item.string()));
  return run.coroutine(item[1].string());
}

/// Any item as a future; a task is made of a coroutine at this moment.
inline brio::AnyFuture as_future(Run& run, const Json& item) {
  if (item.is_string()) return run.future(item.string());
  return brio::ensure_future(run.coroutine(item[1].string()));
}
/// The items, all typed, as a range of futures that makes tasks as it is iterated, once.
inline auto futures_of(Run& run, const Json& items) {
  return items.array() | std::views::transform([&run](const Json& item) {
           return as_value_future(as_future(run, item));
         });
}

inline bool all_coroutines(const Json& items) {
  return std::ranges::none_of(items.array(), &Json::is_string);
}
inline std::vector<brio::Coro<Value>> make_coroutines(Run& run, const Json& items) {
  std::vector<brio::Coro<Value>> coroutines;
  for (const Json& item : items.array()) coroutines.push_back(run.coroutine(item[1].string()));
  return coroutines;
}

}  // namespace conformance
