// A finished future's value as its repr shows it: in Python's words where Python has such a value.
#pragma once

#include <brio/core/config.hpp>

#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <variant>

namespace brio::detail {

BRIO_API std::string repr_of_double(double value);
/// Quoted and escaped, and cut in the middle when it is long (reprlib.repr).
BRIO_API std::string repr_of_text(std::string_view text);
/// Stands for a value that has no text of its own: its type in angle brackets.
BRIO_API std::string repr_of_type(const std::type_info& type);

// Views and pointers are not read: what they point to may be gone.
template <class T>
std::string value_repr(const T& value) {
  if constexpr (std::is_same_v<T, std::monostate>)
    return "None";
  else if constexpr (std::is_same_v<T, bool>)
    return value ? "True" : "False";
  else if constexpr (std::is_same_v<T, char>)
    return repr_of_text(std::string_view(&value, 1));
  else if constexpr (std::is_integral_v<T>)
    return std::to_string(value);
  else if constexpr (std::is_floating_point_v<T>)
    return repr_of_double(static_cast<double>(value));
  else if constexpr (std::is_same_v<T, std::string>)
    return repr_of_text(value);
  else
    return repr_of_type(typeid(T));
}

}  // namespace brio::detail
