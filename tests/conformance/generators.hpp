// The bodies of a program's async generators.
#pragma once

#include "run.hpp"
#include "slots.hpp"

#include <string>

namespace conformance {

/// A new generator object of the program's generator `name`.
[[nodiscard]] Generator make_generator(Run& run, std::string name);

}  // namespace conformance
