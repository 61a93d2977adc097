// What is thrown for a program that is none.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>

namespace conformance {

/// Thrown for what is no program of SPEC.md. The first one of a run is remembered: it may end in a
/// task or a callback, whose errors are otherwise the program's own business.
class BadProgram : public std::runtime_error {
public:
  explicit BadProgram(const std::string& text) : std::runtime_error(text) {
    if (!first) first = text;
  }
  /// The text of the first one since it was last cleared.
  static inline std::optional<std::string> first;
};

}  // namespace conformance
