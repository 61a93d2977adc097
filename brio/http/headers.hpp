// HTTP field names and values: an ordered multimap whose names compare without case.
#pragma once

#include <brio/core/exceptions.hpp>

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brio::http {

/// One header field.
struct Header {
  std::string name;   ///< as it was given
  std::string value;  ///< without whitespace around it
  friend bool operator==(const Header&, const Header&) = default;
};

/// `text` without the spaces and tabs around it (OWS, RFC 9110 §5.6.3). A view into it.
[[nodiscard]] BRIO_API std::string_view trimmed(std::string_view text) noexcept;

/// True where `a` and `b` are the same ASCII text, letters compared without case.
[[nodiscard]] BRIO_API bool iequals(std::string_view a, std::string_view b) noexcept;

/// True for a `token` of RFC 9110 §5.6.2: a valid field name or method.
[[nodiscard]] BRIO_API bool is_token(std::string_view text) noexcept;

/// True for a valid field value (RFC 9110 §5.5): no control character but TAB, so neither CR, LF
/// nor NUL, which would let a value end its line and begin another (header injection).
[[nodiscard]] BRIO_API bool is_field_value(std::string_view text) noexcept;

/// The fields of a message, in order, names compared without case (aiohttp's CIMultiDict).
///
/// Every way in checks name and value and throws ValueError for what would break the message's
/// framing; whitespace around a value is dropped. A lent view lives until the next change.
class BRIO_API Headers {
public:
  using const_iterator = std::vector<Header>::const_iterator;

  Headers() = default;
  /// `Headers{{"Accept", "*/*"}, …}`. Throws ValueError as add does.
  Headers(std::initializer_list<Header> fields);

  /// Appends a field, beside others of that name. Throws ValueError for a bad name or value.
  void add(std::string_view name, std::string_view value);
  /// Makes this the one field of that name, at the place of the first (d[name] = value).
  void set(std::string_view name, std::string_view value);
  /// The value of the first field of that name; adds `value` first where there is none.
  std::string_view setdefault(std::string_view name, std::string_view value);
  /// Appends all of `other` (CIMultiDict.extend).
  void extend(const Headers& other);
  /// Sets each name that `other` has to other's values (CIMultiDict.update).
  void update(const Headers& other);
  /// Removes every field of that name and returns how many there were.
  std::size_t remove(std::string_view name);
  /// Removes all.
  void clear() noexcept { fields_.clear(); }

  /// The value of the first field of that name, or nothing (CIMultiDict.get).
  [[nodiscard]] std::optional<std::string_view> get(std::string_view name) const;
  /// The same, and `otherwise` where there is none.
  [[nodiscard]] std::string_view get(std::string_view name, std::string_view otherwise) const;
  /// The value of the first field of that name. Throws KeyError where there is none.
  [[nodiscard]] std::string_view at(std::string_view name) const;
  /// The values of every field of that name, in order.
  [[nodiscard]] std::vector<std::string_view> getall(std::string_view name) const;
  /// Whether there is a field of that name.
  [[nodiscard]] bool contains(std::string_view name) const;
  /// True where a comma-separated list under that name has `token` as an element, without case
  /// (`Connection: keep-alive, Upgrade`).
  [[nodiscard]] bool has_token(std::string_view name, std::string_view token) const;

  /// How many fields there are, each repetition counted.
  [[nodiscard]] std::size_t size() const noexcept { return fields_.size(); }
  /// Whether there is none.
  [[nodiscard]] bool empty() const noexcept { return fields_.empty(); }
  [[nodiscard]] const_iterator begin() const noexcept { return fields_.begin(); }
  [[nodiscard]] const_iterator end() const noexcept { return fields_.end(); }

  friend bool operator==(const Headers&, const Headers&) = default;

private:
  std::vector<Header> fields_;
};

}  // namespace brio::http
