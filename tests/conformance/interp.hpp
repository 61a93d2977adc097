// The interpreter: blocks of operations as coroutines that return a control code.
#pragma once

#include "json.hpp"
#include "run.hpp"
#include "value.hpp"

#include <brio/core/coro.hpp>

#include <exception>
#include <optional>
#include <string>
#include <vector>

namespace conformance {

/// State of one activation of a coroutine, generator or callback.
struct Frame {
  Value last;                                // the value `_`
  std::vector<std::exception_ptr> handling;  // for a bare raise
  int depth = 0;                             // calls that have led here
};

/// How a block ended, if not by an exception.
struct Code {
  enum class Flow { next, break_, return_ };
  Flow flow = Flow::next;
  Value value{};  // of a return
};

[[nodiscard]] Value evaluate(Run& run, const Json& expression, const Frame& frame);
/// The answer to a question about a slot ("done", "is_set", …); false for an empty slot, nothing if
/// `kind` is no such question.
[[nodiscard]] std::optional<bool> query(const Run& run, const std::string& kind, const Json& slot);
[[nodiscard]] bool test(Run& run, const Json& condition, const Frame& frame);
/// The operations of the first handler that takes `error`, or null.
[[nodiscard]] const Json* find_handler(const Json& handlers, const std::exception_ptr& error);

/// Runs a list of operations.
[[nodiscard]] brio::Coro<Code> run_block(Run& run, const Json& ops, Frame& frame);
/// Runs one operation of any kind but agen_yield.
[[nodiscard]] brio::Coro<Code> run_statement(Run& run, const Json& op, Frame& frame);

}  // namespace conformance
