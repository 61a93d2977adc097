// The values of conformance programs, and how a trace writes them (SPEC.md §1, §7).
#pragma once

#include "json.hpp"

#include <brio/core/future.hpp>

#include <cstdint>
#include <exception>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace conformance {

class Value;
using List = std::vector<Value>;

/// None, a boolean, an integer, a string, a list, an exception, or a future or task.
class Value {
public:
  Value() noexcept = default;
  explicit Value(bool value) : data_(value) {}
  explicit Value(std::int64_t value) : data_(value) {}
  explicit Value(std::string value) : data_(std::move(value)) {}
  explicit Value(List value) : data_(std::move(value)) {}
  explicit Value(std::exception_ptr value) : data_(std::move(value)) {}
  explicit Value(brio::AnyFuture value) : data_(std::move(value)) {}
  /// A JSON scalar.
  explicit Value(const Json& scalar);

  template <class T>
  [[nodiscard]] const T* get_if() const noexcept {
    return std::get_if<T>(&data_);
  }
  [[nodiscard]] bool is_none() const noexcept { return get_if<std::monostate>() != nullptr; }
  /// In arithmetic and comparisons true is 1 and every non-number is 0.
  [[nodiscard]] std::int64_t number() const noexcept;

  /// The order of a priority queue, whose items are integers.
  friend bool operator<(const Value& a, const Value& b) noexcept { return a.number() < b.number(); }

private:
  std::variant<std::monostate, bool, std::int64_t, std::string, List, std::exception_ptr,
               brio::AnyFuture>
      data_;
};

inline const Value none;

}  // namespace conformance
