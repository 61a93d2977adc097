// ExceptionGroup: several errors at once (Python's ExceptionGroup and except*).
#pragma once

#include <brio/core/exceptions.hpp>

#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace brio {

/// Errors that happened side by side; what a TaskGroup throws. Nests.
///
///     catch (const brio::ExceptionGroup& group) {
///       auto rest = group.handle<ValueError>([](const ValueError& e) { … });
///       if (rest) throw *rest;
///     }
class BRIO_API ExceptionGroup : public std::exception {
public:
  /// Throws ValueError for an empty list.
  ExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions);
  ExceptionGroup(const ExceptionGroup&) = default;
  ExceptionGroup& operator=(const ExceptionGroup&) = default;
  ~ExceptionGroup() override;

  /// "message (n sub-exceptions)".
  [[nodiscard]] const char* what() const noexcept override { return state_->what.c_str(); }
  /// The message without the count.
  [[nodiscard]] const std::string& message() const noexcept { return state_->message; }
  /// The members in order of arrival; a member may be a group again.
  [[nodiscard]] const std::vector<std::exception_ptr>& exceptions() const noexcept {
    return state_->exceptions;
  }

  /// The part whose leaves are E's, and the rest, both with this group's nesting and message;
  /// a part without leaves is absent (BaseExceptionGroup.split).
  template <class E>
  [[nodiscard]] std::pair<std::optional<ExceptionGroup>, std::optional<ExceptionGroup>> split()
      const {
    return split_by(&is_a<E>);
  }
  /// The first part of split (BaseExceptionGroup.subgroup).
  template <class E>
  [[nodiscard]] std::optional<ExceptionGroup> subgroup() const {
    return split<E>().first;
  }
  /// Calls `function(const E&)` for each leaf that is an E, in order, and gives the rest.
  template <class E, class F>
  std::optional<ExceptionGroup> handle(F&& function) const {
    auto [matching, rest] = split<E>();
    if (matching)
      for (const std::exception_ptr& leaf : matching->leaves()) {
        try {
          std::rethrow_exception(leaf);
        } catch (const E& e) {
          function(e);
        }
      }
    return rest;
  }
  /// All errors without the nesting.
  [[nodiscard]] std::vector<std::exception_ptr> leaves() const;

private:
  struct State {
    std::string message;
    std::string what;
    std::vector<std::exception_ptr> exceptions;
  };
  using Predicate = bool (*)(const std::exception_ptr&);
  template <class E>
  static bool is_a(const std::exception_ptr& error) {
    try {
      std::rethrow_exception(error);
    } catch (const E&) {
      return true;
    } catch (...) {
      return false;
    }
  }
  [[nodiscard]] std::pair<std::optional<ExceptionGroup>, std::optional<ExceptionGroup>> split_by(
      Predicate matches) const;
  std::shared_ptr<const State> state_;
};

}  // namespace brio
