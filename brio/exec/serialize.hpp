// Values as bytes, for the way to another process of the same program and back (Python's pickle).
//
// The bytes are those of this machine and this build: they are for pipes, not for files.
//
// A type of yours takes part by one function beside it, found by its name, for both directions:
//
//     struct Point { int x = 0, y = 0; };
//     void brio_serialize(auto& archive, Point& point) { archive(point.x, point.y); }
//
// A type without a default constructor, or one of a foreign namespace, specialises
// brio::serial::Serializer instead.
#pragma once

#include <brio/exec/errors.hpp>

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

namespace brio::serial {

/// How deep values may be nested in each other.
inline constexpr int max_depth = 500;

namespace detail {

/// Counts the nesting of an archive; throws SerializationError where it is too deep.
class BRIO_API Nested {
public:
  explicit Nested(int& depth);
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;
  ~Nested() { --depth_; }

private:
  int& depth_;
};

}  // namespace detail

/// Where values are written.
class BRIO_API Writer {
public:
  /// Writes the values one behind the other; for brio_serialize.
  template <class... Ts>
  void operator()(const Ts&... values);
  /// Adds raw bytes, without their number.
  void bytes(const void* data, std::size_t size) {
    text_.append(static_cast<const char*>(data), size);
  }
  /// What was written so far.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// The same, and leaves nothing here.
  [[nodiscard]] std::string take() noexcept { return std::move(text_); }
  /// The nesting at this place.
  [[nodiscard]] int& depth() noexcept { return depth_; }

private:
  std::string text_;
  int depth_ = 0;
};

/// Where values are read. Bytes that are not what a Writer wrote give SerializationError, or other
/// values: never anything worse.
class BRIO_API Reader {
public:
  /// `text` must live as long as the reader.
  explicit Reader(std::string_view text) noexcept : left_(text) {}
  /// Reads the values in the order in which they were written; for brio_serialize.
  template <class... Ts>
  void operator()(Ts&... values);
  /// Takes `size` bytes, a view into the text. Throws SerializationError if there are fewer.
  std::string_view bytes(std::size_t size);
  /// Takes a count of things that have at least `each` bytes. Throws SerializationError if so many
  /// cannot follow.
  std::size_t count(std::size_t each = 1);
  /// How many bytes are left.
  [[nodiscard]] std::size_t remaining() const noexcept { return left_.size(); }
  /// Throws SerializationError unless everything was read.
  void finish() const;
  /// The nesting at this place.
  [[nodiscard]] int& depth() noexcept { return depth_; }

private:
  std::string_view left_;
  int depth_ = 0;
};

/// Throws SerializationError.
[[noreturn]] BRIO_API void throw_malformed(const char* what);

namespace detail {

template <class T>
concept Hooked = requires(Writer& writer, Reader& reader, T& value) {
  brio_serialize(writer, value);
  brio_serialize(reader, value);
};

template <class T, template <class...> class Template>
inline constexpr bool is_a = false;
template <template <class...> class Template, class... Ts>
inline constexpr bool is_a<Template<Ts...>, Template> = true;
template <class T>
inline constexpr bool is_array = false;
template <class T, std::size_t n>
inline constexpr bool is_array<std::array<T, n>> = true;

// What can be copied as it lies in memory: any bytes are a value of it, which is not so for bool.
template <class T>
inline constexpr bool is_plain = std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;
template <class T>
  requires std::is_enum_v<T>
inline constexpr bool is_plain<T> = !std::is_same_v<std::underlying_type_t<T>, bool>;
template <class T>
concept Plain = is_plain<T>;

template <class T>
concept Container = requires(T& all, typename T::value_type element) {
  std::size(all);
  std::begin(all);
  std::end(all);
  T();
};
template <class T>
concept Sequence = Container<T> && requires(T& all, typename T::value_type element) {
  all.push_back(std::move(element));
};
// Elements side by side, to be copied at once.
template <class T>
concept Block = Sequence<T> && Plain<typename T::value_type> && requires(T& all, std::size_t size) {
  { all.data() } -> std::same_as<typename T::value_type*>;
  all.resize(size);
};
template <class T>
concept Associative = Container<T> && requires(T& all, typename T::value_type element) {
  typename T::key_type;
  all.insert(std::move(element));
};

enum class Kind : std::uint8_t {
  none,
  hook,
  boolean,
  plain,
  monostate,
  block,
  sequence,
  associative,
  array,
  tuple,
  optional,
  variant,
  duration,
  time_point,
};

template <class T>
consteval Kind kind_of() {
  // clang-format off
  if constexpr (Hooked<T>) return Kind::hook;
  else if constexpr (std::is_same_v<T, bool>) return Kind::boolean;
  else if constexpr (Plain<T>) return Kind::plain;
  else if constexpr (std::is_same_v<T, std::monostate>) return Kind::monostate;
  else if constexpr (is_array<T>) return Kind::array;
  else if constexpr (is_a<T, std::pair> || is_a<T, std::tuple>) return Kind::tuple;
  else if constexpr (is_a<T, std::optional>) return Kind::optional;
  else if constexpr (is_a<T, std::variant>) return Kind::variant;
  else if constexpr (is_a<T, std::chrono::time_point>) return Kind::time_point;
  else if constexpr (is_a<T, std::chrono::duration>) return Kind::duration;
  else if constexpr (Block<T>) return Kind::block;
  else if constexpr (Sequence<T>) return Kind::sequence;
  else if constexpr (Associative<T>) return Kind::associative;
  else return Kind::none;
  // clang-format on
}

template <class T>
consteval bool serializable();

template <class>
struct Parts;
template <template <class...> class Template, class... Ts>
struct Parts<Template<Ts...>> {
  static constexpr bool serializable = (detail::serializable<std::remove_cv_t<Ts>>() && ...);
};

}  // namespace detail

/// How a T is written and read. Every value takes at least one byte, so that a count can be checked
/// against what is left. Specialise it, with these two functions, for a type that a brio_serialize
/// beside it cannot serve.
template <class T>
struct Serializer {
  /// No specialisation of a user's.
  static constexpr detail::Kind kind = detail::kind_of<T>();
  /// Appends `value`.
  static void write(Writer& writer, const T& value);
  /// Takes a value. Throws SerializationError if there is none.
  static T read(Reader& reader);
};

namespace detail {

template <class T>
consteval bool serializable() {
  if constexpr (!requires { Serializer<T>::kind; }) {
    return true;
  } else {
    constexpr Kind kind = kind_of<T>();
    if constexpr (kind == Kind::none)
      return false;
    else if constexpr (kind == Kind::sequence || kind == Kind::array)
      return serializable<typename T::value_type>();
    else if constexpr (kind == Kind::associative && requires { typename T::mapped_type; })
      return serializable<typename T::key_type>() && serializable<typename T::mapped_type>();
    else if constexpr (kind == Kind::associative)
      return serializable<typename T::key_type>();
    else if constexpr (kind == Kind::tuple || kind == Kind::optional || kind == Kind::variant)
      return Parts<T>::serializable;
    else
      return true;
  }
}

}  // namespace detail

/// Arithmetic types, enumerations, strings, the standard containers, array, pair, tuple, optional,
/// variant, durations and points in time, of types that are Serializable too; and what brings
/// brio_serialize or a Serializer of its own.
template <class T>
concept Serializable = detail::serializable<T>();

namespace detail {

template <class T>
T read_plain(Reader& reader) {
  T value;
  std::memcpy(&value, reader.bytes(sizeof value).data(), sizeof value);
  return value;
}

template <class T>
void write_plain(Writer& writer, const T& value) {
  writer.bytes(&value, sizeof value);
}

inline std::uint8_t read_byte(Reader& reader) { return read_plain<std::uint8_t>(reader); }
inline void write_byte(Writer& writer, std::uint8_t value) { write_plain(writer, value); }

// In front of what may have no bytes of its own.
inline constexpr std::uint8_t mark = 0xb1;
inline void read_mark(Reader& reader) {
  if (read_byte(reader) != mark) throw_malformed("a value does not begin where it should");
}

template <class T, std::size_t i = 0>
T read_alternative(Reader& reader, std::size_t index) {
  if constexpr (i < std::variant_size_v<T>) {
    if (index == i)
      return T(std::in_place_index<i>, Serializer<std::variant_alternative_t<i, T>>::read(reader));
    return read_alternative<T, i + 1>(reader, index);
  } else {
    throw_malformed("a variant has no such alternative");
  }
}

template <class T, std::size_t... i>
T read_tuple(Reader& reader, std::index_sequence<i...>) {
  // Braces: in this order.
  return T{Serializer<std::remove_cv_t<std::tuple_element_t<i, T>>>::read(reader)...};
}

template <class T>
T read_sequence(Reader& reader) {
  T all;
  using Element = typename T::value_type;
  // No reservation: a count is a claim, and an element may be much larger than its bytes.
  for (std::size_t left = reader.count(); left > 0; --left)
    all.push_back(Serializer<Element>::read(reader));
  return all;
}

template <class T>
T read_associative(Reader& reader) {
  T all;
  for (std::size_t left = reader.count(); left > 0; --left) {
    if constexpr (requires { typename T::mapped_type; }) {
      auto key = Serializer<typename T::key_type>::read(reader);
      all.insert(typename T::value_type(std::move(key),
                                        Serializer<typename T::mapped_type>::read(reader)));
    } else {
      all.insert(Serializer<typename T::key_type>::read(reader));
    }
  }
  return all;
}

}  // namespace detail

template <class T>
void Serializer<T>::write(Writer& writer, const T& value) {
  using enum detail::Kind;
  static_assert(kind != none,
                "brio: a value of this type cannot be sent to another process; give it a "
                "brio_serialize(archive, value)");
  if constexpr (kind == boolean) {
    detail::write_byte(writer, value ? 1 : 0);
  } else if constexpr (kind == plain) {
    detail::write_plain(writer, value);
  } else if constexpr (kind == monostate) {
    detail::write_byte(writer, detail::mark);
  } else if constexpr (kind == duration) {
    Serializer<typename T::rep>::write(writer, value.count());
  } else if constexpr (kind == time_point) {
    Serializer<typename T::rep>::write(writer, value.time_since_epoch().count());
  } else if constexpr (kind == block) {
    detail::write_plain(writer, static_cast<std::uint64_t>(value.size()));
    writer.bytes(value.data(), value.size() * sizeof(typename T::value_type));
  } else {
    const detail::Nested nested(writer.depth());
    if constexpr (kind == hook) {
      detail::write_byte(writer, detail::mark);
      brio_serialize(writer, const_cast<T&>(value));  // one function for both directions
    } else if constexpr (kind == sequence) {
      detail::write_plain(writer, static_cast<std::uint64_t>(std::size(value)));
      for (const auto& element : value) Serializer<typename T::value_type>::write(writer, element);
    } else if constexpr (kind == associative) {
      detail::write_plain(writer, static_cast<std::uint64_t>(std::size(value)));
      for (const auto& element : value) {
        if constexpr (requires { typename T::mapped_type; }) {
          writer(element.first, element.second);
        } else {
          writer(element);
        }
      }
    } else if constexpr (kind == array) {
      detail::write_byte(writer, detail::mark);
      for (const auto& element : value) writer(element);
    } else if constexpr (kind == tuple) {
      detail::write_byte(writer, detail::mark);
      std::apply(writer, value);
    } else if constexpr (kind == optional) {
      detail::write_byte(writer, value ? 1 : 0);
      if (value) writer(*value);
    } else if constexpr (kind == variant) {
      static_assert(std::variant_size_v<T> < 255);
      if (value.valueless_by_exception())
        throw concurrent::SerializationError("a variant without a value");
      detail::write_byte(writer, static_cast<std::uint8_t>(value.index()));
      std::visit(writer, value);
    }
  }
}

template <class T>
T Serializer<T>::read(Reader& reader) {
  using enum detail::Kind;
  static_assert(kind != none,
                "brio: a value of this type cannot come from another process; give it a "
                "brio_serialize(archive, value)");
  if constexpr (kind == boolean) {
    const std::uint8_t byte = detail::read_byte(reader);
    if (byte > 1) throw_malformed("a bool is neither 0 nor 1");
    return byte == 1;
  } else if constexpr (kind == plain) {
    return detail::read_plain<T>(reader);
  } else if constexpr (kind == monostate) {
    detail::read_mark(reader);
    return {};
  } else if constexpr (kind == duration) {
    return T(Serializer<typename T::rep>::read(reader));
  } else if constexpr (kind == time_point) {
    return T(typename T::duration(Serializer<typename T::rep>::read(reader)));
  } else if constexpr (kind == block) {
    const std::size_t size = reader.count(sizeof(typename T::value_type));
    const std::string_view bytes = reader.bytes(size * sizeof(typename T::value_type));
    T all;
    all.resize(size);
    if (size > 0) std::memcpy(all.data(), bytes.data(), bytes.size());
    return all;
  } else {
    const detail::Nested nested(reader.depth());
    if constexpr (kind == hook) {
      static_assert(std::is_default_constructible_v<T>,
                    "brio: brio_serialize fills a default-constructed value; specialise "
                    "brio::serial::Serializer for this type");
      detail::read_mark(reader);
      T value{};
      brio_serialize(reader, value);
      return value;
    } else if constexpr (kind == sequence) {
      return detail::read_sequence<T>(reader);
    } else if constexpr (kind == associative) {
      return detail::read_associative<T>(reader);
    } else if constexpr (kind == array) {
      detail::read_mark(reader);
      T all{};
      for (auto& element : all) reader(element);
      return all;
    } else if constexpr (kind == tuple) {
      detail::read_mark(reader);
      return detail::read_tuple<T>(reader, std::make_index_sequence<std::tuple_size_v<T>>());
    } else if constexpr (kind == optional) {
      const std::uint8_t byte = detail::read_byte(reader);
      if (byte > 1) throw_malformed("an optional is neither empty nor full");
      if (byte == 0) return std::nullopt;
      return T(Serializer<typename T::value_type>::read(reader));
    } else {
      return detail::read_alternative<T>(reader, detail::read_byte(reader));
    }
  }
}

template <class... Ts>
void Writer::operator()(const Ts&... values) {
  (Serializer<Ts>::write(*this, values), ...);
}

template <class... Ts>
void Reader::operator()(Ts&... values) {
  ((values = Serializer<Ts>::read(*this)), ...);
}

/// The bytes of a value (pickle.dumps). Throws what a brio_serialize throws, and SerializationError
/// if it is nested deeper than max_depth, or a variant without a value.
template <Serializable T>
[[nodiscard]] std::string dumps(const T& value) {
  Writer writer;
  writer(value);
  return writer.take();
}

/// The value of the bytes (pickle.loads). Throws SerializationError if they are not those of a T.
template <Serializable T>
[[nodiscard]] T loads(std::string_view text) {
  Reader reader(text);
  T value = Serializer<T>::read(reader);
  reader.finish();
  return value;
}

}  // namespace brio::serial
