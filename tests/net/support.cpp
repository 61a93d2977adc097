#include "support.hpp"

namespace brio::tests {

std::string Trace::text(const std::exception_ptr& error) {
  if (!error) return "none";
  std::string name = type_name(error);
  if (const auto colons = name.rfind("::"); colons != std::string::npos) {
    name = name.substr(colons + 2);
  }
  return name == "Boom" ? name + "(" + describe(error) + ")" : name;
}

}  // namespace brio::tests
