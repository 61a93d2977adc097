// The operations that hold no block: one table row each (SPEC.md §4).
#pragma once

#include "interp.hpp"
#include "json.hpp"
#include "run.hpp"
#include "value.hpp"

#include <brio/core/coro.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace conformance {

/// One operation at work: its arguments, looked up when asked for.
class Call {
public:
  Call(Run& r, const Json& o, Frame& f) : run(r), op(o), frame(f) {}

  Run& run;
  const Json& op;
  Frame& frame;
  /// What the trace shows instead of the value.
  std::optional<std::string> shown_value;

  [[nodiscard]] const Json& argument(std::size_t index) const { return op[index + 1]; }
  [[nodiscard]] bool given(std::size_t index) const { return !argument(index).is_null(); }
  [[nodiscard]] const std::string& name(std::size_t index) const {
    return argument(index).string();
  }
  [[nodiscard]] Value value(std::size_t index) const {
    return evaluate(run, argument(index), frame);
  }
  [[nodiscard]] std::int64_t number(std::size_t index) const { return value(index).number(); }
  /// A literal text, or nothing where it is missing or null.
  [[nodiscard]] std::optional<std::string> message(std::size_t index) const {
    return given(index) ? std::optional(name(index)) : std::nullopt;
  }
  /// A literal boolean, false where it is missing.
  [[nodiscard]] bool flag(std::size_t index) const {
    return given(index) && argument(index).boolean();
  }
};

/// A row of the table. `shown` says how the label continues after the operation's name, one
/// letter per argument; later arguments are not shown:
///   n  a name, left out where it is missing     t  an expression's value, strings bare
///   f  an expression's value, formatted         1  the same as t, 1 where it is missing
///   b  a literal boolean                        i  an item of a combination
///   e  class and message of an exception
struct Operation {
  std::string_view name;
  std::string_view shown;
  /// Does its value become `_`?
  bool yields_value;
  /// One of these two.
  Value (*call)(Call&) = nullptr;
  brio::Coro<Value> (*await)(Call&) = nullptr;
};

/// Null if there is none.
[[nodiscard]] const Operation* find_operation(std::string_view name);

/// Runs one, logs its outcome and stores its value.
[[nodiscard]] brio::Coro<void> run_operation(const Operation& operation, Call& call);

// The parts of the table.
[[nodiscard]] std::span<const Operation> task_operations();
[[nodiscard]] std::span<const Operation> callback_operations();
[[nodiscard]] std::span<const Operation> combining_operations();
[[nodiscard]] std::span<const Operation> scope_operations();
[[nodiscard]] std::span<const Operation> sync_operations();
[[nodiscard]] std::span<const Operation> queue_operations();
[[nodiscard]] std::span<const Operation> generator_operations();

// What they share.

/// An item is a slot, or a fresh coroutine object; its text is the slot or `f()`.
[[nodiscard]] std::string item_text(const Json& item);

/// The blocks around operations: `with`, `timeout`, `timeout_at`, `taskgroup`.
[[nodiscard]] bool is_scope(std::string_view name);
[[nodiscard]] brio::Coro<Code> run_scope(Run& run, const Json& op, Frame& frame);
/// The loops over asynchronous things.
[[nodiscard]] brio::Coro<Code> run_async_for(Run& run, const Json& op, Frame& frame);
[[nodiscard]] brio::Coro<Code> run_as_completed(Run& run, const Json& op, Frame& frame);

}  // namespace conformance
