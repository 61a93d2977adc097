#include "grammar.hpp"

#include "bad_program.hpp"
#include "errors.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <unordered_map>

namespace conformance {

namespace {

// One letter per argument; a capital one may be missing or null.
//   s S  a name or text          e E  a class to raise       x    an object's specification
//   c    a coroutine's name      g    a generator's name     v V  an expression
//   q    a condition             b B  a boolean              n    an integer
//   i    an item                 l    a list of items        L    a list of slots
//   o O  a list of operations    H    handlers
//   *    any number of expressions
const std::unordered_map<std::string_view, std::string_view>& operations() {
  static const std::unordered_map<std::string_view, std::string_view> table{
      // blocks and what steers them
      {"log", "*"},
      {"set", "sV"},
      {"if", "qoO"},
      {"loop", "no"},
      {"break", ""},
      {"return", "V"},
      {"raise", "ES"},
      {"try", "oHO"},
      {"async_for", "so"},
      {"as_completed", "lVsO"},
      {"with", "so"},
      {"timeout", "sVo"},
      {"timeout_at", "sVo"},
      {"taskgroup", "so"},
      {"call", "c"},
      // tasks and futures
      {"yield", ""},
      {"sleep", "V"},
      {"new", "sx"},
      {"spawn", "scS"},
      {"await", "s"},
      {"cancel", "sS"},
      {"uncancel", "s"},
      {"cancelling", "s"},
      {"done", "s"},
      {"cancelled", "s"},
      {"result", "s"},
      {"exception", "s"},
      {"set_result", "sV"},
      {"set_exception", "seS"},
      {"ctx_set", "sV"},
      {"ctx_get", "s"},
      {"ctx_copy", "s"},
      // callbacks and timers
      {"add_cb", "ss"},
      {"remove_cb", "ss"},
      {"call_soon", "ss"},
      {"call_later", "sVs"},
      {"call_at", "sVs"},
      {"handle_cancel", "s"},
      {"handle_cancelled", "s"},
      {"handle_when", "s"},
      // combinations
      {"gather", "lB"},
      {"gather_start", "slB"},
      {"wait", "LVS"},
      {"wait_for", "iV"},
      {"shield", "i"},
      {"shield_start", "si"},
      // scopes
      {"reschedule", "sV"},
      {"when", "s"},
      {"expired", "s"},
      {"tg_spawn", "sscS"},
      // primitives
      {"acquire", "s"},
      {"release", "s"},
      {"locked", "s"},
      {"event_wait", "s"},
      {"event_set", "s"},
      {"event_clear", "s"},
      {"is_set", "s"},
      {"cond_wait", "s"},
      {"cond_wait_for", "sq"},
      {"notify", "sV"},
      {"notify_all", "s"},
      {"barrier_wait", "s"},
      {"barrier_reset", "s"},
      {"barrier_abort", "s"},
      {"n_waiting", "s"},
      {"broken", "s"},
      {"put", "sV"},
      {"get", "s"},
      {"put_nowait", "sV"},
      {"get_nowait", "s"},
      {"task_done", "s"},
      {"join", "s"},
      {"shutdown", "sB"},
      {"qsize", "s"},
      {"empty", "s"},
      {"full", "s"},
      // generators
      {"agen_new", "sg"},
      {"anext", "s"},
      {"aclose", "s"},
      {"athrow", "seS"},
      {"agen_yield", "V"},
  };
  return table;
}

class Checker {
public:
  explicit Checker(const Json& program) : program_(program) {}

  void run() {
    if (!program_.is_object()) fail("a program is an object");
    check_options();
    const Json& coros = program_["coros"];
    if (!coros.is_object() || !has(coros, "main")) fail("no coroutine 'main' in 'coros'");
    check_blocks("coros");
    check_blocks("agens");
    check_blocks("callbacks");
    for (const auto& [slot, specification] : members("objects")) {
      place_ = "object '" + slot + "'";
      check_specification(specification);
    }
  }

private:
  [[noreturn]] void fail(const std::string& text) const {
    throw BadProgram(place_.empty() ? text : place_ + ": " + text);
  }
  static bool has(const Json& object, std::string_view name) {
    return object.is_object() &&
           std::any_of(object.object().begin(), object.object().end(),
                       [&](const auto& member) { return member.first == name; });
  }
  const Json::Object& members(const char* key) const {
    static const Json::Object none;
    const Json& object = program_[key];
    if (object.is_null()) return none;
    if (!object.is_object()) fail(std::string("'") + key + "' is an object");
    return object.object();
  }

  void check_options() {
    const Json& limit = program_["limit"];
    if (!limit.is_null() && !limit.is_integer()) fail("'limit' is an integer");
    const Json& eager = program_["eager"];
    if (!eager.is_null() && !eager.is_bool()) fail("'eager' is true or false");
    for (const char* key : {"vars", "ctx"})
      for (const auto& [name, value] : members(key))
        if (value.is_array() || value.is_object())
          fail(std::string("'") + key + "': '" + name + "' has no simple value");
  }

  void check_blocks(const char* key) {
    for (const auto& [name, ops] : members(key)) {
      place_ = std::string(key) + " '" + name + "'";
      check_operations(ops);
      place_.clear();
    }
  }

  void check_operations(const Json& ops) {
    if (!ops.is_array()) fail("a block is a list of operations");
    for (const Json& op : ops.array()) check_operation(op);
  }

  void check_operation(const Json& op) {
    if (!op[0].is_string()) fail("an operation is a list that begins with its name");
    const std::string& name = op[0].string();
    const auto known = operations().find(name);
    if (known == operations().end()) fail("unknown operation '" + name + "'");
    const std::string place = place_;
    place_ += ", '" + name + "'";
    std::size_t at = 1;
    for (const char kind : known->second) {
      if (kind == '*') {
        for (; at < op.size(); ++at) check_expression(op[at]);
      } else {
        check_argument(kind, op[at++]);
      }
    }
    place_ = place;
  }

  void check_argument(char kind, const Json& argument) {
    if (kind >= 'A' && kind <= 'Z' && kind != 'L') {
      if (argument.is_null()) return;
      if (kind != 'H') kind = static_cast<char>(kind - 'A' + 'a');
    }
    switch (kind) {
      case 's': check_text(argument); break;
      case 'e': check_class(argument); break;
      case 'x': check_specification(argument); break;
      case 'c': check_name(argument, "coros", "coroutine"); break;
      case 'g': check_name(argument, "agens", "generator"); break;
      case 'v': check_expression(argument); break;
      case 'q': check_condition(argument); break;
      case 'b':
        if (!argument.is_bool()) fail("true or false expected");
        break;
      case 'n':
        if (!argument.is_integer()) fail("an integer expected");
        break;
      case 'i': check_item(argument); break;
      case 'l':
        for (const Json& item : list(argument)) check_item(item);
        break;
      case 'L':
        for (const Json& slot : list(argument)) check_text(slot);
        break;
      case 'o': check_operations(argument); break;
      default: check_handlers(argument); break;
    }
  }

  const Json::Array& list(const Json& value) const {
    if (!value.is_array()) fail("a list expected");
    return value.array();
  }
  void check_text(const Json& value) const {
    if (!value.is_string()) fail("a text expected");
  }
  void check_class(const Json& value) const {
    check_text(value);
    (void)make_error(value.string(), std::nullopt);
  }
  void check_name(const Json& value, const char* key, const char* what) const {
    check_text(value);
    if (!has(program_[key], value.string()))
      fail(std::string("no ") + what + " '" + value.string() + "'");
  }

  void check_item(const Json& item) const {
    if (item.is_string()) return;
    if (!item.is_array() || !item[0].is_string() || item[0].string() != "coro")
      fail("a slot or [\"coro\", name] expected");
    check_name(item[1], "coros", "coroutine");
  }

  void check_expression(const Json& expression) const {
    if (expression.is_object()) fail("an expression expected");
    if (!expression.is_array()) return;
    check_text(expression[0]);
    const std::string& kind = expression[0].string();
    if (kind == "v") {
      check_text(expression[1]);
    } else if (kind == "+" || kind == "-") {
      check_expression(expression[1]);
      check_expression(expression[2]);
    } else if (kind != "_" && kind != "now") {
      fail("unknown expression '" + kind + "'");
    }
  }

  void check_condition(const Json& condition) const {
    static constexpr std::array<std::string_view, 6> comparisons{"==", "!=", "<", "<=", ">", ">="};
    static constexpr std::array<std::string_view, 8> questions{
        "done", "cancelled", "is_set", "locked", "empty", "full", "expired", "broken"};
    check_text(condition[0]);
    const std::string& kind = condition[0].string();
    if (kind == "not") {
      check_condition(condition[1]);
    } else if (std::find(questions.begin(), questions.end(), kind) != questions.end()) {
      check_text(condition[1]);
    } else if (std::find(comparisons.begin(), comparisons.end(), kind) != comparisons.end()) {
      check_expression(condition[1]);
      check_expression(condition[2]);
    } else {
      fail("unknown condition '" + kind + "'");
    }
  }

  void check_handlers(const Json& handlers) {
    for (const Json& handler : list(handlers)) {
      for (const Json& name : list(handler[0])) check_text(name);
      check_operations(handler[1]);
    }
  }

  void check_specification(const Json& specification) const {
    check_text(specification[0]);
    const std::string& kind = specification[0].string();
    const Json& argument = specification[1];
    if (kind == "condition") {
      if (!argument.is_null()) check_text(argument);
      return;
    }
    static constexpr std::array<std::string_view, 4> bare{"lock", "event", "future", "taskgroup"};
    static constexpr std::array<std::string_view, 7> numbered{
        "semaphore",  "bounded_semaphore", "barrier", "queue",
        "lifo_queue", "priority_queue",    "timeout"};
    if (std::find(bare.begin(), bare.end(), kind) != bare.end()) return;
    if (std::find(numbered.begin(), numbered.end(), kind) == numbered.end())
      fail("unknown kind of object '" + kind + "'");
    if (!argument.is_null() && !argument.is_integer()) fail("an integer expected");
  }

  const Json& program_;
  std::string place_;
};

}  // namespace

void check_program(const Json& program) { Checker(program).run(); }

}  // namespace conformance
