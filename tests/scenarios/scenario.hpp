// What every scenario includes: brio, the trace kit, and how a scenario gives itself a name.
#pragma once

#include <brio/brio.hpp>
#include <brio/testing/trace.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace scenarios {

using Function = void (*)();

/// Makes a scenario known to the runner.
struct Registration {
  Registration(const char* name, Function function);
};

}  // namespace scenarios

/// SCENARIO(001_soon_is_fifo) { … } defines the scenario of that name.
#define SCENARIO(name)                                                                 \
  static void scenario_##name();                                                       \
  static const ::scenarios::Registration registration_##name(#name, &scenario_##name); \
  static void scenario_##name()

// Scenarios read like the Python scripts that they were made from.
using namespace brio;                  // NOLINT(google-build-using-namespace)
using namespace brio::testing::trace;  // NOLINT(google-build-using-namespace)
using namespace std::chrono_literals;  // NOLINT(google-build-using-namespace)
