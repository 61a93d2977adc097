#include <brio/core/callgraph.hpp>

#include <algorithm>
#include <cstdlib>

namespace brio {

namespace {

using detail::FutureBase;

void limit_stack(std::vector<StackFrame>& stack, std::optional<int> limit) {
  if (!limit) return;
  const auto keep = std::min(stack.size(), static_cast<std::size_t>(std::abs(*limit)));
  if (*limit >= 0)
    stack.resize(keep);
  else
    stack.erase(stack.begin(), stack.end() - static_cast<std::ptrdiff_t>(keep));
}

constexpr std::size_t deepest = 1000;

// `path` holds the futures above: tasks that await each other in a circle must not loop us.
FutureCallGraph graph_of(FutureBase& future, const CallGraphOptions& options,
                         std::vector<FutureBase*>& path);

void add_awaiters(FutureBase& future, const CallGraphOptions& options,
                  std::vector<FutureBase*>& path, std::vector<FutureCallGraph>& into) {
  future.each_callback([&](detail::DoneCallback& callback) {
    FutureBase* const awaiter = callback.awaiting();
    if (!awaiter || std::find(path.begin(), path.end(), awaiter) != path.end()) return;
    if (awaiter->is_task()) {
      const bool known = std::any_of(into.begin(), into.end(), [&](const FutureCallGraph& g) {
        return g.future.state() == awaiter;
      });
      if (!known) into.push_back(graph_of(*awaiter, options, path));
    } else {
      // A gather's or a shield's own future stands for whoever awaits it.
      path.push_back(awaiter);
      add_awaiters(*awaiter, options, path, into);
      path.pop_back();
    }
  });
}

FutureCallGraph graph_of(FutureBase& future, const CallGraphOptions& options,
                         std::vector<FutureBase*>& path) {
  // As many as are told by recursion, here and when the graph is written and destroyed.
  if (path.size() > deepest) {
    throw RuntimeError("a chain of more than " + std::to_string(deepest) + " awaiting tasks");
  }
  FutureCallGraph graph{AnyFuture(detail::Ref<FutureBase>(&future)), {}, {}};
  if (future.is_task()) {
    const auto& task = static_cast<const detail::TaskBase&>(future);
    if (!task.done()) graph.call_stack = detail::task_stack(task);
    std::reverse(graph.call_stack.begin(), graph.call_stack.end());
    limit_stack(graph.call_stack, options.limit);
  }
  path.push_back(&future);
  add_awaiters(future, options, path, graph.awaited_by);
  path.pop_back();
  return graph;
}

void write(const FutureCallGraph& graph, int depth, std::string& out) {
  const std::string indent(static_cast<std::size_t>(depth) * 4, ' ');
  out += indent + "* ";
  if (graph.future.is_task()) {
    const AnyTask task(detail::Ref<FutureBase>(graph.future.state()));
    out += "Task(name='" + task.get_name() + "')\n";
  } else {
    out += "Future()\n";
  }
  if (!graph.call_stack.empty()) {
    out += indent + "  + Call stack:\n";
    for (const StackFrame& frame : graph.call_stack)
      out += indent + "  |   File '" + frame.file_name + "', line " + std::to_string(frame.line) +
             ", in " + frame.function_name + "\n";
  }
  if (!graph.awaited_by.empty()) {
    out += indent + "  + Awaited by:\n";
    for (const FutureCallGraph& awaiter : graph.awaited_by) write(awaiter, depth + 1, out);
  }
}

}  // namespace

std::optional<FutureCallGraph> capture_call_graph(AnyFuture future, CallGraphOptions options,
                                                  std::source_location where) {
  const AnyTask current = current_task();
  if (!future) {
    if (!current) return std::nullopt;
    future = current;
  }
  std::vector<FutureBase*> path;
  FutureCallGraph graph = graph_of(*future.state(), options, path);
  if (future == current) {
    // A running task has no suspended frame: this call's place stands for the innermost one.
    std::vector<StackFrame> stack{{where.function_name(), where.file_name(), where.line()}};
    for (const StackFrame& frame : graph.call_stack)
      if (frame.line != where.line() ||
          std::string_view(frame.function_name) != where.function_name())
        stack.push_back(frame);
    graph.call_stack = std::move(stack);
    limit_stack(graph.call_stack, options.limit);
  }
  return graph;
}

std::string format_call_graph(AnyFuture future, CallGraphOptions options,
                              std::source_location where) {
  const auto graph = capture_call_graph(std::move(future), options, where);
  std::string text;
  if (graph) write(*graph, 0, text);
  return text;
}

void print_call_graph(AnyFuture future, std::FILE* file, CallGraphOptions options,
                      std::source_location where) {
  const std::string text = format_call_graph(std::move(future), options, where);
  std::fputs(text.c_str(), file ? file : stderr);
}

}  // namespace brio
