// The call graph of tasks: where each stands, and who waits for whom (asyncio.graph).
#pragma once

#include <brio/core/loop.hpp>

#include <cstdio>
#include <optional>
#include <source_location>
#include <string>
#include <vector>

namespace brio {

/// One future or task, its stack and those that await it.
struct FutureCallGraph {
  /// The future or task itself.
  AnyFuture future;
  /// Innermost first. The current task shows the place of the call and its outermost coroutine.
  std::vector<StackFrame> call_stack;
  /// The tasks that wait for it: by await, gather, wait, a task group, shield.
  std::vector<FutureCallGraph> awaited_by;
};

/// How much capture_call_graph and its printing forms show.
struct CallGraphOptions {
  /// At most this many frames per task; null: all. Negative: the outermost ones.
  std::optional<int> limit = std::nullopt;
};

/// The graph upwards from `future`, or from the current task; nothing if there is none.
[[nodiscard]] BRIO_API std::optional<FutureCallGraph> capture_call_graph(
    AnyFuture future = {}, CallGraphOptions options = {},
    std::source_location where = std::source_location::current());
/// The same as text, "" without a current task.
[[nodiscard]] BRIO_API std::string format_call_graph(
    AnyFuture future = {}, CallGraphOptions options = {},
    std::source_location where = std::source_location::current());
/// Writes it to `file` (default: standard error).
BRIO_API void print_call_graph(AnyFuture future = {}, std::FILE* file = nullptr,
                               CallGraphOptions options = {},
                               std::source_location where = std::source_location::current());

}  // namespace brio
