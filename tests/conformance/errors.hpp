// Python's exception classes and their twins in brio (SPEC.md §5, §7).
#pragma once

#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace conformance {

/// What `raise` and `set_exception` make of the two roots: brio has no class of its own for them.
class PlainException : public std::exception {
public:
  explicit PlainException(std::string message) : message_(std::move(message)) {}
  [[nodiscard]] const char* what() const noexcept override { return message_.c_str(); }

private:
  std::string message_;
};
class PlainBaseException {
public:
  explicit PlainBaseException(std::string message) : message_(std::move(message)) {}
  [[nodiscard]] const char* what() const noexcept { return message_.c_str(); }

private:
  std::string message_;
};

/// An exception as a program sees it.
struct ErrorView {
  /// Python's name of the class; "?" and the C++ type for one that no program should meet.
  std::string class_name;
  std::string message;
  /// The children of a group.
  std::vector<std::exception_ptr> children;
};

[[nodiscard]] ErrorView look_at(const std::exception_ptr& error);

/// `Class(message)`, or `ExceptionGroup(message)[E, E]`.
[[nodiscard]] std::string format_error(const std::exception_ptr& error);

/// Would `except class_name` catch it? GeneratorExit is caught by no handler.
[[nodiscard]] bool is_instance(const std::exception_ptr& error, std::string_view class_name);

/// A new exception of a class that programs may raise; BadProgram for any other name.
[[nodiscard]] std::exception_ptr make_error(std::string_view class_name,
                                            const std::optional<std::string>& message);

}  // namespace conformance
