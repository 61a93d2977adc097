// Is it a program at all? Asked before it runs.
#pragma once

#include "json.hpp"

namespace conformance {

/// Throws BadProgram, which tells the place and what is wrong there, unless `program` has the shape
/// that SPEC.md asks for: known operations with arguments of the right kind, and coroutines and
/// generators that exist.
void check_program(const Json& program);

}  // namespace conformance
