// HTTP field names and values: an ordered multimap whose names compare without case.
#pragma once

#include <brio/core/exceptions.hpp>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace brio::http {

namespace detail {
class HeadParser;
}  // namespace detail

/// One header field, lent by whoever keeps it.
struct Header {
  std::string_view name;   ///< as it was given
  std::string_view value;  ///< without whitespace around it
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
/// framing; whitespace around a value is dropped. A lent view lives until the next change. All text
/// lies in one buffer, which clear() keeps: whoever reads message after message into the same
/// Headers allocates nothing.
class BRIO_API Headers {
  // Where a field's name and value begin in text_, and how long they are.
  struct Place {
    std::uint32_t name_at;
    std::uint32_t name_size;
    std::uint32_t value_at;
    std::uint32_t value_size;
  };

public:
  /// Goes over the fields in order.
  class const_iterator {
  public:
    using iterator_concept = std::random_access_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = Header;
    using difference_type = std::ptrdiff_t;
    using reference = Header;
    /// What `->` gives: the views for as long as the expression.
    struct pointer {
      Header header;
      const Header* operator->() const noexcept { return &header; }
    };

    const_iterator() = default;
    [[nodiscard]] Header operator*() const { return headers_->field(*place_); }
    [[nodiscard]] pointer operator->() const { return {**this}; }
    [[nodiscard]] Header operator[](difference_type n) const { return headers_->field(place_[n]); }
    const_iterator& operator+=(difference_type n) {
      place_ += n;
      return *this;
    }
    const_iterator& operator-=(difference_type n) { return *this += -n; }
    const_iterator& operator++() { return *this += 1; }
    const_iterator& operator--() { return *this += -1; }
    const_iterator operator++(int) {
      const const_iterator before = *this;
      ++*this;
      return before;
    }
    const_iterator operator--(int) {
      const const_iterator before = *this;
      --*this;
      return before;
    }
    [[nodiscard]] friend const_iterator operator+(const_iterator at, difference_type n) {
      return at += n;
    }
    [[nodiscard]] friend const_iterator operator+(difference_type n, const_iterator at) {
      return at += n;
    }
    [[nodiscard]] friend const_iterator operator-(const_iterator at, difference_type n) {
      return at -= n;
    }
    [[nodiscard]] friend difference_type operator-(const const_iterator& a,
                                                   const const_iterator& b) {
      return a.place_ - b.place_;
    }
    friend auto operator<=>(const const_iterator&, const const_iterator&) = default;
    friend bool operator==(const const_iterator&, const const_iterator&) = default;

  private:
    friend class Headers;
    const_iterator(const Headers* headers, const Place* place) : headers_(headers), place_(place) {}
    const Headers* headers_ = nullptr;
    const Place* place_ = nullptr;
  };

  /// Most bytes of names and values together; add and set throw ValueError beyond it.
  static constexpr std::size_t max_size = std::size_t(1) << 30;

  Headers() = default;
  /// `Headers{{"Accept", "*/*"}, …}`. Throws ValueError as add does.
  Headers(std::initializer_list<Header> fields);

  /// Appends a field, beside others of that name. Throws ValueError for a bad name or value. Either
  /// may be lent by these headers.
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
  /// Removes all; keeps the memory.
  void clear() noexcept {
    places_.clear();
    text_.clear();
  }

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
  [[nodiscard]] std::size_t size() const noexcept { return places_.size(); }
  /// Whether there is none.
  [[nodiscard]] bool empty() const noexcept { return places_.empty(); }
  [[nodiscard]] const_iterator begin() const noexcept { return {this, places_.data()}; }
  [[nodiscard]] const_iterator end() const noexcept {
    return {this, places_.data() + places_.size()};
  }

  /// The same fields in the same order.
  friend BRIO_API bool operator==(const Headers& a, const Headers& b);

private:
  friend class detail::HeadParser;

  [[nodiscard]] Header field(const Place& place) const noexcept {
    return {std::string_view(text_).substr(place.name_at, place.name_size),
            std::string_view(text_).substr(place.value_at, place.value_size)};
  }
  // Appends what was checked; gives its place.
  Place store(std::string_view name, std::string_view value);

  // What a removed or replaced field leaves in text_ stays there until clear().
  std::string text_;
  std::vector<Place> places_;
};

}  // namespace brio::http
