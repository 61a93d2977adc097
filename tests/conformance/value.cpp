#include "value.hpp"

#include "bad_program.hpp"

namespace conformance {

Value::Value(const Json& scalar) {
  if (scalar.is_null()) return;
  if (scalar.is_bool())
    data_ = scalar.boolean();
  else if (scalar.is_integer())
    data_ = scalar.integer();
  else if (scalar.is_string())
    data_ = scalar.string();
  else
    throw BadProgram("a value must be a JSON scalar or an expression");
}

std::int64_t Value::number() const noexcept {
  if (const auto* integer = get_if<std::int64_t>()) return *integer;
  if (const auto* boolean = get_if<bool>()) return *boolean ? 1 : 0;
  return 0;
}

}  // namespace conformance
