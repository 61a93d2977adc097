#include "interp.hpp"

#include "errors.hpp"
#include "operations.hpp"

#include <variant>

namespace conformance {

Value evaluate(Run& run, const Json& expression, const Frame& frame) {
  if (!expression.is_array()) return Value(expression);
  const std::string& kind = expression[0].string();
  if (kind == "v") return run.variable(expression[1].string());
  if (kind == "_") return frame.last;
  if (kind == "now") return Value(run.now());
  const std::int64_t a = evaluate(run, expression[1], frame).number();
  const std::int64_t b = evaluate(run, expression[2], frame).number();
  if (kind == "+") return Value(a + b);
  if (kind == "-") return Value(a - b);
  throw BadProgram("unknown expression " + kind);
}

bool test(Run& run, const Json& condition, const Frame& frame) {
  const std::string& kind = condition[0].string();
  if (kind == "not") return !test(run, condition[1], frame);
  if (const std::optional<bool> answer = query(run, kind, condition[1])) return *answer;
  const std::int64_t a = evaluate(run, condition[1], frame).number();
  const std::int64_t b = evaluate(run, condition[2], frame).number();
  if (kind == "==") return a == b;
  if (kind == "!=") return a != b;
  if (kind == "<") return a < b;
  if (kind == "<=") return a <= b;
  if (kind == ">") return a > b;
  if (kind == ">=") return a >= b;
  throw BadProgram("unknown condition " + kind);
}

const Json* find_handler(const Json& handlers, const std::exception_ptr& error) {
  for (std::size_t i = 0; i < handlers.size(); ++i) {
    const Json& classes = handlers[i][0];
    for (std::size_t k = 0; k < classes.size(); ++k)
      if (is_instance(error, classes[k].string())) return &handlers[i][1];
  }
  return nullptr;
}

namespace {

brio::Coro<Code> run_loop(Run& run, const Json& op, Frame& frame) {
  for (std::int64_t left = op[1].integer(); left > 0; --left) {
    Code code = co_await run_block(run, op[2], frame);
    if (code.flow == Code::Flow::break_) break;
    if (code.flow == Code::Flow::return_) co_return code;
  }
  co_return Code();
}

// An exception is carried out of the catch block: no await is possible inside.
brio::Coro<Code> run_try(Run& run, const Json& op, Frame& frame) {
  Code code;
  std::exception_ptr error;
  try {
    code = co_await run_block(run, op[1], frame);
  } catch (...) {
    error = std::current_exception();
  }
  if (const Json* handler = error ? find_handler(op[2], error) : nullptr) {
    run.log("except !" + format_error(error));
    frame.handling.push_back(std::exchange(error, nullptr));
    try {
      code = co_await run_block(run, *handler, frame);
    } catch (...) {
      error = std::current_exception();
    }
    frame.handling.pop_back();
  }
  // May throw, which replaces `error`.
  if (op[3].size() > 0) co_await run_block(run, op[3], frame);
  if (error) std::rethrow_exception(std::move(error));
  co_return code;
}

// Statements that never suspend and have no outcome to log; false if `op` is not one of them.
bool run_plain(Run& run, const Json& op, const Frame& frame, Code& code) {
  const std::string& name = op[0].string();
  if (name == "log") {
    std::string line = "log";
    for (std::size_t i = 1; i < op.size(); ++i) line += " " + run.text(evaluate(run, op[i], frame));
    run.log(line);
  } else if (name == "set") {
    run.set_variable(op[1].string(), evaluate(run, op[2], frame));
  } else if (name == "break") {
    code.flow = Code::Flow::break_;
  } else if (name == "return") {
    code.flow = Code::Flow::return_;
    if (op.size() > 1) code.value = evaluate(run, op[1], frame);
  } else if (name == "raise") {
    if (op.size() < 2) {
      if (frame.handling.empty()) throw BadProgram("raise outside of a handler");
      std::rethrow_exception(frame.handling.back());
    }
    std::rethrow_exception(
        make_error(op[1].string(), op[2].is_null() ? std::nullopt : std::optional(op[2].string())));
  } else {
    return false;
  }
  return true;
}

}  // namespace

brio::Coro<Code> run_block(Run& run, const Json& ops, Frame& frame) {
  for (std::size_t i = 0; i < ops.size(); ++i) {
    Code code = co_await run_statement(run, ops[i], frame);
    if (code.flow != Code::Flow::next) co_return code;
  }
  co_return Code();
}

brio::Coro<Code> run_statement(Run& run, const Json& op, Frame& frame) {
  Code code;
  if (run_plain(run, op, frame, code)) co_return code;
  const std::string& name = op[0].string();
  if (name == "if")
    co_return co_await run_block(run, test(run, op[1], frame) ? op[2] : op[3], frame);
  if (name == "loop") co_return co_await run_loop(run, op, frame);
  if (name == "try") co_return co_await run_try(run, op, frame);
  if (name == "async_for") co_return co_await run_async_for(run, op, frame);
  if (name == "as_completed") co_return co_await run_as_completed(run, op, frame);
  if (is_scope(name)) co_return co_await run_scope(run, op, frame);
  if (name == "call") {
    frame.last = co_await run.coroutine(op[1].string(), frame.depth + 1);
    co_return code;
  }
  const Operation* operation = find_operation(name);
  if (!operation) throw BadProgram("unknown operation " + name);
  Call call(run, op, frame);
  co_await run_operation(*operation, call);
  co_return code;
}

}  // namespace conformance
