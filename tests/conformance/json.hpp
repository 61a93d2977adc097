// A reader for the JSON of conformance programs. Numbers are integers, as SPEC.md has no others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace conformance {

/// One JSON value. Objects keep the order of their keys, which a program's `objects` rely on.
class Json {
public:
  using Array = std::vector<Json>;
  using Object = std::vector<std::pair<std::string, Json>>;

  Json() noexcept = default;
  explicit Json(bool value) : data_(value) {}
  explicit Json(std::int64_t value) : data_(value) {}
  explicit Json(std::string value) : data_(std::move(value)) {}
  explicit Json(Array value) : data_(std::move(value)) {}
  explicit Json(Object value) : data_(std::move(value)) {}

  [[nodiscard]] bool is_null() const noexcept { return holds<std::monostate>(); }
  [[nodiscard]] bool is_bool() const noexcept { return holds<bool>(); }
  [[nodiscard]] bool is_integer() const noexcept { return holds<std::int64_t>(); }
  [[nodiscard]] bool is_string() const noexcept { return holds<std::string>(); }
  [[nodiscard]] bool is_array() const noexcept { return holds<Array>(); }
  [[nodiscard]] bool is_object() const noexcept { return holds<Object>(); }

  // The value as the type that it must be; std::bad_variant_access otherwise.
  [[nodiscard]] bool boolean() const { return std::get<bool>(data_); }
  [[nodiscard]] std::int64_t integer() const { return std::get<std::int64_t>(data_); }
  [[nodiscard]] const std::string& string() const { return std::get<std::string>(data_); }
  [[nodiscard]] const Array& array() const { return std::get<Array>(data_); }
  [[nodiscard]] const Object& object() const { return std::get<Object>(data_); }

  /// Elements of an array, members of an object, 0 for anything else.
  [[nodiscard]] std::size_t size() const noexcept;
  /// Element `index` of an array; null beyond its end.
  [[nodiscard]] const Json& operator[](std::size_t index) const;
  /// Member `key` of an object; null if there is none.
  [[nodiscard]] const Json& operator[](std::string_view key) const;

private:
  template <class T>
  [[nodiscard]] bool holds() const noexcept {
    return std::holds_alternative<T>(data_);
  }
  std::variant<std::monostate, bool, std::int64_t, std::string, Array, Object> data_;
};

/// Reads one JSON value; nothing but white space may follow it. Throws std::runtime_error, with
/// the offset, for anything that is not JSON or nested deeper than 200 levels.
[[nodiscard]] Json parse_json(std::string_view text);

}  // namespace conformance
