#include <brio/core/detail/error_trace.hpp>

#include <brio/core/exceptions.hpp>
#include <brio/core/task.hpp>

#include <array>
#include <cstddef>
#include <cxxabi.h>
#include <typeinfo>
#include <vector>

namespace brio::detail {

namespace {

struct Trace {
  // Held, so that no other error can have its address.
  std::exception_ptr error;
  bool of_main = false;  // kept until the next run: it may leave the program
  std::size_t left_out = 0;
  std::vector<StackFrame> frames;  // innermost first
};

constexpr std::size_t most_frames = 64;

// Several, because the errors of tasks that fail together are noted in turns.
struct Traces {
  std::array<Trace, 4> of;
  std::size_t next = 0;
};

Traces& traces() {
  static thread_local Traces all;
  return all;
}

Trace* find(const std::exception_ptr& error) {
  for (Trace& trace : traces().of)
    if (trace.error == error) return &trace;
  return nullptr;
}

Trace& start(const std::exception_ptr& error) {
  Traces& all = traces();
  if (all.of[all.next].of_main) all.next = (all.next + 1) % all.of.size();
  Trace& trace = all.of[all.next];
  all.next = (all.next + 1) % all.of.size();
  trace.frames.clear();
  trace.left_out = 0;
  trace.error = error;
  return trace;
}

void note(const PromiseBase& promise, const std::exception_ptr& error) {
  Trace* const known = find(error);
  Trace& trace = known ? *known : start(error);
  if (trace.frames.size() == most_frames) {
    ++trace.left_out;
    return;
  }
  const std::source_location& where = promise.where_;
  trace.frames.push_back({where.function_name(), where.file_name(), where.line()});
}

}  // namespace

std::exception_ptr catch_error(const PromiseBase& promise) noexcept {
  std::exception_ptr error = std::current_exception();
  const std::type_info* const type = abi::__cxa_current_exception_type();
  if (!type || *type == typeid(CancelledError)) return error;
  try {
    note(promise, error);
  } catch (...) {
    // No memory for the trace: the error itself is what counts.
  }
  return error;
}

std::string error_trace(const std::exception_ptr& error) {
  std::string text;
  const Trace* const trace = error ? find(error) : nullptr;
  if (!trace) return text;
  text = "Traceback (most recent call last):\n";
  if (trace->left_out > 0) text += "  [" + std::to_string(trace->left_out) + " more coroutines]\n";
  for (auto frame = trace->frames.rbegin(); frame != trace->frames.rend(); ++frame)
    text += std::string("  File \"") + frame->file_name + "\", line " +
            std::to_string(frame->line) + ", in " + frame->function_name + "\n";
  return text;
}

void keep_error_of_main(const std::exception_ptr& error) noexcept {
  for (Trace& trace : traces().of) trace.of_main = error && trace.error == error;
}

void forget_errors() noexcept {
  for (Trace& trace : traces().of)
    if (!trace.of_main) trace.error = nullptr;
}

}  // namespace brio::detail
