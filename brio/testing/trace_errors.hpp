// The trace kit's own errors, and the neutral names of all errors.
#pragma once

#include <brio/core/exception_group.hpp>
#include <brio/core/exceptions.hpp>
#include <brio/testing/python_text.hpp>

#include <exception>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace brio::testing::trace {

/// An ordinary error raised by a scenario.
class BRIO_API Boom : public std::exception {
public:
  Boom() = default;
  template <class T>
    requires(!std::derived_from<T, Boom>)
  explicit Boom(const T& argument) : text_(str(argument)) {}
  Boom(const Boom&) = default;
  Boom& operator=(const Boom&) = default;
  ~Boom() override;
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

private:
  std::string text_;
};

/// A second ordinary error, to tell two failures apart.
class BRIO_API Bang : public std::exception {
public:
  Bang() = default;
  template <class T>
    requires(!std::derived_from<T, Bang>)
  explicit Bang(const T& argument) : text_(str(argument)) {}
  Bang(const Bang&) = default;
  Bang& operator=(const Bang&) = default;
  ~Bang() override;
  [[nodiscard]] const char* what() const noexcept override { return text_.c_str(); }

private:
  std::string text_;
};

/// A fatal error: must leave the loop at once (the SystemExit family).
class BRIO_API Halt : public SystemExit {
public:
  Halt() : SystemExit(0) {}
  template <class T>
    requires(!std::derived_from<T, Halt>)
  explicit Halt(const T& argument) : SystemExit(1, str(argument)) {}
  Halt(const Halt&) = default;
  Halt& operator=(const Halt&) = default;
  ~Halt() override;
};

/// The neutral name of an error: its class without namespace; with the text in parentheses for the
/// kit's own errors and CancelledError; Group[…] or BaseGroup[…] for a group; "none" for null.
[[nodiscard]] BRIO_API std::string nm(const std::exception_ptr& error);

namespace detail {
BRIO_API std::string name_of(const std::type_info& type, const std::string& text);
}  // namespace detail

[[nodiscard]] BRIO_API std::string nm(const ExceptionGroup& group);
[[nodiscard]] BRIO_API std::string nm(const CancelledError& error);
/// The same in a catch block: `catch (const RuntimeError& e) { ev("refused", nm(e)); }`.
template <class E>
  requires(std::is_polymorphic_v<E> && !std::derived_from<E, ExceptionGroup>)
[[nodiscard]] std::string nm(const E& error) {
  std::string text;
  if (const auto* boom = dynamic_cast<const Boom*>(&error)) text = boom->what();
  if (const auto* bang = dynamic_cast<const Bang*>(&error)) text = bang->what();
  if (const auto* halt = dynamic_cast<const Halt*>(&error)) text = halt->what();
  return detail::name_of(typeid(error), text);
}

}  // namespace brio::testing::trace
