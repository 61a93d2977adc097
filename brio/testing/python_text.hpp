// Values as Python prints them: what a trace consists of.
#pragma once

#include <brio/core/config.hpp>

#include <concepts>
#include <cstddef>
#include <exception>
#include <map>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace brio::testing::trace {

/// Bytes, which print as b'…'. brio hands bytes out as std::string; say where they are bytes:
/// `ev(bytes(co_await reader.read()))`.
struct Bytes {
  /// The bytes.
  std::string data;
  bool operator==(const Bytes&) const = default;
};
/// Makes Bytes of anything that makes a string.
template <class... Args>
  requires std::constructible_from<std::string, Args...>
[[nodiscard]] Bytes bytes(Args&&... args) {
  return Bytes{std::string(std::forward<Args>(args)...)};
}

/// Python's None.
struct NoneType {
  bool operator==(const NoneType&) const = default;
};
/// Prints as None.
inline constexpr NoneType None{};

namespace detail {
BRIO_API std::string text_of_double(double value);
BRIO_API std::string quoted(std::string_view text);
BRIO_API std::string quoted_bytes(std::string_view data);
template <class T>
inline constexpr bool is_pair_or_tuple = false;
template <class A, class B>
inline constexpr bool is_pair_or_tuple<std::pair<A, B>> = true;
template <class... Ts>
inline constexpr bool is_pair_or_tuple<std::tuple<Ts...>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_map = false;
template <class K, class V, class C, class A>
inline constexpr bool is_map<std::map<K, V, C, A>> = true;
template <class T>
concept TextLike = std::convertible_to<const T&, std::string_view>;
}  // namespace detail

/// repr(value): as in a list. Text in quotes, bytes as b'…', True, None, [1, 2], (1, 'a'), {'k':
/// 2}.
template <class T>
[[nodiscard]] std::string repr(const T& value);

/// str(value): as print writes it; text without quotes, everything else as repr.
template <class T>
[[nodiscard]] std::string str(const T& value) {
  if constexpr (std::same_as<T, char>)
    return std::string(1, value);
  else if constexpr (detail::TextLike<T>)
    return std::string(std::string_view(value));
  else if constexpr (detail::is_optional<T>)
    return value ? str(*value) : "None";
  else
    return repr(value);
}

template <class T>
std::string repr(const T& value) {
  static_assert(!std::same_as<T, std::exception_ptr>,
                "brio: print the name of an error: nm(error)");
  if constexpr (std::same_as<T, bool>) {
    return value ? "True" : "False";
  } else if constexpr (std::same_as<T, char>) {
    return detail::quoted(std::string_view(&value, 1));
  } else if constexpr (std::integral<T>) {
    return std::to_string(value);
  } else if constexpr (std::floating_point<T>) {
    return detail::text_of_double(static_cast<double>(value));
  } else if constexpr (std::same_as<T, NoneType> || std::same_as<T, std::nullptr_t> ||
                       std::same_as<T, std::nullopt_t> || std::same_as<T, std::monostate>) {
    return "None";
  } else if constexpr (std::same_as<T, Bytes>) {
    return detail::quoted_bytes(value.data);
  } else if constexpr (detail::TextLike<T>) {
    return detail::quoted(std::string_view(value));
  } else if constexpr (detail::is_optional<T>) {
    return value ? repr(*value) : "None";
  } else if constexpr (detail::is_pair_or_tuple<T>) {
    std::string text = "(";
    std::apply(
        [&text](const auto&... items) {
          std::size_t left = sizeof...(items);
          ((text += repr(items) + (--left > 0 ? ", " : "")), ...);
          if constexpr (sizeof...(items) == 1) text += ",";
        },
        value);
    return text + ")";
  } else if constexpr (detail::is_map<T>) {
    std::string text = "{";
    for (const auto& [key, item] : value)
      text += (text.size() > 1 ? ", " : "") + repr(key) + ": " + repr(item);
    return text + "}";
  } else {
    static_assert(std::ranges::range<T>, "brio: do not know how Python would print this type");
    std::string text = "[";
    for (const auto& item : value) text += (text.size() > 1 ? ", " : "") + repr(item);
    return text + "]";
  }
}

}  // namespace brio::testing::trace
