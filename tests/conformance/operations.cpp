#include "operations.hpp"

#include "errors.hpp"

#include <unordered_map>
#include <utility>

namespace conformance {

const Operation* find_operation(std::string_view name) {
  static const auto table = [] {
    std::unordered_map<std::string_view, const Operation*> rows;
    for (const auto part :
         {task_operations(), callback_operations(), combining_operations(), scope_operations(),
          sync_operations(), queue_operations(), generator_operations()})
      for (const Operation& row : part) rows.emplace(row.name, &row);
    return rows;
  }();
  const auto found = table.find(name);
  return found == table.end() ? nullptr : found->second;
}

std::string item_text(const Json& item) {
  return item.is_string() ? item.string() : item[1].string() + "()";
}

namespace {

std::string label_of(const Operation& operation, const Call& call) {
  std::string label(operation.name);
  for (std::size_t i = 0; i < operation.shown.size(); ++i) {
    switch (operation.shown[i]) {
      case 'n':
        if (call.given(i)) label += " " + call.name(i);
        break;
      case '1': label += call.given(i) ? " " + call.run.text(call.value(i)) : " 1"; break;
      case 't': label += " " + call.run.text(call.value(i)); break;
      case 'f': label += " " + call.run.format(call.value(i)); break;
      case 'b': label += call.flag(i) ? " True" : " False"; break;
      case 'i': label += " " + item_text(call.argument(i)); break;
      case 'e': label += " " + format_error(make_error(call.name(i), call.message(i + 1))); break;
      default: throw BadProgram("unknown kind of argument in the table of operations");
    }
  }
  return label;
}

}  // namespace

brio::Coro<void> run_operation(const Operation& operation, Call& call) {
  const std::string label = label_of(operation, call);
  Value value;
  try {
    // Not "a ? b : co_await c": g++ 14 evaluates c as well.
    if (operation.call) {
      value = operation.call(call);
    } else {
      value = co_await operation.await(call);
    }
  } catch (const Unset&) {
    call.run.log(label + " = unset");
    if (operation.yields_value) call.frame.last = none;
    co_return;
  } catch (...) {
    call.run.log(label + " = !" + format_error(std::current_exception()));
    throw;
  }
  call.run.log(label + " = " + (call.shown_value ? *call.shown_value : call.run.format(value)));
  if (operation.yields_value) call.frame.last = std::move(value);
}

}  // namespace conformance
