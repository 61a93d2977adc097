#include <brio/core/loop.hpp>

#include <algorithm>
#include <cstdio>

namespace brio::detail {

std::vector<StackFrame> task_stack(const TaskBase& task, StackOptions options) {
  std::vector<StackFrame> frames;
  const PromiseBase* at = task.suspended();
  if (!at) at = task.root();
  std::size_t room = !options.limit       ? std::size_t(-1)
                     : *options.limit > 0 ? static_cast<std::size_t>(*options.limit)
                                          : 0;
  for (; at && room > 0; at = at->awaiter_, --room)
    frames.push_back({at->where_.function_name(), at->where_.file_name(), at->where_.line()});
  std::reverse(frames.begin(), frames.end());
  return frames;
}

void print_task_stack(const TaskBase& task, std::FILE* file, StackOptions options) {
  if (!file) file = stderr;
  const std::vector<StackFrame> frames = task_stack(task, options);
  if (frames.empty()) {
    std::fprintf(file, "No stack for %s\n", task.repr().c_str());
    return;
  }
  std::fprintf(file, "Stack for %s (most recent call last):\n", task.repr().c_str());
  for (const StackFrame& frame : frames)
    std::fprintf(file, "  File \"%s\", line %u, in %s\n", frame.file_name, frame.line,
                 frame.function_name);
}

}  // namespace brio::detail
