#include <brio/core/exception_group.hpp>

namespace brio {

ExceptionGroup::ExceptionGroup(std::string message, std::vector<std::exception_ptr> exceptions) {
  if (exceptions.empty()) throw ValueError("an ExceptionGroup needs at least one exception");
  auto state = std::make_shared<State>();
  state->what = message + " (" + std::to_string(exceptions.size()) +
                (exceptions.size() == 1 ? " sub-exception)" : " sub-exceptions)");
  state->message = std::move(message);
  state->exceptions = std::move(exceptions);
  state_ = std::move(state);
}

ExceptionGroup::~ExceptionGroup() = default;

namespace {
// The group inside, if it is one.
std::optional<ExceptionGroup> as_group(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const ExceptionGroup& group) {
    return group;
  } catch (...) {
    return std::nullopt;
  }
}
}  // namespace

std::pair<std::optional<ExceptionGroup>, std::optional<ExceptionGroup>> ExceptionGroup::split_by(
    Predicate matches) const {
  std::vector<std::exception_ptr> yes;
  std::vector<std::exception_ptr> no;
  for (const std::exception_ptr& error : exceptions()) {
    if (const auto group = as_group(error)) {
      auto [inner_yes, inner_no] = group->split_by(matches);
      if (inner_yes) yes.push_back(std::make_exception_ptr(*inner_yes));
      if (inner_no) no.push_back(std::make_exception_ptr(*inner_no));
    } else {
      (matches(error) ? yes : no).push_back(error);
    }
  }
  const auto make = [this](std::vector<std::exception_ptr>& errors) {
    return errors.empty() ? std::nullopt
                          : std::optional(ExceptionGroup(message(), std::move(errors)));
  };
  return {make(yes), make(no)};
}

std::vector<std::exception_ptr> ExceptionGroup::leaves() const {
  std::vector<std::exception_ptr> all;
  for (const std::exception_ptr& error : exceptions()) {
    if (const auto group = as_group(error)) {
      const std::vector<std::exception_ptr> inner = group->leaves();
      all.insert(all.end(), inner.begin(), inner.end());
    } else {
      all.push_back(error);
    }
  }
  return all;
}

}  // namespace brio
